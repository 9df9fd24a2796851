"""HELP, and whom to ask."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from client.chat.help import first_texts, help_texts, room_help_texts, whom_to_ask
from client.chat.operations import OPERATIONS
from service.wire.protocol import HelloEvent

HELLO = HelloEvent(protocol=1, server="", version="", registration="open", max_line=1000, max_message=500)


def test_help_has_every_operation() -> None:
    """HELP is made from the table, and fits a screen of 80x24 above the prompt and the bar."""
    for texts, about_rooms in ((help_texts(), False), (room_help_texts(), True)):
        names = [operation.name for operation in OPERATIONS if operation.is_of_rooms == about_rooms]
        assert [text.split()[0] for text in texts[: len(names)]] == names
        assert max(map(len, texts)) <= 80
        assert len(texts) <= 24 - 2
    assert len(help_texts(80, "Ask carol.")) <= 24 - 2


def test_the_first_run_shows_five_operations() -> None:
    """In five lines, and on a narrow screen in rows that fit."""
    assert [text.split()[0] for text in first_texts()] == ["PM", "DM", "MISSED", "HELP", "EX"]
    assert max(map(len, first_texts(40))) <= 40
    assert " ".join(" ".join(first_texts(40)).split()) == " ".join(" ".join(first_texts()).split())


@pytest.mark.parametrize("width", [1, 40, 64])
def test_help_on_a_narrow_screen(width: int) -> None:
    """HELP fits a phone's terminal, and still has every operation at the beginning of a line."""
    texts = [*room_help_texts(width), *help_texts(width, "Ask carol.")]
    assert max(map(len, texts)) <= max(width, 20)
    assert {operation.name for operation in OPERATIONS} <= {text.split()[0] for text in texts}
    assert "Ask carol." in " ".join(" ".join(texts).split())


@pytest.mark.parametrize(
    ("contact", "said"),
    [
        ("carol, room 12", "Ask carol, room 12."),
        ("ca\x1b[2Jrol", "Ask ca\u241b[2Jrol."),
        (" ", "Ask who runs the server."),
        (UNSET, "Ask who runs the server."),
    ],
)
def test_whom_to_ask(contact: str, said: str) -> None:
    """A forgotten password leads to the contact that the server names, in harmless words, or to its operator."""
    assert whom_to_ask(replace(HELLO, contact=contact)) == said
