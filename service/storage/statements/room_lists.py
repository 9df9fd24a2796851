"""Statements that list rooms, members and bans as one user may see them. They change nothing.

room_contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from bisect import bisect_right
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from service.clock import format_time, utcnow
from service.storage.records import (
    BanPage,
    BanView,
    KeptRoom,
    MemberPage,
    MemberView,
    NotAllowed,
    RoomPage,
    RoomView,
)
from service.storage.statements import rooms
from service.storage.statements.connection import one_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.storage.records import Role, RoomRef
    from service.storage.statements.connection import Connection

# Unread messages are counted without looking at them: migration 0007 says how.
_VIEW: Final = """
    SELECT r.id, r.name, r.created_at, r.topic, r.private, r.members, r.last_id, m.role,
        CASE WHEN r.messages > m.read_position + m.own_unread THEN r.messages - m.read_position - m.own_unread
            ELSE 0 END,
        coalesce(m.read_id, 0),
        CASE WHEN m.muted_until > :now THEN m.muted_until END, i.user_id IS NOT NULL
    FROM {}
"""
_OF_USER: Final = """
    LEFT JOIN member AS m ON m.room_id = r.id AND m.user_id = :user
    LEFT JOIN invitation AS i ON i.room_id = r.id AND i.user_id = :user
"""
_OWN: Final = _VIEW.format("member AS m CROSS JOIN room AS r ON r.id = m.room_id").replace("i.user_id IS NOT NULL", "0")
_INVITED: Final = """
    SELECT r.id, r.name, r.created_at, r.topic, r.private, r.members, r.last_id, NULL, 0, 0, NULL, 1
    FROM invitation AS i CROSS JOIN room AS r ON r.id = i.room_id
"""


def own_rooms(connection: Connection, user_id: int, now: str) -> list[RoomView]:
    """Returns the user's rooms, and those that the user is invited to, by name."""
    values = {"user": user_id, "now": now}
    own = connection.execute(f"{_OWN} WHERE m.user_id = :user", values).fetchall()
    own += connection.execute(f"{_INVITED} WHERE i.user_id = :user", values).fetchall()
    return sorted(map(_to_view, own), key=attrgetter("name"))


def view_of(connection: Connection, room_id: int, user_id: int, now: str) -> RoomView:
    """Returns a room, which there is, as the user sees it."""
    row = connection.execute(
        f"{_VIEW.format('room AS r')} {_OF_USER} WHERE r.id = :room", {"user": user_id, "now": now, "room": room_id}
    ).fetchone()
    return _to_view(row)


def rooms_page(connection: Connection, user_id: int, after: str, limit: int) -> RoomPage:
    rows = connection.execute(
        f"{_VIEW.format('room AS r INDEXED BY room_name')} {_OF_USER} "
        "WHERE r.gone_at IS NULL AND r.name > :after AND (NOT r.private OR coalesce(m.user_id, i.user_id) IS NOT NULL) "
        "ORDER BY r.name LIMIT :limit",
        {"user": user_id, "now": format_time(utcnow()), "after": after, "limit": limit + 1},
    ).fetchall()
    return RoomPage([_to_view(row) for row in rows[:limit]], more=len(rows) > limit)


def _to_view(row: Sequence[Any]) -> RoomView:
    room_id, name, created, topic, private, members, last_id, role, unread, read_id, muted_until, invited = row
    return RoomView(
        room_id,
        name,
        created,
        topic,
        bool(private),
        members,
        last_id,
        role,
        unread,
        read_id,
        muted_until,
        bool(invited),
    )


def members_page(
    connection: Connection, user_id: int, room: str | None, after: str, limit: int, online: Sequence[str]
) -> MemberPage:
    with one_state(connection):  # or it could tell who came after the asker's membership has ended
        ref, rank = _find_rank(connection, user_id, room, "member")
        if ref is not None:
            members = _members(connection, ref.id, after, limit + 1)
        elif rank == "member":
            members = _present(connection, after, limit + 1, online)
        else:
            members = _accounts(connection, after, limit + 1)
    return MemberPage(rank, members[:limit], more=len(members) > limit)


