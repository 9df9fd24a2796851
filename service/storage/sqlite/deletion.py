"""Statements that delete a message. None begins or ends a transaction.

The row stays, without its text: its id, its nonce and its place among the unread stay with it. erasure.py has what
removes the text from the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import Deleted, NotAllowed, Role, RoomRef, UnknownMessage
from service.storage.sqlite import erasure, fulltext, messages
from service.storage.statements import acts, moments
from service.storage.statements.rooms import higher, outranks

if TYPE_CHECKING:
    import sqlite3

# The message, and its sender's rank in the main room and in the room.
_MESSAGE: Final = """
    SELECT m.sender_id, m.recipient_id, m.room_id, m.body, m.deleted_at, s.role, b.role,
        r.name, r.created_at, r.private, r.gone_at
    FROM message AS m
    JOIN user AS s ON s.id = m.sender_id
    LEFT JOIN room AS r ON r.id = m.room_id
    LEFT JOIN member AS b ON b.room_id = m.room_id AND b.user_id = m.sender_id
    WHERE m.id = ?
"""


def delete(connection: sqlite3.Connection, actor_id: int | None, message_id: int, reason: str | None) -> Deleted:
    """As `AccountStorage.delete_message`. What the actor may do is judged here, in the order of the writes."""
    row = connection.execute(_MESSAGE, (message_id,)).fetchone()
    if row is None:
        raise UnknownMessage
    sender_id, recipient_id, room_id, body, deleted_at, main_role, room_role, name, created, private, gone_at = row
    room = None if room_id is None else RoomRef(room_id, name, created, bool(private))
    if actor_id is not None and actor_id != sender_id:
        if recipient_id is not None:
            raise NotAllowed("only its sender may delete it") if recipient_id == actor_id else UnknownMessage
        if gone_at is not None:
            raise UnknownMessage
        _check_rank(connection, actor_id, room, main_role, room_role or "member")
    readers = None if recipient_id is None else (sender_id, recipient_id)
    if deleted_at is not None:
        return Deleted(message_id, deleted_at, fresh=False, reader_ids=readers, room=room)
    fulltext.remove(connection, [(message_id, sender_id, recipient_id, room_id, body)], keep_place=True)
    now = moments.take(connection)
    connection.execute(
        "UPDATE message SET body = '', kind = NULL, deleted_at = :now, "
        "seen_at = CASE WHEN recipient_id IS NULL THEN NULL ELSE coalesce(seen_at, :now) END WHERE id = :id",
        {"now": now, "id": message_id},
    )
    if recipient_id is not None:
        messages.note_direct(connection, recipient_id, message_id)
    if actor_id != sender_id or reason is not None:
        about = (now, actor_id, "delete")
        acts.note(connection, *about, room_id=room_id, user_id=sender_id, message_id=message_id, reason=reason)
    erasure.demand(connection, message_id, message_id)
    return Deleted(message_id, now, fresh=True, reader_ids=readers, room=room)


def _check_rank(
    connection: sqlite3.Connection, actor_id: int, room: RoomRef | None, main_role: Role, room_role: Role
) -> None:
    """Refuses who does not outrank the sender, who has these roles in the main room and in the room.

    Raises NotAllowed where the actor may read the message, else UnknownMessage.
    """
    own_main, own_room = connection.execute(
        "SELECT u.role, m.role FROM user AS u LEFT JOIN member AS m ON m.room_id = :room AND m.user_id = u.id "
        "WHERE u.id = :actor",
        {"room": None if room is None else room.id, "actor": actor_id},
    ).fetchone()
    own: Role = own_room or "member"
    others = room_role
    if room is None or not room.private:  # in a private room the role there alone counts
        own, others = higher(own, own_main), higher(others, main_role)
    if not outranks(own, others):
        raise NotAllowed if room is None or own_room is not None else UnknownMessage
