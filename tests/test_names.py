"""service/names.py: what a name may be, and which look alike."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import PeerError
from service.names import looks_of, map_name


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
    """A mapped name maps to itself, so whoever logs in by the name that all see is the same user, and harms nobody."""
    try:
        name = map_name(text)
    except PeerError:
        return
    assert map_name(name) == name
    assert 1 <= len(name) <= 32
    assert not set(name) & set(":,@#*")
    assert all(unicodedata.category(char)[0] not in "CZ" for char in name)


@pytest.mark.parametrize(
    ("there", "new"),
    [
        ("alice", "\u0430lice"),  # Cyrillic
        ("alice", "alic\u0435"),
        ("alice", "a1ice"),
        ("admin", "\u0430dmin"),
        ("admin", "adm\u0456n"),
        ("admin", "adm\u0131n"),  # Latin, without its dot
        ("admin", "adm1n"),
        ("admin", "adrnin"),
        ("bob", "b0b"),
        ("\u0441\u043e\u0441\u043e", "coco"),  # all Cyrillic, all Latin
        ("paypal", "\u0440\u0430y\u0440\u0430l"),
    ],
    ids=ascii,
)
def test_names_that_look_alike(there: str, new: str) -> None:
    """Letters of other scripts, digits for letters: the new name shares a look with the one that is there."""
    assert looks_of(there)[0] in looks_of(map_name(new))


@pytest.mark.parametrize(
    ("there", "new"),
    [("alice", "alica"), ("jose", "jos\u00e9"), ("ian", "lan"), ("user10", "user11"), ("anna", "ana"), ("bob", "bob2")],
    ids=ascii,
)
def test_names_that_differ(there: str, new: str) -> None:
    """What a person can tell apart may stand beside each other: accents, other letters, numbers."""
    assert looks_of(there)[0] not in looks_of(map_name(new))


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x24FF), min_size=1, max_size=32))
def test_a_look_is_stable(text: str) -> None:
    """A look depends on nothing but the name, and is never empty."""
    assert looks_of(text) == looks_of(text)
    assert all(looks_of(text))
