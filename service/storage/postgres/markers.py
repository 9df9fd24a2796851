"""Statements that move read markers in rooms, and see single talks. None begins or ends a transaction.

How many messages are unread is never walked: a room numbers its messages, and a member's row has the number at the
marker, and how many of the later ones are the member's own. Where a marker moves, the own ones are counted that it
passes. The main room's are in messages.py and in the function chat_read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.postgres import messages
from service.storage.statements import rooms

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection

# The newest message before the marker may have been removed: then the old place holds.
_MOVE: Final = """
    UPDATE member AS b SET read_id = %(id)s, read_position = greatest(b.read_position, coalesce((
            SELECT position FROM message WHERE room_id = %(room)s AND id <= %(id)s ORDER BY id DESC LIMIT 1
        ), 0)), own_unread = CASE WHEN b.own_unread > 0 THEN b.own_unread - (
            SELECT count(*) FROM message WHERE sender_id = %(user)s AND recipient_id IS NULL AND room_id = %(room)s
                AND id > b.read_id AND id <= %(id)s
        ) ELSE 0 END
    WHERE b.room_id = %(room)s AND b.user_id = %(user)s AND b.read_id < %(id)s
"""


def see_room_up_to(connection: Connection, user_id: int, room: str | None, message_id: int) -> int:
    message_id = min(message_id, messages.newest_given(connection))
    if room is None:
        return message_id if messages.move_read_markers(connection, [user_id], message_id) else 0
    room_id = rooms.membership(connection, user_id, room).room.id
    moved = connection.run(_MOVE, {"room": room_id, "user": user_id, "id": message_id}).rowcount
    return message_id if moved else 0


def see_talk_up_to(connection: Connection, user_id: int, other_id: int, message_id: int, now: str) -> int:
    message_id = min(message_id, messages.newest_given(connection))
    return message_id if messages.mark_seen_up_to(connection, user_id, message_id, now, from_id=other_id) else 0
