"""Statements that know a message that is sent once more by its nonce. They change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import NonceReused, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.errors import StorageFull
    from service.storage.records import Banned, Outcome, Post
    from service.storage.statements.connection import Connection

# Of what the engines keep in different tables: postgres/dialect.py has its other form.
FIRST: Final = """
    SELECT m.id, m.sent_at, m.seen_at, m.deleted_at, m.room_id, r.created_at, m.recipient_id, r.name, m.body, m.kind
    FROM message AS m LEFT JOIN room AS r ON r.id = m.room_id
"""


def find_stored(connection: Connection, sender_id: int, post: Post) -> Stored | NonceReused | None:
    """Returns a retry's result: the first message with that nonce, or a refusal if it differs; None if none.

    Of a deleted message nobody can tell any more what it said. Its room may be gone.
    """
    first = connection.execute(f"{FIRST} WHERE m.sender_id = ? AND m.nonce = ?", (sender_id, post.nonce)).fetchone()
    if first is None:
        return None
    message_id, sent_at, seen_at, deleted_at, room_id, created, recipient_id, room, *said = first
    is_same_target = (recipient_id, room) == (post.recipient_id, post.room) and post.created in (None, created)
    if not is_same_target or (deleted_at is None and said != [post.body, post.kind]):
        return NonceReused()
    return Stored(message_id, sent_at, fresh=False, seen=seen_at is not None, room_id=room_id)


def is_used(connection: Connection, sender_id: int, nonce: str | None) -> bool:
    """Whether the sender has a message with that nonce."""
    found = "SELECT 1 FROM message WHERE sender_id = ? AND nonce = ?"
    return connection.execute(found, (sender_id, nonce)).fetchone() is not None


def refuse_new(
    connection: Connection, calls: Sequence[tuple[int, Sequence[Post]]], reason: StorageFull | Banned
) -> list[list[Outcome]]:
    """Stores nothing: a retry gets its stored message, a new message the `reason`."""
    return [[find_stored(connection, sender, post) or reason for post in posts] for sender, posts in calls]
