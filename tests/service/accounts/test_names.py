"""service/accounts/names.py: what a name may be, and which look alike."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.accounts.names import RESERVED, look_of, map_name, map_new_name
from service.errors import PeerError
from service.storage.records import LooksAlike
from tests.support.helpers import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("alice", "alice"),
        ("Alice", "alice"),
        ("ALICE", "alice"),
        ("a", "a"),
        ("42", "42"),
        ("al.ice-b_c+d!", "al.ice-b_c+d!"),
        ("\uff21\uff4c\uff49\uff43\uff45", "alice"),
        ("E\u0301va", "\u00e9va"),
        ("\u00c9va", "\u00e9va"),
        ("\u212bngstr\u00f6m", "\u00e5ngstr\u00f6m"),
        ("\u03a3\u039f\u03a6\u0399\u0391", "\u03c3\u03bf\u03c6\u03b9\u03b1"),
        ("\u5f20\u4f1f", "\u5f20\u4f1f"),
        ("\u05d0\u05d1", "\u05d0\u05d1"),
        ("B" * 32, "b" * 32),
        ("E\u0301" * 32, "\u00e9" * 32),
    ],
    ids=ascii,
)
def test_names_are_mapped_as_rfc_8265_says(text: str, name: str) -> None:
    """Width, case and composition do not make another user (RFC 8265, UsernameCaseMapped)."""
    assert map_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b" * 33,
        "\u00e9" * 33,
        "b" * 65,
        "b" * 100_000,
        *(f"al{char}ice" for char in ":,@#* \t\n\r\0\x1b\x7f\x85\xa0\u3000\u2028\u2029\ufffe\ud800"),
        *(f"alice{char}" for char in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u202e\u2066\ufe0f\U000e0041\ue000"),
        *"\uff1a\uff0c\uff20\uff03\uff0a",
        " alice",
        "alice ",
        "\u2121",
        "\u05d0b",
        "\u216f",
        "\U0001f600",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_can_be_no_name_is_refused(text: str) -> None:
    """Empty and long names, white space, control, invisible and look-alike characters and : , @ # * are refused."""
    with pytest.raises(PeerError, match="1 to 32 letters") as refusal:
        map_name(text)
    assert refusal.value.code == "invalid_username"


@settings(deadline=None, max_examples=300)
@given(st.text(min_size=1, max_size=40) | st.text(alphabet="aA\u0130\u0307\uff21\u212b\u0345\u1e9e\u03a3", max_size=40))
def test_a_name_stays_what_it_was_mapped_to(text: str) -> None:
    """A mapped name maps to itself, so a login by the name that all see is the same user, and harms nobody."""
    try:
        name = map_name(text)
    except PeerError:
        return
    assert map_name(name) == name
    assert 1 <= len(name) <= 32
    assert not set(name) & set(":,@#*")
    assert all(unicodedata.category(char)[0] not in "CZ" for char in name)


@pytest.mark.parametrize(
    "text",
    [
        *(f"al{mark}ice" for mark in "\u0335\u0336\u0338\u20d2"),  # through the letter
        "alice\u0338",
        "\u0301alice",
        "_\u0301alice",
        "alice-\u0308",
        "ali\u0323\u0323ce",
        "\u00e9\u0301va",
        "a\u0301\u0308\u0301lice",  # twice, with another one between
        "\u00e9\u0308\u0301va",
        "ali\u0323\u0301\u0323ce",
    ],
    ids=ascii,
)
def test_a_new_name_has_no_loose_marks(text: str) -> None:
    """Marks through a letter, twice or without one are refused where a name is made; an older name keeps it."""
    with pytest.raises(PeerError, match="no mark through a letter") as refusal:
        map_new_name(text, "all")
    assert refusal.value.code == "invalid_username"
    assert map_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *("alice", "\u00e9va", "bj\u00f8rn", "\u0142ukasz", "\u0130brahim", "nguy\u1ec5n", "g\u0303i", "n\u0308"),
        *(
            "\u0915\u094d\u0937\u093f",
            "\u0e19\u0e49\u0e2d",
            "\u05d0\u05b8\u05dc",
            "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
            "n1\u0308",
            "a\u0301e\u0301\u1ea5\u1ea5",  # each on a letter of its own
        ),
    ],
    ids=ascii,
)
def test_a_new_name_may_have_the_marks_of_its_language(text: str) -> None:
    """Accents, vowel signs, tones and points: each has its letter."""
    assert map_new_name(text, "all") == map_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *(f"al{char}ce" for char in "!?$~&%+./<>\"';()"),
        *("!", "!an", "alice!", "al\uff01ce", "echo.bot"),
        *("1abc", "42", "-alice", "\u0967\u0915", "\uff11abc"),
    ],
    ids=ascii,
)
def test_a_new_name_has_no_marks_that_mislead(text: str) -> None:
    """Neither marks of shells, addresses and sentences, nor a digit or - at the start; an older name stays."""
    with pytest.raises(PeerError, match=r"a new name begins with no digit .*; choose another one") as refusal:
        map_new_name(text, "all")
    assert refusal.value.code == "invalid_username"
    assert map_name(text)


