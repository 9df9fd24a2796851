"""Statements that delete a message. None begins or ends a transaction.

The row stays, without its text: its id, its nonce and its place among the unread stay with it. erasure.py has what
removes the text from the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from service.clock import format_time, utcnow
from service.storage.records import Deleted, NotAllowed, Role, UnknownMessage
from service.storage.sqlite import erasure, fulltext, messages

if TYPE_CHECKING:
    import sqlite3

_RANKS: Final = get_args(Role)  # the higher one may delete


def delete(connection: sqlite3.Connection, actor_id: int | None, message_id: int, reason: str | None) -> Deleted:
    """As `AccountStorage.delete_message`. What the actor may do is judged here, in the order of the writes."""
    row = connection.execute(
        "SELECT m.id, m.sender_id, m.recipient_id, m.body, m.deleted_at, s.role "
        "FROM message AS m JOIN user AS s ON s.id = m.sender_id WHERE m.id = ?",
        (message_id,),
    ).fetchone()
    if row is None:
        raise UnknownMessage
    _, sender_id, recipient_id, body, deleted_at, role = row
    if actor_id is not None and actor_id != sender_id:
        _check_actor(connection, actor_id, recipient_id, role)
    readers = None if recipient_id is None else (sender_id, recipient_id)
    if deleted_at is not None:
        return Deleted(message_id, deleted_at, fresh=False, reader_ids=readers)
    fulltext.remove(connection, [(message_id, sender_id, recipient_id, body)], keep_place=True)
    now = _next_time(connection)
    connection.execute(
        "UPDATE message SET body = '', kind = NULL, deleted_at = :now, "
        "seen_at = CASE WHEN recipient_id IS NULL THEN NULL ELSE coalesce(seen_at, :now) END WHERE id = :id",
        {"now": now, "id": message_id},
    )
    if recipient_id is not None:
        messages.note_direct(connection, recipient_id, message_id)
    if actor_id != sender_id or reason is not None:
        connection.execute(
            "INSERT INTO moderation (time, actor_id, action, user_id, message_id, reason) "
            "VALUES (?, ?, 'delete', ?, ?, ?)",
            (now, actor_id, sender_id, message_id, reason),
        )
    erasure.demand(connection, message_id, message_id)
    return Deleted(message_id, now, fresh=True, reader_ids=readers)


def _check_actor(connection: sqlite3.Connection, actor_id: int, recipient_id: int | None, role: str) -> None:
    """Refuses who is not the sender, has no higher role than the sender's, and is no operator."""
    if recipient_id is not None:
        raise NotAllowed if recipient_id == actor_id else UnknownMessage
    (own,) = connection.execute("SELECT role FROM user WHERE id = ?", (actor_id,)).fetchone()
    if _RANKS.index(own) <= _RANKS.index(role):
        raise NotAllowed


def _next_time(connection: sqlite3.Connection) -> str:
    """Returns the time now, or that of the newest deletion, if the clock was set back since."""
    (newest,) = connection.execute(
        "SELECT max(deleted_at) FROM message INDEXED BY message_deleted WHERE deleted_at IS NOT NULL"
    ).fetchone()
    return max(format_time(utcnow()), newest or "")
