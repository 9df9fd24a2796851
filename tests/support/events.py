"""Events as a server sends them, and a model that takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from client.chat.model import Model
from service.wire.protocol import BroadcastEvent, DirectEvent, Login, LoginOkReply, StoredMessage

if TYPE_CHECKING:
    from client.text import Line

TIME = "2026-11-21T09:30:00.123Z"


def login_ok(**changes: Any) -> LoginOkReply:
    fields = {"users": ["alice", "bob"], "missed": 0, "unread": 0, "last_id": 10, "token": "", "time": TIME, **changes}
    return LoginOkReply(username="alice", **fields)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def public(message_id: int = 11, text: str = "hi", sender: str = "bob", time: str = TIME) -> BroadcastEvent:
    return BroadcastEvent(id=message_id, time=time, from_=sender, message=text)


def direct(message_id: int = 11, text: str = "hi", sender: str = "bob", to: str = "alice") -> DirectEvent:
    return DirectEvent(id=message_id, time=TIME, from_=sender, to=to, message=text)


def stored(message_id: int, text: str = "hi", sender: str = "bob", to: str | None = None) -> StoredMessage:
    return StoredMessage(id=message_id, time=TIME, from_=sender, to=to or UNSET, message=text)


def model_after_login() -> Model:
    """The model of alice, just logged in."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC)
    model.receive(login_ok(), Login(username="alice"))
    return model
