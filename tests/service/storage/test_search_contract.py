"""The search as every engine does it: who finds what by which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.storage.records import MAX_SEARCH_WORDS, TooManyWords
from tests.support.storage import add, ids_of, say

if TYPE_CHECKING:
    from service.storage.contract import Storage

pytestmark = pytest.mark.engines
MOST = 500  # words that one may be the beginning of: docs/protocol.txt


def find(storage: Storage, query: str, user: int = 1, partner: int | None = None) -> list[str]:
    """The texts found, newest first."""
    storage.index_search()
    return [message.body for message in storage.search_page(query, user, partner, None, 200).messages]


SEARCHES: list[tuple[str, list[str]]] = [
    ("deploy", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("DEPLOY", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("uber", ["ÜBER-deploy"]),
    ("über-dep", ["ÜBER-deploy"]),
    ("nine deploy", ["we deploy at nine"]),
    ("café", ["un cafe, s'il vous plaît"]),
    ("plait", ["un cafe, s'il vous plaît"]),
    ("eploy", []),
    ("日本", ["日本語 text"]),
    ("deploy !!! ???", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("", []),
    ("   ", []),
    ("!!!", []),
    ('"', []),
    ('deploy"', ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("body:deploy", []),
    ("deploy OR nine", []),
    ("deploy NOT nine", []),
    ("NEAR(deploy nine)", []),
    ("deploy*", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("^deploy", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("x' OR 1=1 --", []),
]


@pytest.mark.parametrize(("query", "expected"), SEARCHES)
def test_search_finds_words_and_their_beginnings(storage: Storage, query: str, expected: list[str]) -> None:
    """All words must be there or begin there, whatever their case and accents; nothing in a query is an operator."""
    alice = add(storage, "alice")
    for text in ("we deploy at nine", "Deployment done", "ÜBER-deploy", "un cafe, s'il vous plaît", "日本語 text"):
        say(storage, alice, text)
    assert find(storage, query) == expected[::-1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20))
def test_any_text_is_found_by_itself(storage: Storage, text: str) -> None:
    """Nothing in a query is an operator, and nothing makes the search fail."""
    if storage.find_user("alice") is None:
        add(storage, "alice")
    say(storage, 1, f"begin {text} end")
    assert f"begin {text} end" in find(storage, f"begin {text} end")


def test_search_shows_only_what_one_may_read(storage: Storage) -> None:
    """The public room and one's own direct messages; with a partner, only the talk with that one."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    for text, to in (("word in public", None), ("word to bob", "bob"), ("word to self", "alice")):
        say(storage, alice, text, to)
    say(storage, bob, "word back", "alice")
    talk = ["word back", "word to bob"]
    assert find(storage, "word", alice) == ["word back", "word to self", "word to bob", "word in public"]
    assert find(storage, "word", bob) == [*talk, "word in public"]
    assert find(storage, "word", carol) == ["word in public"]
    assert [find(storage, "word", *pair) for pair in ((alice, bob), (bob, alice))] == [talk, talk]
    assert [find(storage, "word", *pair) for pair in ((alice, alice), (carol, alice))] == [["word to self"], []]


def test_search_pages_back(storage: Storage) -> None:
    """`before` goes on where the last page ended, newest first, until there is no more, of the room or of talks."""
    alice = add(storage, "alice")
    for n in range(5):
        say(storage, alice, "word", to="alice" if n % 2 else None)
    storage.index_search()
    first = storage.search_page("word", alice, None, None, 3)
    rest = storage.search_page("word", alice, None, ids_of(first)[-1], 3)
    assert (ids_of(first), first.more) == ([5, 4, 3], True)
    assert (ids_of(rest), rest.more) == ([2, 1], False)


def test_a_beginning_of_too_many_words_stands_for_itself(storage: Storage) -> None:
    """Up to MOST words count as begun by it; one more, and only the word itself is found."""
    alice = add(storage, "alice")
    say(storage, alice, " ".join(f"an{n}" for n in range(MOST)))
    say(storage, alice, "annex")
    assert len(find(storage, "an1")) == 1
    assert len(find(storage, "a")) == 0
    say(storage, alice, "an apple")
    assert (find(storage, "an"), find(storage, "ann")) == (["an apple"], ["annex"])


def test_words_of_several_parts_follow_each_other(storage: Storage) -> None:
    """What the index cuts in pieces is found in one piece, the last of them as a beginning."""
    alice = add(storage, "alice")
    for text in ("on 10.0.0.1", "on 10.0.1.0", "an e-mailing list", "mail e"):
        say(storage, alice, text)
    assert find(storage, "10.0.0") == ["on 10.0.0.1"]
    assert find(storage, "e-mail") == ["an e-mailing list"]
    assert find(storage, "mail e") == ["mail e", "an e-mailing list"]


def test_words_of_direct_messages_follow_each_other_too(storage: Storage) -> None:
    """For each of the two who may read it, and not from the end of the one's words to the beginning of the other's."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for text in ("an e-mailing list", "mail e", "mail"):
        say(storage, alice, text, to="bob")
        say(storage, alice, text, to="alice")
    for user, count in ((alice, 2), (bob, 1)):
        assert find(storage, "e-mail", user) == ["an e-mailing list"] * count
        assert find(storage, "mail-mail", user) == find(storage, "mail-1x2", user) == []


def test_a_search_has_a_bounded_number_of_words(storage: Storage) -> None:
    """Repeats do not count; one word too many is refused."""
    words = [f"w{n}" for n in range(MAX_SEARCH_WORDS)]
    assert storage.search_page(" ".join(words * 2), 1, None, None, 20).messages == []
    with pytest.raises(TooManyWords):
        storage.search_page(" ".join([*words, "more"]), 1, None, None, 20)


# -- writes -----------------------------------------------------------------------------------------------------------