def test_a_new_name_may_have_other_marks() -> None:
    """A digit and - elsewhere, and _ anywhere."""
    for text in ("al1ce", "mary-ann", "_alice_", "\u5f20\u4f1f2"):
        assert map_new_name(text, "all") == text


@pytest.mark.parametrize("word", [*RESERVED, "deleted", "deleted-5", "deletedness", "lab"])
def test_nobody_new_is_called_by_a_reserved_word(word: str) -> None:
    """Nor by the main room's name, nor as deleted accounts are: in any form that looks so."""
    forms = {word, word.upper(), f"_{word}", f"{word}_", word.replace("o", "\u043e"), word.replace("e", "\u0435")}
    forms |= {
        word.replace("a", "\u0430"),
        re.sub("(?<=.)o", "0", word),
        word.replace("m", "rn"),
        word.replace("v", "\u03bd"),
    }
    forms |= {re.sub("(?<=.)l", "1", word), re.sub("(?<=.)i", "1", word), re.sub("(?<=.)[il]", "1", word)}
    for form in forms:
        with pytest.raises(PeerError, match=r"means something else in a chat, .*; choose another one") as refusal:
            map_new_name(form, "lab")
        assert refusal.value.code == "invalid_username"
        assert map_name(form)


@pytest.mark.parametrize("text", ["allan", "ali", "mel", "yours", "exit-to", "undeleted", "delete", "lab2", "adam"])
def test_a_name_that_only_has_a_reserved_word_in_it_is_free(text: str) -> None:
    """Only the whole name counts, but for `deleted` at the start."""
    assert map_new_name(text, "lab") == text


