"""What an operation is: its arguments, filled from what was typed."""

from __future__ import annotations

import pytest

from client.chat.actions import fill, first_word
from client.chat.operations import OPERATIONS

BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("name", "given", "text", "filled"),
    [
        ("DM", [], "", []),
        ("DM", [], "@bob", ["bob"]),
        ("DM", [], "bob  two  words", ["bob", "two  words"]),
        ("DM", ["bob"], "hi", ["bob", "hi"]),
        ("DM", [], "@", []),
        ("DM", [], "@ hi", None),
        ("JOIN", [], "#", []),
        ("MUTE", [], "", [None]),
        ("MUTE", [], "bob too", None),
        ("TALK", [], "@all", ["@all"]),
    ],
)
def test_arguments_are_filled_in_order(name: str, given: list[str], text: str, filled: list[str] | None) -> None:
    """A name is one word and loses its @, but where @all is somebody else than all; what is too much is told."""
    assert fill(BY_NAME[name], given, text) == filled


@pytest.mark.parametrize(("text", "parts"), [("", ("", "")), ("  dm  bob hi ", ("dm", "bob hi ")), ("ex", ("ex", ""))])
def test_the_first_word(text: str, parts: tuple[str, str]) -> None:
    """It is taken off with the white space round it."""
    assert first_word(text) == parts
