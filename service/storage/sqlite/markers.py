"""Statements that move read markers in rooms, and see single talks. None begins or ends a transaction.

How many messages are unread is never walked: a room numbers its messages, and a member's row has the number at the
marker, and how many of the later ones are the member's own. unread.py has the main room's counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import MAX_ID
from service.storage.sqlite import messages, users
from service.storage.statements import ids, rooms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

# How many of their own messages members have after their markers, where there are any.
OWN_UNREAD: Final = """
    SELECT m.room_id, m.sender_id AS user_id, count(*) AS number FROM message AS m INDEXED BY message_room
    CROSS JOIN member AS b ON b.room_id = m.room_id AND b.user_id = m.sender_id AND m.id > b.read_id
    WHERE m.room_id IS NOT NULL GROUP BY m.room_id, m.sender_id
"""


def see_room_up_to(connection: sqlite3.Connection, user_id: int, room: str | None, message_id: int) -> int:
    message_id = min(message_id, ids.newest_given(connection))
    if room is None:
        return message_id if users.move_read_markers(connection, [user_id], message_id) else 0
    room_id = rooms.membership(connection, user_id, room).room.id
    key = {"room": room_id, "user": user_id}
    read_id, read, own, newest = connection.execute(
        "SELECT m.read_id, m.read_position, m.own_unread, r.messages "
        "FROM member AS m JOIN room AS r ON r.id = m.room_id WHERE m.room_id = :room AND m.user_id = :user",
        key,
    ).fetchone()
    if message_id <= read_id:
        return 0
    found = connection.execute(
        "SELECT position FROM message INDEXED BY message_room WHERE room_id = ? AND id <= ? ORDER BY id DESC LIMIT 1",
        (room_id, message_id),
    ).fetchone()
    position = read if found is None else max(read, found[0])  # the newest before it may have been removed
    if position == newest:
        own = 0
    elif own and position - read <= newest - position:
        own -= _count_own(connection, key | {"after": read_id, "up_to": message_id})
    elif own:
        own = _count_own(connection, key | {"after": message_id, "up_to": MAX_ID})
    connection.execute(
        "UPDATE member SET read_id = :id, read_position = :position, own_unread = :own "
        "WHERE room_id = :room AND user_id = :user",
        key | {"id": message_id, "position": position, "own": own},
    )
    return message_id


def _count_own(connection: sqlite3.Connection, values: dict[str, int]) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM message INDEXED BY message_room "
        "WHERE room_id = :room AND id > :after AND id <= :up_to AND sender_id = :user",
        values,
    ).fetchone()
    return int(count)


def see_talk_up_to(connection: sqlite3.Connection, user_id: int, other_id: int, message_id: int, now: str) -> int:
    message_id = min(message_id, ids.newest_given(connection))
    return message_id if messages.mark_seen_up_to(connection, user_id, message_id, now, from_id=other_id) else 0


def pass_over(connection: sqlite3.Connection, removed: Sequence[tuple[int, int, int]]) -> None:
    """Has no marker count messages that are about to be removed, given by room, sender and id.

    They are the oldest of their rooms. To a marker before them they are as good as read.
    """
    newest = {room_id: message_id for room_id, _, message_id in removed}
    connection.executemany(
        "UPDATE member SET own_unread = own_unread - 1 WHERE room_id = ? AND user_id = ? AND read_id < ?", removed
    )
    connection.executemany(
        "UPDATE member SET read_position = max(read_position, (SELECT position FROM message WHERE id = :id)) "
        "WHERE room_id = :room AND read_id < :id",
        [{"room": room_id, "id": message_id} for room_id, message_id in newest.items()],
    )


def count_anew(connection: sqlite3.Connection) -> None:
    """Makes all that is noted of rooms from their messages and members: numbers, counts, markers."""
    connection.execute("""
        UPDATE message SET position = m.position FROM (
            SELECT id, row_number() OVER (PARTITION BY room_id ORDER BY id) AS position
            FROM message INDEXED BY message_room WHERE room_id IS NOT NULL
        ) AS m WHERE m.id = message.id AND message.position IS NOT m.position
    """)
    of_room = "FROM message INDEXED BY message_room WHERE room_id = room.id"
    connection.execute(f"""
        UPDATE room SET members = (SELECT count(*) FROM member WHERE room_id = room.id),
            messages = (SELECT count(*) {of_room}),
            last_id = (SELECT coalesce(max(id), 0) {of_room})
    """)  # noqa: S608
    connection.execute("""
        UPDATE member SET own_unread = 0, read_position = coalesce((
            SELECT position FROM message INDEXED BY message_room
            WHERE room_id = member.room_id AND id <= member.read_id ORDER BY id DESC LIMIT 1
        ), 0)
    """)
    connection.execute(f"""
        UPDATE member SET own_unread = own.number FROM ({OWN_UNREAD}) AS own
        WHERE own.room_id = member.room_id AND own.user_id = member.user_id
    """)  # noqa: S608
