"""Events as a server sends them, and a model that takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from client.chat.model import Model
from service.wire.protocol import BroadcastEvent, DirectEvent, Login, LoginOkReply, RoomInfo, StoredMessage

if TYPE_CHECKING:
    from client.text import Line

TIME = "2026-11-21T09:30:00.123Z"


def login_ok(**changes: Any) -> LoginOkReply:
    fields = {"users": ["alice", "bob"], "missed": 0, "unread": 0, "last_id": 10, "token": "", "time": TIME, **changes}
    return LoginOkReply(username="alice", **fields)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def public(
    message_id: int = 11, text: str = "hi", sender: str = "bob", time: str = TIME, room: str | None = None
) -> BroadcastEvent:
    return BroadcastEvent(id=message_id, time=time, from_=sender, message=text, room=room or UNSET)


def direct(message_id: int = 11, text: str = "hi", sender: str = "bob", to: str = "alice") -> DirectEvent:
    return DirectEvent(id=message_id, time=TIME, from_=sender, to=to, message=text)


def stored(
    message_id: int, text: str = "hi", sender: str = "bob", to: str | None = None, room: str | None = None
) -> StoredMessage:
    return StoredMessage(id=message_id, time=TIME, from_=sender, to=to or UNSET, room=room or UNSET, message=text)


def room_info(room: str = "ops", **changes: Any) -> RoomInfo:
    fields = {"topic": "", "private": False, "members": 2, "role": "member", "unread": 0, "read_id": 10, **changes}
    return RoomInfo(room=room, created=TIME, **fields)


def model_after_login(*rooms: str, **changes: Any) -> Model:
    """The model of alice, just logged in; with rooms, where she is in those."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC)
    if rooms:
        changes.setdefault("rooms", [room_info(room) for room in rooms])
    model.receive(login_ok(**changes), Login(username="alice"))
    return model
