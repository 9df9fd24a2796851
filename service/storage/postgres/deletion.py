"""Statements that delete a message. None begins or ends a transaction.

The row stays, without its text: its id, its nonce and its place among the unread stay with it. The bytes go with
PostgreSQL's own vacuuming.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.postgres import fulltext, messages
from service.storage.statements import deletion, moments

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection
    from service.storage.records import Deleted


def delete(connection: Connection, actor_id: int | None, message_id: int, reason: str | None) -> Deleted:
    """As `AccountStorage.delete_message`."""
    found = deletion.judge(connection, actor_id, message_id)
    if found.deleted_at is not None:
        return found.as_deleted(found.deleted_at)
    fulltext.remove(connection, [found.searched])
    now = moments.take(connection)
    connection.run("UPDATE message SET body = '', kind = NULL, deleted_at = %s WHERE id = %s", (now, message_id))
    if found.recipient_id is not None:
        messages.mark_seen(connection, found.recipient_id, [message_id], now)
    deletion.note(connection, actor_id, found, now, reason)
    return found.as_deleted(now)
