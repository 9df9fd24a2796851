"""The status bar, and the messages without an ack."""

from __future__ import annotations

from typing import Any

import pytest

from client.render.layout import columns_of
from client.render.status_bar import Status, Tab, pending_rows, status_bar
from service.wire.protocol import Dm, Pm

ALL = [
    Tab(2, "#dev", "#dev", 12, 0, is_held=False, is_talk=False),
    Tab(3, "#ops", "#ops", 3, 1, is_held=False, is_talk=False),
    Tab(4, "bob", "@bob", 1, 1, is_held=False, is_talk=True),
]


def status(**changes: Any) -> Status:
    return Status(**{"name": "alice", "is_connected": True, "online": 3, "missed": 0, "pending": [], **changes})


@pytest.mark.parametrize(
    ("changes", "columns", "shown"),
    [
        ({}, 80, " connected | alice | 3 online"),
        ({"missed": 2}, 80, " connected | alice | 3 online | 2 direct unread"),
        ({"is_connected": False, "missed": 2}, 80, " connection lost, trying again | alice | 2 direct unread"),
        ({"missed": 2}, 40, " ok | alice | 3 online | 2 unread"),
        ({"is_connected": False}, 40, " trying again | alice"),
        ({"name": "n" * 32, "missed": 2}, 40, f" ok | {'n' * 11}… | 3 online | 2 unread"),
        ({"name": "\u4f60" * 20, "missed": 2}, 40, f" ok | {chr(0x4F60) * 5}… | 3 online | 2 unread"),
        ({"unread": ALL}, 80, " connected | alice | 3 online | #ops 3* \u00b7 @bob 1 \u00b7 #dev 12"),
        ({"unread": ALL}, 40, " ok | alice | 3 online | #ops 3* \u00b7 +2"),
        ({"unread": ALL, "missed": 2, "name": "n" * 32}, 40, " ok | … | 3 online | 2 unread | +3"),
        ({"unread": ALL, "is_connected": False}, 40, " trying again | alice | #ops 3* \u00b7 +2"),
        ({"online": 10**6, "missed": 10**9}, 10, " ok | … |…"),
    ],
)
def test_the_status_bar(changes: dict[str, Any], columns: int, shown: str) -> None:
    """It says how things stand in one row, with short words on a narrow screen; a long name gives way first."""
    assert status_bar(status(**changes), columns) == shown
    assert columns_of(shown) <= columns


def test_pending_messages_are_shown_in_short() -> None:
    """The oldest few in a row each, harmless and cut to the width; the others are counted."""
    pending = [Pm(message="one\nline \x1b[2J"), Dm(to="bob", message="x" * 80), *[Pm(message="hi")] * 5]
    rows = "".join(text for _, text in pending_rows(status(pending=pending), 40)).splitlines()
    assert rows == [
        "(pending) you: one\u240aline \u241b[2J",
        f"(pending) you -> bob: {'x' * 16}…",
        "(pending) you: hi",
        "(pending) and 4 more",
    ]
    assert pending_rows(status(), 40) == []


def test_a_pending_action_looks_like_one() -> None:
    """In the room, and to one person."""
    pending = [Pm(message="waves", kind="action"), Dm(to="bob", message="waves", kind="action")]
    rows = [text for _, text in pending_rows(status(pending=pending), 40)]
    assert rows == ["(pending) * alice waves\n", "(pending) * alice -> bob: waves\n"]


def test_a_pending_message_says_where_it_goes() -> None:
    """To a person or a room; one to the main room does not."""
    pending = [Pm(message="a"), Pm(room="ops", message="b"), Dm(to="bob", message="c")]
    rows = "".join(text for _, text in pending_rows(status(pending=pending), 40)).splitlines()
    assert rows == ["(pending) you: a", "(pending) you -> #ops: b", "(pending) you -> bob: c"]
