"""service/storage/postgres/words.py: it cuts as SQLite's FTS5 does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from service.storage.postgres.words import MAX_WORD, cut
from service.storage.sqlite import fulltext

if TYPE_CHECKING:
    from collections.abc import Sequence

SURROGATES = range(0xD800, 0xE000)  # no characters
TEXTS = [
    "E-mail \u00fcber alles",
    "STRASSE stra\u00dfe \u1e9e",
    "\u0130stanbul \u0131\u015f\u0131k",
    "cafe\u0301 \u0301cafe e\u0301\u0302e",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002\u6b21",
    "\ud55c\uad6d\uc5b4 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0939\u093f\u0928\u094d\u0926\u0940",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "ok\U0001f600ok \U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u0401\u043b\u043a\u0430! \u0388\u03bb\u03bb\u03b7\u03bd\u03b1\u03c2",
    "x\u00b7y 10.0.0.1 \u00bd \u2167 \ue000 \ufffe\uffff \U00101234",
]


def by_fts5(texts: Sequence[str]) -> list[list[str]]:
    return fulltext._cut_by_sqlite(texts)


def test_words_are_cut_as_fts5_cuts_them() -> None:
    """In any script, with accents as one character or as two, emoji and signs."""
    assert [cut(text) for text in TEXTS] == by_fts5(TEXTS)


def test_each_character_is_what_it_is_for_fts5() -> None:
    """All of Unicode's planes: alone, at the beginning of a word, within it and at its end."""
    characters = [chr(code) for code in range(1, 0x110000) if code not in SURROGATES]
    # One text has many: FTS5 takes it at once. Ones that stand for others are told by what stands beside them.
    texts = [" ".join(f"{c} a{c}b {c}b" for c in characters[n : n + 2_000]) for n in range(0, len(characters), 2_000)]
    for text, words in zip(texts, by_fts5(texts), strict=True):
        assert cut(text) == words


@given(st.text())
def test_any_text_is_cut_as_by_fts5(text: str) -> None:
    """Nothing depends on what stands further away."""
    assert [cut(text)] == by_fts5([text])


@given(st.text(st.sampled_from("aA-\u0301\u0323\u00e9\u00c9\u00b7 \0\u20ac\U0001f600\u0345\u05bc\u0130\u212a")))
def test_marks_and_gaps_next_to_each_other(text: str) -> None:
    """Marks begin no word, and are left out within one."""
    assert [cut(text)] == by_fts5([text])


def test_of_a_long_word_the_beginning_counts() -> None:
    """No further than an index can have it."""
    assert cut("x" * (MAX_WORD + 1) + " \u00c9" + "y" * MAX_WORD) == ["x" * MAX_WORD, "e" + "y" * (MAX_WORD - 1)]
