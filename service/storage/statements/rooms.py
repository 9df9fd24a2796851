"""Statements about what a user is in a room, and so may do there. They change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from service.storage.records import NotAllowed, NotAMember, Role, RoomRef, UnknownRoom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.statements.connection import Connection

_RANKS: Final = get_args(Role)

# One statement for every name, so that what runs does not tell a private room from one that does not exist.
_STANDING: Final = """
    SELECT r.id, r.name, r.created_at, r.private, m.role, m.muted_until, i.user_id IS NOT NULL, u.role, u.name
    FROM user AS u
    LEFT JOIN room AS r ON r.name = :room AND r.gone_at IS NULL
    LEFT JOIN member AS m ON m.room_id = r.id AND m.user_id = u.id
    LEFT JOIN invitation AS i ON i.room_id = r.id AND i.user_id = u.id
    WHERE u.id = :user AND u.password_hash <> ''
"""


class Standing(NamedTuple):
    """What a user is in a room that the user may know of."""

    room: RoomRef
    role: Role | None  # there; None: no member
    muted_until: str | None
    is_invited: bool
    main_role: Role
    name: str  # the user's

    @property
    def rank(self) -> Role:
        return rank_in(self.room, self.role, self.main_role)

    def check_rank(self, least: Role) -> None:
        """Raises NotAllowed for a member who ranks lower, and NotAMember for anybody else."""
        if self.role is None and (self.rank == "member" or outranks(least, self.rank)):
            raise NotAMember
        if outranks(least, self.rank):
            raise NotAllowed


def rank_in(room: RoomRef | None, role: Role | None, main_role: Role) -> Role:
    """Returns by what a user may act: in a public room the higher of the two roles, member or not."""
    if room is not None and room.private:
        return role or "member"
    return higher(role or "member", main_role)


def higher(one: Role, other: Role) -> Role:
    return max(one, other, key=_RANKS.index)


def outranks(one: Role, other: Role) -> bool:
    return _RANKS.index(one) > _RANKS.index(other)


def find_standing(connection: Connection, user_id: int, room: str) -> Standing | None:
    """Returns what the user is in the room of that name; None if there is none that the user may know of."""
    row = connection.execute(_STANDING, {"user": user_id, "room": room}).fetchone()
    if row is None:
        return None
    room_id, name, created, private, role, muted_until, invited, main_role, user = row
    if room_id is None or (private and role is None and not invited):
        return None
    ref = to_ref((room_id, name, created, private))
    return Standing(ref, role, muted_until, bool(invited), main_role, user)


def known_standing(connection: Connection, user_id: int, room: str) -> Standing:
    """As `find_standing`; raises UnknownRoom."""
    standing = find_standing(connection, user_id, room)
    if standing is None:
        raise UnknownRoom(room)
    return standing


def find_room(connection: Connection, name: str) -> RoomRef | None:
    """Returns the room of that name that is not gone."""
    row = connection.execute(
        "SELECT id, name, created_at, private FROM room WHERE name = ? AND gone_at IS NULL", (name,)
    ).fetchone()
    return None if row is None else to_ref(row)


def to_ref(row: Sequence[Any]) -> RoomRef:
    """Makes it of the columns id, name, created_at and private."""
    room_id, name, created, private = row
    return RoomRef(room_id, name, created, bool(private))


def known_room(connection: Connection, name: str) -> RoomRef:
    """As `find_room`; raises UnknownRoom."""
    room = find_room(connection, name)
    if room is None:
        raise UnknownRoom(name)
    return room


def membership(connection: Connection, user_id: int, room: str) -> Standing:
    """As `known_standing`; raises NotAMember, too."""
    standing = known_standing(connection, user_id, room)
    if standing.role is None:
        raise NotAMember
    return standing
