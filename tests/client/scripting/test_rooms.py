"""client/scripting/rooms.py: which rooms a script is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec import UNSET

from client.scripting.rooms import ScriptRooms
from service.wire.protocol import (
    AnyEvent,
    BroadcastEvent,
    DirectEvent,
    HelloEvent,
    LoginOkReply,
    MemberEvent,
    RoomReply,
    StoredMessage,
)
from tests.support.fake_server import HELLO, TIME, login_ok

if TYPE_CHECKING:
    from client.render.records import Message

WITH_ROOMS = msgspec.convert({**HELLO, "features": ["rooms"], "main_room": "all"}, HelloEvent)


def login(*rooms: str) -> LoginOkReply:
    """Of a member of these rooms, who is invited to another one."""
    info = {"created": TIME, "topic": "", "private": False, "members": 1}
    mine = [{**info, "room": room, "role": "member"} for room in rooms]
    return msgspec.convert(login_ok(rooms=[*mine, {**info, "room": "new", "invited": True}]), LoginOkReply)


def met(*typed: str) -> ScriptRooms:
    rooms = ScriptRooms(typed)
    rooms.meet(login("ops", "lab"), WITH_ROOMS)
    return rooms


@pytest.mark.parametrize(
    ("typed", "names", "first", "unknown"),
    [
        ((), [UNSET], (UNSET, ""), []),
        (("ops",), ["ops"], ("ops", TIME), []),
        (("OPS", "\uff2c\uff41\uff42"), ["ops", "lab"], ("ops", TIME), []),
        (("ops", "ops"), ["ops"], ("ops", TIME), []),
        (("ALL", "ops"), ["all", "ops"], ("all", ""), []),
        (("new", "ops"), ["new", "ops"], ("new", ""), ["new"]),
    ],
)
def test_the_names_are_as_the_server_spells_them(
    typed: tuple[str, ...], names: list[object], first: tuple[object, str], unknown: list[str]
) -> None:
    """Those that the user is in, and the main room; of others the server has to say what they are."""
    rooms = met(*typed)
    assert (rooms.names(), rooms.first(), rooms.unknown()) == (names, first, unknown)


@pytest.mark.parametrize(
    ("typed", "had"),
    [((), {"main", "ops", "direct"}), (("ops",), {"ops"}), (("all",), {"main"}), (("lab", "all"), {"main"})],
)
def test_only_messages_of_these_rooms_count(typed: tuple[str, ...], had: set[str]) -> None:
    """Live ones and stored ones alike. Without a name nothing is left out."""
    messages: dict[str, tuple[Message, Message]] = {
        "main": (BroadcastEvent(1, TIME, "bob", "x"), StoredMessage(id=1, time=TIME, from_="bob", message="x")),
        "ops": (
            BroadcastEvent(1, TIME, "bob", "x", room="ops"),
            StoredMessage(id=1, time=TIME, from_="bob", message="x", room="ops"),
        ),
        "direct": (
            DirectEvent(1, TIME, "bob", "alice", "x"),
            StoredMessage(id=1, time=TIME, from_="bob", message="x", to="alice"),
        ),
    }
    rooms = met(*typed)
    for name, both in messages.items():
        assert [rooms.have(message) for message in both] == [name in had] * 2


@pytest.mark.parametrize(
    ("event", "is_lost"),
    [
        (MemberEvent(room="ops", username="alice", action="kick", time=TIME), True),
        (MemberEvent(room="ops", username="alice", action="ban", time=TIME), True),
        (MemberEvent(room="ops", username="alice", action="leave", time=TIME), True),
        (MemberEvent(room="ops", username="alice", action="mute", time=TIME), False),
        (MemberEvent(room="ops", username="bob", action="kick", time=TIME), False),
        (MemberEvent(room="lab", username="alice", action="kick", time=TIME), False),
        (MemberEvent(username="alice", action="kick", time=TIME), False),
        (RoomReply(room="ops", created=TIME, gone=True), True),
        (RoomReply(room="ops", created="another", gone=True), False),
        (RoomReply(room="ops", created=TIME, topic="x"), False),
    ],
)
def test_a_room_can_be_lost(event: AnyEvent, is_lost: bool) -> None:
    """By an act on the user, or with the room itself."""
    assert met("ops").lost(event, "alice") == (["ops"] if is_lost else [])


def test_a_room_can_be_lost_meanwhile() -> None:
    """The next login says which; nobody loses the main room."""
    rooms = met("ops", "lab", "all")
    assert rooms.lost_meanwhile(login("ops")) == ["lab"]
    rooms.forget("lab")
    assert rooms.names() == ["ops", "all"]


def test_what_is_meant_for_a_room_that_is_lost_goes_nowhere_else() -> None:
    """Never to the main room."""
    rooms = met("ops")
    rooms.forget("ops")
    assert (rooms.names(), rooms.first()) == ([], ("ops", TIME))


def test_what_the_server_calls_a_room() -> None:
    """Where it names none, it is the main room."""
    rooms = met("allzusammen", "ops")
    rooms.forget("allzusammen")
    rooms.know(UNSET, login("ops"))
    assert rooms.names() == ["ops", "all"]
