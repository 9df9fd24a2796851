"""What belongs to a feature of the server's hello: it is sent to no server that does not name it. Pure.

An older server would take a command without the part that it does not know: a text for a room would go to everyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from service.wire.protocol import (
    Bans,
    Create,
    Delete,
    Dm,
    Entry,
    History,
    Join,
    Leave,
    Logout,
    Members,
    Moderate,
    Pm,
    Rooms,
    Search,
    Seen,
    SetRoom,
    Since,
)

if TYPE_CHECKING:
    from collections.abc import Container

    from service.wire.protocol import AnyCommand

_Entry = TypeVar("_Entry", bound=Entry)
_OF_ROOMS: Final = (Rooms, Create, Join, Leave, Members, SetRoom, Moderate, Bans, Logout)
_MAY_NAME_ROOM: Final = (Pm, History, Search, Seen)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a session asks for at its login, where the server has it.

    `quiet`: it announces nobody. `rooms`: it is told of rooms. `presence`: of changes in place of whole lists of users.
    """

    quiet: bool = False
    rooms: bool = False
    presence: bool = False


def with_wishes(entry: _Entry, wishes: Wishes, features: Container[str]) -> _Entry:
    """The login with what the session asks for."""
    return replace(
        entry,
        quiet=wishes.quiet and "quiet" in features,
        rooms=wishes.rooms and "rooms" in features,
        presence="changes" if wishes.presence and "presence" in features else UNSET,
    )


def refusal(command: AnyCommand, features: Container[str]) -> tuple[str, str] | None:
    """The code and the text of the error if the server does not know what the command asks for; else None."""
    if isinstance(command, (Pm, Dm)) and command.kind and "kind" not in features:
        return "unknown_kind", "this server knows no /me. Write it as a message."
    if isinstance(command, Delete) and "delete" not in features:
        return "unknown_command", "this server cannot delete messages."
    if isinstance(command, Since) and "since" not in features:
        return "unknown_command", "this server cannot say what came since."
    return None if "rooms" in features else _refusal_of_rooms(command)


def _refusal_of_rooms(command: AnyCommand) -> tuple[str, str] | None:
    if isinstance(command, _MAY_NAME_ROOM) and command.room is not UNSET:
        return "unknown_room", "this server has no rooms."
    if isinstance(command, _OF_ROOMS) or (isinstance(command, Seen) and command.with_ is not UNSET):
        return "unknown_command", "this server has no rooms."
    return None
