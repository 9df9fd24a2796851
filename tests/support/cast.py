"""Rooms for tests, made by the storage and not by their clients: quick, and told to nobody. Holds no test."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from service.storage.records import RoomLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.contract import Storage
    from service.storage.records import Action, Role
    from tests.support.helpers import Line, Wire

UNLIMITED: Final = RoomLimits(members=10**6, rooms=10**6, per_account=10**6, invitations=10**6)
_numbers: Final = count(1)


def account(storage: Storage, name: str) -> int:
    """Returns the id of the account of that name; makes it, without a password, if there is none."""
    user = storage.find_user(name)
    return storage.result(storage.add_user(name, name, "no hash", "")) if user is None else user.id


def act(
    storage: Storage, room: str | None, name: str, action: Action, role: Role | None = None, until: str | None = None
) -> None:
    """The operator does that to somebody; None is the main room."""
    storage.result(storage.moderate(None, room, name, action, role=role, until=until, reason=None, limits=UNLIMITED))


def make_room(storage: Storage, *, private: bool = False, people: Mapping[str, str] | None = None) -> str:
    """Makes a room of a founder, with these people in these roles; returns its name, which is new.

    A role is one of a room's, or invited.
    """
    room = f"room{next(_numbers)}"
    founder = account(storage, "founder")
    storage.result(storage.create_room(founder, room, room, "", private=private, least="member", limits=UNLIMITED))
    for name, role in (people or {}).items():
        user_id = account(storage, name)
        if private or role == "invited":
            act(storage, room, name, "invite")
        if role != "invited":
            storage.result(storage.join_room(user_id, room, limits=UNLIMITED))
        if role in {"moderator", "owner"}:
            act(storage, room, name, "role", role=role)  # type: ignore[arg-type]
    return room


def told(wire: Wire) -> list[Line]:
    """Returns what this client was sent so far, without users lists, presence and times."""
    lines = [line for line in wire.read_until_pong() if line["type"] != "presence"]
    return [{key: value for key, value in line.items() if key not in ("time", "created")} for line in lines]
