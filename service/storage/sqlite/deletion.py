"""Statements that delete a message. None begins or ends a transaction.

The row stays, without its text: its id, its nonce and its place among the unread stay with it. erasure.py has what
removes the text from the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.sqlite import erasure, fulltext, messages
from service.storage.statements import deletion, moments

if TYPE_CHECKING:
    import sqlite3

    from service.storage.records import Deleted


def delete(connection: sqlite3.Connection, actor_id: int | None, message_id: int, reason: str | None) -> Deleted:
    """As `AccountStorage.delete_message`."""
    found = deletion.judge(connection, actor_id, message_id)
    if found.deleted_at is not None:
        return found.as_deleted(found.deleted_at)
    fulltext.remove(connection, [found.searched], keep_place=True)
    now = moments.take(connection)
    connection.execute(
        "UPDATE message SET body = '', kind = NULL, deleted_at = :now, "
        "seen_at = CASE WHEN recipient_id IS NULL THEN NULL ELSE coalesce(seen_at, :now) END WHERE id = :id",
        {"now": now, "id": message_id},
    )
    if found.recipient_id is not None:
        messages.note_direct(connection, found.recipient_id, message_id)
    deletion.note(connection, actor_id, found, now, reason)
    erasure.demand(connection, message_id, message_id)
    return found.as_deleted(now)
