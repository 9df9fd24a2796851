"""Shared parts of the storage's tests of rooms: one with members of each role, and acts in it. Holds no test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.storage.records import RoomLimits
from tests.support.storage import NOW, add, run

if TYPE_CHECKING:
    from service.storage.contract import Storage
    from service.storage.records import Action, Role, RoomChange
    from service.storage.sqlite.engine import SqliteStorage

LIMITS: Final = RoomLimits(members=99, rooms=99, per_account=99, invitations=99)
SOON: Final = "2026-11-21T09:40:00.000Z"


def make_ops(storage: SqliteStorage, *, private: bool = False, **roles: Role) -> dict[str, int]:
    """Makes accounts that are in the room "ops" with these roles, the first longest, and zoe, a stranger; by hand.

    It is the first room, and so has the id 1.
    """
    ids = {name: add(storage, name) for name in (*roles, "zoe")}
    room = "INSERT INTO room (name, look, topic, private, created_at, members) VALUES ('ops', 'ops', '', ?, ?, ?)"
    run(storage, room, private, NOW, len(roles))
    member = "INSERT INTO member (room_id, user_id, role, joined_at, read_id, read_position) VALUES (1, ?, ?, ?, 0, 0)"
    for n, (name, role) in enumerate(roles.items()):
        run(storage, member, ids[name], role, f"2026-11-21T09:30:00.{n:03d}Z")
    return ids


def create(
    storage: Storage, user: int, name: str, *, topic: str = "", private: bool = False, **more: Any
) -> RoomChange:
    """Makes a room; its name is its look."""
    wishes = {"least": "member", "limits": LIMITS} | more
    return storage.result(storage.create_room(user, name, name, topic, private=private, **wishes))


def join(storage: Storage, user: int, name: str = "ops", limits: RoomLimits = LIMITS) -> RoomChange:
    return storage.result(storage.join_room(user, name, limits=limits))


def act(
    storage: Storage, actor: int | None, whom: str, action: Action, room: str | None = "ops", **more: Any
) -> RoomChange:
    """Moderates."""
    return storage.result(storage.moderate(actor, room, whom, action, **{"limits": LIMITS} | more))


def roles_of(storage: SqliteStorage) -> dict[str, str]:
    """Returns the members of the room "ops", with their roles."""
    members = (
        "SELECT u.name, m.role FROM member AS m JOIN user AS u ON u.id = m.user_id WHERE m.room_id = 1 ORDER BY u.id"
    )
    return dict(run(storage, members))
