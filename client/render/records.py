"""A message as one record for scripts: the object of the wire, or a text for people and for grep. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from client.render.formatting import moment_of
from client.text import body, one_line
from service.wire.protocol import BroadcastEvent, DirectEvent, StoredMessage

if TYPE_CHECKING:
    from service.wire.protocol import AnyEvent

Message = BroadcastEvent | DirectEvent | StoredMessage


def as_event(message: Message) -> BroadcastEvent | DirectEvent:
    """A message as it comes live."""
    if not isinstance(message, StoredMessage):
        return message
    if message.to is UNSET:
        return BroadcastEvent(message.id, message.time, message.from_, message.message)
    return DirectEvent(message.id, message.time, message.from_, message.to, message.message)


def as_json(event: AnyEvent) -> str:
    """The object of the wire in one line of ASCII without a control character."""
    return json.dumps(msgspec.to_builtins(event), separators=(",", ":")).replace("\x7f", r"\u007f")


def as_text(event: BroadcastEvent | DirectEvent) -> str:
    """A record for people and for grep: time (in this machine's zone), names, text; harmless for a terminal."""
    moment = moment_of(event.time)
    time = moment.strftime("%Y-%m-%d %H:%M") if moment else "--:--"
    to = f" -> {one_line(event.to)}" if isinstance(event, DirectEvent) else ""
    return f"{time} {one_line(event.from_)}{to}: {body(event.message)}"
