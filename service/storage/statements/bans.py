"""Statements about bans: of an account, or of a name that nobody has. None begins or ends a transaction.

Room 0 is the main one. A ban that has ended has no effect, and goes when another one is made in that room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.clock import format_time, utcnow
from service.storage.records import Banned

if TYPE_CHECKING:
    from service.storage.statements.connection import Connection


class Ban(NamedTuple):
    """Until when somebody is banned, and why."""

    until: str
    reason: str | None


def check(connection: Connection, room_id: int, user_id: int, now: str, name: str = "") -> None:
    """Raises Banned, with that name, if the user is banned from the room."""
    ban = find(connection, room_id, user_id)
    if ban is not None and ban.until > now:
        raise Banned(ban.until, name)


def check_main(connection: Connection, user_id: int) -> None:
    """Raises Banned if the user is banned from the main room: commands can be under way while the sessions end."""
    check(connection, 0, user_id, format_time(utcnow()))


def find(connection: Connection, room_id: int, whom: int | str) -> Ban | None:
    """Returns the ban of an account, by its id, or of a name, also one that has ended."""
    row = connection.execute(
        f"SELECT until, reason FROM ban WHERE {_column(whom)} = ? AND coalesce(room_id, 0) = ?",  # noqa: S608
        (whom, room_id),
    ).fetchone()
    return None if row is None else Ban(*row)


def put(connection: Connection, room_id: int, whom: int | str, ban: Ban, by_id: int | None, now: str) -> None:
    """Stores a ban, in place of an earlier one; those that have ended go."""
    delete(connection, room_id, whom)
    connection.execute("DELETE FROM ban WHERE coalesce(room_id, 0) = ? AND until <= ?", (room_id, now))
    connection.execute(
        f"INSERT INTO ban (room_id, {_column(whom)}, by_id, reason, time, until) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
        (room_id or None, whom, by_id, ban.reason, now, ban.until),
    )


def count(connection: Connection, room_id: int, now: str) -> int:
    """Returns how many bans from a room hold."""
    (found,) = connection.execute(
        "SELECT count(*) FROM ban WHERE coalesce(room_id, 0) = ? AND until > ?", (room_id, now)
    ).fetchone()
    return int(found)


def delete(connection: Connection, room_id: int, whom: int | str) -> None:
    connection.execute(
        f"DELETE FROM ban WHERE {_column(whom)} = ? AND coalesce(room_id, 0) = ?",  # noqa: S608
        (whom, room_id),
    )


def _column(whom: int | str) -> str:
    return "user_id" if isinstance(whom, int) else "name"


# -- a name that was nobody's ------------------------------------------------------------------------------------------
def check_name(connection: Connection, name: str) -> None:
    """Raises Banned if the name, which nobody has, is banned from the main room."""
    ban = find(connection, 0, name)
    if ban is not None and ban.until > format_time(utcnow()):
        raise Banned(ban.until, name)


def take_over(connection: Connection, user_id: int, name: str) -> None:
    """Makes the bans of a name those of the account that has it from now on; where it is a member it stays one."""
    values = {"user": user_id, "name": name}
    connection.execute(
        "DELETE FROM ban WHERE name = :name AND (room_id IN (SELECT room_id FROM member WHERE user_id = :user) "
        "OR coalesce(room_id, 0) IN (SELECT coalesce(room_id, 0) FROM ban WHERE user_id = :user))",
        values,
    )
    changed = connection.execute("UPDATE ban SET user_id = :user, name = NULL WHERE name = :name", values).rowcount
    if changed:
        connection.execute(
            "DELETE FROM invitation WHERE user_id = :user "
            "AND room_id IN (SELECT room_id FROM ban WHERE user_id = :user)",
            values,
        )