ALIKE = [
    ("alice", "\u0430lice"),  # Cyrillic
    ("alice", "alic\u0435"),
    ("alice", "a1ice"),
    ("alice", "a11ce"),  # each 1 another letter
    ("a1ice", "al1ce"),
    ("alice", "a\u04cfice"),  # palochka
    ("alice", "a|ice"),
    ("alice", "a\u01c3ice"),  # letters like a !
    ("alice", "al\u2d51ce"),
    ("jan", "\u0237an"),  # Latin, without its dot
    ("jan", "\u0575an"),  # Armenian
    ("jan", "\u0237\u0307an"),  # a dot of its own
    ("admin", "\u0430dmin"),
    ("admin", "adm\u0456n"),
    ("admin", "adm\u0131n"),  # Latin, without its dot
    ("admin", "adm1n"),
    ("admin", "adrnin"),
    ("admin", "adrn1n"),
    ("zigi", "zig1"),
    ("zigl", "zig1"),
    ("zigi", "zig1_"),
    ("zig1", "-zigi."),
    ("bob", "b0b"),
    ("will", "vvill"),
    ("will", "vv1\u04cfl_"),
    ("\u0441\u043e\u0441\u043e", "coco"),  # all Cyrillic, all Latin
    ("paypal", "\u0440\u0430y\u0440\u0430l"),
    ("ibrahim", "\u0130brahim"),  # a dot on an i
    ("alice", "al\u0335ice"),
    ("alice", "al\u0338ice"),
    ("alice", "ali\u0336ce_"),
    *(
        ("alice", new)
        for new in ("alice_", "_alice", "__alice--", "alice.", "alice!", "alice'", "alice\u02bc", "[alice]")
    ),
    *(("mary-ann", new) for new in ("mary_ann", "mary.ann", "mary--ann", "mary-ann-", "rnary_ann")),
    ("_", "--"),
]
APART = [
    *(("anna", "hanna"), ("anna", "ana"), ("bob1", "bob2"), ("bob", "bob2"), ("bob", "bob1"), ("tim", "tom")),
    *(("alice", "alica"), ("jose", "jos\u00e9"), ("ian", "lan"), ("elia", "ella"), ("elia1", "ella1")),
    *(("user10", "user11"), ("user1", "user2"), ("user1", "user11"), ("user-1", "user1"), ("user-1", "user-2")),
    *(("maryann", "mary-ann"), ("vera", "wera"), ("eve", "evve"), ("nina", "mina"), ("jan", "jana"), ("a", "_b")),
    *(("bj\u00f8rn", "bjorn"), ("\u0142ukasz", "lukasz"), ("m\u00fcller", "muller"), ("a-b-c", "a-bc")),
    *(("\u738b\u6587", "\u738b"), ("\u738b\u6587", "\u738b\u5927"), ("\u6587", "\u5927")),  # like symbols in the tables
    *(("\u30df\u30ce", "\u30df"), ("\u30ce", "_"), ("\u30df\u30fc", "\u30df")),  # like strokes
    *(("\u05d9\u05d5\u05d1", "\u05d5\u05d1"), ("\u5f20\u4f1f", "\u5f20\u4f1e"), ("\u0915\u093f", "\u0915")),
]
# Of people: all of them may be in one class.
COMMON = """
alan alena alina aline allan anna anne annie ben bill billie bob cara carla chris clara dan dana dean
eli elia elias ella ellie elsa emil emila emilia emily emma eric erik finn gina ian ida ina ines iris
jan jana jim jo john jon julia julian kai karl kim lan lea leah lena leo lia lila lili lilli lily lina
lisa liz lou lucia luis luisa maia mara maria marian marina mario marla max mia mika mila mina mira nia
nils nina noel olli ollie paul pia rita sam tia tim tina toby tom uli ulla vera vivian wera will willi
willie zoe
"""


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStorage]:
    with open_storage(tmp_path_factory.mktemp("names") / "chat.db") as storage:
        yield storage


def is_refused_beside(storage: SqliteStorage, there: str, new: str) -> bool:
    """Whether the new name is refused where the other one is there alone."""
    user_id = storage.result(storage.add_user(map_name(there), look_of(map_name(there)), "x", ""))
    try:
        storage.check_free(map_name(new), look_of(map_name(new)))
    except LooksAlike:
        return True
    finally:
        storage.call(lambda c: c.execute("DELETE FROM user WHERE id = ?", (user_id,)))
    return False


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=ascii)
def test_names_that_look_alike(storage: SqliteStorage, one: str, other: str) -> None:
    """Letters of other scripts, digits for letters, marks nobody notices: the second is refused, in either order."""
    assert is_refused_beside(storage, one, other)
    assert is_refused_beside(storage, other, one)


@pytest.mark.parametrize(("one", "other"), APART, ids=ascii)
def test_names_that_differ(storage: SqliteStorage, one: str, other: str) -> None:
    """What a person can tell apart may stand beside each other: accents, other letters, numbers."""
    assert not is_refused_beside(storage, one, other)
    assert not is_refused_beside(storage, other, one)


def test_common_names_may_all_stand_beside_each_other(storage: SqliteStorage) -> None:
    """Of a class's names, and of numbered accounts, none is refused for another."""
    names = [
        *COMMON.split(),
        *(f"user{number}" for number in range(120)),
        *(f"guest-{number}" for number in range(120)),
    ]
    for name in names:
        storage.result(storage.add_user(name, look_of(name), "x", ""))
    storage.call(lambda c: c.execute("DELETE FROM user"))


def test_punctuation_in_an_old_look_is_no_pattern(storage: SqliteStorage) -> None:
    """A name of nothing but signs is compared as it is."""
    for char in "*?[]":
        storage.check_free(char, char)
    assert not is_refused_beside(storage, "\U0001031f", "\u0294")  # letters that are like * and ?
    assert is_refused_beside(storage, "a\u0294", "a\u097d")  # both like ?


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x24FF), min_size=1, max_size=32))
def test_a_look_is_stable(text: str) -> None:
    """A look depends on nothing but the name, is never empty, and stays short."""
    assert look_of(text) == look_of(text)
    assert 1 <= len(look_of(text)) <= 20 * len(text)