def _find_rank(connection: Connection, user_id: int, room: str | None, least: Role) -> tuple[RoomRef | None, Role]:
    """Returns the room and the user's rank there. Raises UnknownRoom, NotAMember, NotAllowed."""
    if room is not None:
        standing = rooms.known_standing(connection, user_id, room)
        standing.check_rank(least)
        return standing.room, standing.rank
    (role,) = connection.execute("SELECT role FROM user WHERE id = ?", (user_id,)).fetchone()
    if rooms.outranks(least, role):
        raise NotAllowed
    return None, role


def _members(connection: Connection, room_id: int, after: str, limit: int) -> list[MemberView]:
    # Names can change, so no index has a room's members by name: a room has some thousands at most, read in 5 ms.
    rows = connection.execute(
        "SELECT u.id, u.name, m.role, m.muted_until FROM member AS m CROSS JOIN user AS u ON u.id = m.user_id "
        "WHERE m.room_id = ? AND u.name > ? ORDER BY u.name LIMIT ?",
        (room_id, after, limit),
    ).fetchall()
    return [MemberView(*row) for row in rows]


_PERSON: Final = "SELECT id, name, role, muted_until FROM user"


def _accounts(connection: Connection, after: str, limit: int) -> list[MemberView]:
    rows = connection.execute(
        f"{_PERSON} WHERE name > ? AND password_hash <> '' ORDER BY name LIMIT ?", (after, limit)
    ).fetchall()
    return [MemberView(*row) for row in rows]


def _present(connection: Connection, after: str, limit: int, online: Sequence[str]) -> list[MemberView]:
    """Returns who of the main room is online or has a role, without walking all accounts."""
    ranked = connection.execute(
        f"{_PERSON} INDEXED BY user_rank WHERE role <> 'member' AND name > ? ORDER BY name LIMIT ?", (after, limit)
    ).fetchall()
    names = sorted(online)
    begin = bisect_right(names, after)
    found: list[Sequence[Any]] = []
    for name in names[begin : begin + limit]:
        found += connection.execute(f"{_PERSON} WHERE name = ? AND role = 'member'", (name,)).fetchall()
    both: Iterable[MemberView] = merge(
        (MemberView(*row) for row in ranked), (MemberView(*row) for row in found), key=attrgetter("name")
    )
    return list(islice(both, limit))


def bans_page(connection: Connection, user_id: int, room: str | None, after: str, limit: int) -> BanPage:
    with one_state(connection):
        ref, _ = _find_rank(connection, user_id, room, "moderator")
        # The names are sorted without the reasons: of 10,000 bans in 2 ms, not in 10.
        rows = connection.execute(
            "SELECT named.whom, a.name, b.reason, b.time, b.until FROM ("
            "SELECT b.id, coalesce(u.name, b.name) AS whom FROM ban AS b INDEXED BY ban_in_room "
            "LEFT JOIN user AS u ON u.id = b.user_id "
            "WHERE coalesce(b.room_id, 0) = ? AND b.until > ? AND coalesce(u.name, b.name) > ? ORDER BY whom LIMIT ?"
            ") AS named CROSS JOIN ban AS b ON b.id = named.id LEFT JOIN user AS a ON a.id = b.by_id "
            "ORDER BY named.whom",
            (0 if ref is None else ref.id, format_time(utcnow()), after, limit + 1),
        ).fetchall()
    return BanPage([BanView(*row) for row in rows[:limit]], more=len(rows) > limit)


def all_rooms(connection: Connection, after: tuple[str, str], limit: int, *, gone: bool) -> list[KeptRoom]:
    rows = connection.execute(
        "SELECT name, created_at, topic, private, members, messages, gone_at FROM room INDEXED BY room_names "
        "WHERE (name, created_at) > (?, ?) AND (gone_at IS NULL OR ?) ORDER BY name, created_at LIMIT ?",
        (*after, gone, limit),
    ).fetchall()
    return [KeptRoom(*row)._replace(private=bool(row[3])) for row in rows]
