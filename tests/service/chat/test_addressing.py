"""service/chat/addressing.py: whom and which room a command means, over a real connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.helpers import Line
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


@pytest.mark.parametrize(
    "command",
    [
        {"command": "pm", "message": "hi"},
        {"command": "history"},
        {"command": "search", "query": "hi"},
        {"command": "seen", "id": 1},
        {"command": "members"},
        {"command": "set_room", "topic": "x"},
    ],
    ids=lambda command: str(command["command"]),
)
def test_the_main_room_may_be_named_and_is_not_named_back(wires: Wires, command: Line) -> None:
    """In any case; nothing that is said of it bears `room`."""
    alice = wires.enter("alice", rooms=True)
    reply = alice.ask(**command, room="ALL")
    assert reply.get("code") in (None, "not_allowed")
    assert "room" not in reply


@pytest.mark.parametrize("room", ["no such room", "", "a:b", "x" * 65, "ops"])
def test_what_is_no_room_is_never_the_main_room(wires: Wires, room: str) -> None:
    """A name without a room, and what can be no name, are unknown; an empty one is a wrong field."""
    alice = wires.enter("alice")
    fields = {"message": "hi", "query": "hi", "id": 1, "topic": "x", "username": "alice", "action": "mute"}
    for command in ("pm", "history", "search", "seen", "join", "leave", "members", "set_room", "moderate", "bans"):
        assert alice.ask(command, **fields, room=room)["code"] == ("unknown_room" if room else "bad_request")
    assert alice.ask("history")["messages"] == []


def test_a_room_and_a_user_may_have_the_same_name(wires: Wires) -> None:
    """Each is meant by its own field."""
    alice = wires.enter("alice", rooms=True)
    assert alice.ask("create", room="Alice")["room"] == "alice"
    alice.ask("pm", room="alice", message="to the room")
    alice.ask("dm", to="alice", message="to myself")
    assert [row["message"] for row in alice.ask("history", room="alice")["messages"]] == ["to the room"]
    assert [row["message"] for row in alice.ask("history", **{"with": "alice"})["messages"]] == ["to myself"]
