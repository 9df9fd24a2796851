"""Statements about rooms: what a user is in one, and so may do there. None begins or ends a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from service.storage.records import NotAMember, Role, RoomRef, UnknownRoom

if TYPE_CHECKING:
    import sqlite3

_RANKS: Final = get_args(Role)

# One statement for every name, so that what runs does not tell a private room from one that does not exist.
_STANDING: Final = """
    SELECT r.id, r.name, r.created_at, r.private, m.role, m.muted_until, i.user_id IS NOT NULL, u.role
    FROM user AS u
    LEFT JOIN room AS r ON r.name = :room AND r.gone_at IS NULL
    LEFT JOIN member AS m ON m.room_id = r.id AND m.user_id = u.id
    LEFT JOIN invitation AS i ON i.room_id = r.id AND i.user_id = u.id
    WHERE u.id = :user
"""


class Standing(NamedTuple):
    """What a user is in a room that the user may know of."""

    room: RoomRef
    role: Role | None  # there; None: no member
    muted_until: str | None
    is_invited: bool
    main_role: Role

    @property
    def rank(self) -> Role:
        """By which the user may act: in a public room also that in the main room, member or not."""
        if self.room.private:
            return self.role or "member"
        return higher(self.role or "member", self.main_role)


def higher(one: Role, other: Role) -> Role:
    return max(one, other, key=_RANKS.index)


def outranks(one: Role, other: Role) -> bool:
    return _RANKS.index(one) > _RANKS.index(other)


def find_standing(connection: sqlite3.Connection, user_id: int, room: str) -> Standing | None:
    """Returns what the user is in the room of that name; None if there is none that the user may know of."""
    row = connection.execute(_STANDING, {"user": user_id, "room": room}).fetchone()
    if row is None:
        return None
    room_id, name, created, private, role, muted_until, invited, main_role = row
    if room_id is None or (private and role is None and not invited):
        return None
    return Standing(RoomRef(room_id, name, created, bool(private)), role, muted_until, bool(invited), main_role)


def known_standing(connection: sqlite3.Connection, user_id: int, room: str) -> Standing:
    """As `find_standing`; raises UnknownRoom."""
    standing = find_standing(connection, user_id, room)
    if standing is None:
        raise UnknownRoom(room)
    return standing


def membership(connection: sqlite3.Connection, user_id: int, room: str) -> Standing:
    """As `known_standing`; raises NotAMember, too."""
    standing = known_standing(connection, user_id, room)
    if standing.role is None:
        raise NotAMember
    return standing
