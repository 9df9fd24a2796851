"""Words of other chats, slips, and talk that begins like an operation."""

from __future__ import annotations

import pytest

from client.chat.customs import answer, fits, meant, renamed
from client.chat.operations import OPERATIONS

BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("hsitory", "HISTORY"),
        ("HISTOR", "HISTORY"),
        ("histtory", "HISTORY"),
        ("serach", "SEARCH"),
        ("hlep", "HELP"),
        ("tlak", "TALK"),
        ("user", "USERS"),
        ("history", ""),
        ("walk", ""),
        ("held", ""),
        ("now", ""),
        ("research", ""),
        ("", ""),
    ],
)
def test_a_slip(word: str, name: str) -> None:
    """Two letters exchanged, or in a long name one that is wrong; no word that is merely alike."""
    assert meant(word, BY_NAME) == name


@pytest.mark.parametrize(
    ("name", "word", "rest", "is_one"),
    [
        ("USERS", "users", "", True),
        ("USERS", "users", "of this room", False),
        ("HISTORY", "history", "bob", True),
        ("HISTORY", "history", "repeats itself", False),
        ("AROUND", "around", "17", True),
        ("AROUND", "around", "noon", False),
        ("DM", "dm", "", True),
        ("SEARCH", "Search", "me", False),
    ],
)
def test_what_is_an_operation_as_a_whole(name: str, word: str, rest: str, is_one: bool) -> None:
    """A line with more than the operation takes, or written like a sentence, is talk."""
    assert fits(BY_NAME[name], word, rest) is is_one


def test_words_of_other_chats() -> None:
    """Some only behind a slash: elsewhere they are talk."""
    assert [renamed(word, is_slashed=False) for word in ("quit", "?", "who", "pm")] == ["EX", "HELP", "WHO", "PM"]
    assert [renamed(word, is_slashed=True) for word in ("who", "Query", "nick", "part")] == [
        "USERS",
        "TALK",
        "NICK",
        "LEAVE",
    ]
    assert [bool(answer(word)) for word in ("NICK", "pm")] == [True, False]
