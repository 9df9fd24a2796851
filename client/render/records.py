"""A message as one record for scripts: the object of the wire, or a row for people and for grep. Pure."""

from __future__ import annotations

import json
from string import Formatter
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from client.render.formatting import moment_of
from client.text import body, one_line
from service.wire.protocol import BroadcastEvent, DirectEvent, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.wire.protocol import AnyEvent

LiveMessage = BroadcastEvent | DirectEvent
Message = LiveMessage | StoredMessage


def as_event(message: Message) -> LiveMessage:
    """A message as it comes live."""
    if not isinstance(message, StoredMessage):
        return message
    if message.to is UNSET:
        return BroadcastEvent(message.id, message.time, message.from_, message.message, message.kind, message.room)
    return DirectEvent(message.id, message.time, message.from_, message.to, message.message, kind=message.kind)


def as_json(event: AnyEvent) -> str:
    """The object of the wire in one line of ASCII without a control character."""
    return json.dumps(msgspec.to_builtins(event), separators=(",", ":")).replace("\x7f", r"\u007f")


def _time(event: LiveMessage) -> str:
    """Its time to the second in this machine's zone: 2026-11-21T10:30:00+01:00."""
    moment = moment_of(event.time)
    return moment.isoformat(timespec="seconds") if moment else "--:--"


def _minute(event: LiveMessage) -> str:
    moment = moment_of(event.time)
    return moment.strftime("%Y-%m-%d %H:%M") if moment else "--:--"


def _to(event: LiveMessage) -> str:
    return one_line(event.to) if isinstance(event, DirectEvent) else ""


def _room(event: LiveMessage) -> str:
    return one_line(event.room or "") if isinstance(event, BroadcastEvent) else ""


def _who(event: LiveMessage) -> str:
    return " -> ".join(filter(None, (one_line(event.from_), _to(event))))


def _kind(event: LiveMessage) -> str:
    """Of an unknown kind: text, as it is shown."""
    return event.kind if event.kind in ("action", "notice") else "text"


def _said(event: LiveMessage) -> str:
    """Who said it and what, as at a terminal; before it the room, with a # that no name has."""
    who, text = _who(event), body(event.message)
    where = f"#{room} " if (room := _room(event)) else ""
    match _kind(event):
        case "action":
            return f"{where}* {who}{': ' if _to(event) else ' '}{text}"
        case "notice":
            return f"{where}-{who}- {text}"
        case _:
            return f"{where}{who}: {text}"


# What a row may show of a message, by its name in --format. Each value is harmless for a terminal.
_FIELDS: Final[dict[str, Callable[[LiveMessage], str]]] = {
    "id": lambda event: str(event.id),
    "time": _time,
    "minute": _minute,
    "from": lambda event: one_line(event.from_),
    "to": _to,
    "room": _room,
    "who": _who,
    "kind": _kind,
    "text": lambda event: body(event.message),
    "said": _said,
}
FORMAT: Final = "{id} {time} {said}"  # a row, if the script wants no other
FIELDS: Final = ", ".join(f"{{{name}}}" for name in _FIELDS)  # for people


def row_of(form: str) -> Callable[[LiveMessage], str]:
    """Returns what makes a row of a message: `form` with the fields in braces replaced; {{ is a brace.

    Raises ValueError for anything else in braces: str.format would reach into the program itself.
    """
    parts: list[tuple[str, Callable[[LiveMessage], str] | None]] = []
    try:
        for text, name, spec, conversion in Formatter().parse(form):
            if spec or conversion:
                raise ValueError(f"{{{name}}} takes no : and no !")
            parts.append((text, None if name is None else _FIELDS[name]))
    except KeyError as error:
        raise ValueError(f"--format: there is no field {{{one_line(error.args[0])}}}; there are {FIELDS}") from None
    except ValueError as error:
        raise ValueError(f"--format: {error}; a brace of the text is written twice") from None
    if not any(make for _, make in parts):
        raise ValueError(f"--format needs a field: {FIELDS}")

    def row(event: LiveMessage) -> str:
        return "".join(text + (make(event) if make else "") for text, make in parts)

    return row
