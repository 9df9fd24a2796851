"""Where a message goes: to a name or to everyone, as it is typed and shown; and how long it may be. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.text import counted, one_line, shown_name
from service.wire.json_lines import encode
from service.wire.protocol import Dm, Pm

if TYPE_CHECKING:
    from service.wire.protocol import HelloEvent, Kind

EVERYONE: Final = "*"  # where a message for the main room goes; no name can be so
ROOM: Final = "#"  # before a room's name; no name begins so
ALL: Final = "all"  # what is typed for it where a name is due, in any case; @all is the person
_ID: Final = "0" * 28  # as long as the ref and the nonce that are added on the way


def target_of(name: str) -> str:
    """EVERYONE if the word means that, else the name itself, which may be typed with an @."""
    return EVERYONE if name.casefold() == ALL else name.removeprefix("@")


def shown_target(target: str) -> str:
    """A target as it is shown."""
    if target == EVERYONE:
        return ALL
    return one_line(target) if target.startswith(ROOM) else shown_name(target)


def is_person(target: str) -> bool:
    """Whether what goes there goes to one person: it is neither the main room nor another one."""
    return target != EVERYONE and not target.startswith(ROOM)


def compose(to: str, text: str, kind: Kind | UnsetType = UNSET) -> Pm | Dm:
    """A message to a name, to a room (ROOM and its name), or to EVERYONE."""
    if to.startswith(ROOM):
        return Pm(room=room_of(to), message=text, kind=kind)
    return Pm(message=text, kind=kind) if to == EVERYONE else Dm(to=to, message=text, kind=kind)


def room_of(target: str) -> str | UnsetType:
    """The name of the room that a target is; UNSET if it is none, or the main room."""
    return target.removeprefix(ROOM) if target.startswith(ROOM) else UNSET


def target_of_room(room: str | UnsetType) -> str:
    """The target that a room of the wire is: without a name it is the main room."""
    return EVERYONE if room is UNSET else ROOM + room


def target_of_message(message: Pm | Dm) -> str:
    """Where a message goes: a name, a room, or EVERYONE."""
    return (message.to or "") if isinstance(message, Dm) else target_of_room(message.room)


def excess(message: Pm | Dm, hello: HelloEvent) -> str:
    """By how much a message is longer than the server takes, in words; empty if it is not."""
    length = len(message.message or "")
    if length > hello.max_message:
        return f"Not sent: {counted(length - hello.max_message, 'character')} too long, of {hello.max_message:,}."
    size = len(encode(replace(message, ref=_ID, nonce=_ID))) - 1  # its LF does not count
    if size > hello.max_line:
        return f"Not sent: {counted(size - hello.max_line, 'byte')} too long, of {hello.max_line:,}."
    return ""
