"""Statements about the log of moderation: who did what to whom, and why. None begins or ends a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import Act

if TYPE_CHECKING:
    from service.storage.records import Role
    from service.storage.statements.connection import Connection

SELECT: Final = """
    SELECT m.id, m.time, a.name, m.action, coalesce(u.name, m.name), m.message_id, m.role, m.reason, r.name, m.until
    FROM moderation AS m
    LEFT JOIN user AS a ON a.id = m.actor_id
    LEFT JOIN user AS u ON u.id = m.user_id
    LEFT JOIN room AS r ON r.id = m.room_id
"""


def note(
    connection: Connection,
    time: str,
    actor_id: int | None,
    action: str,
    *,
    room_id: int | None = None,
    user_id: int | None = None,
    message_id: int | None = None,
    name: str | None = None,
    role: Role | None = None,
    until: str | None = None,
    reason: str | None = None,
) -> None:
    """Adds an act; `name` is that of who has no account, and an `actor_id` of None the operator's."""
    connection.execute(
        "INSERT INTO moderation (time, actor_id, action, room_id, user_id, message_id, name, role, until, reason) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (time, actor_id, action, room_id, user_id, message_id, name, role, until, reason),
    )


def moderation_page(
    connection: Connection,
    after_id: int,
    limit: int,
    *,
    room: str | None,
    user: str | None,
    action: str | None,
    since: str | None,
) -> list[Act]:
    # Names are compared where they are shown: a room's name may have been another room's before.
    rows = connection.execute(
        f"{SELECT} WHERE m.id > :after AND (:action IS NULL OR m.action = :action) "
        "AND (:since IS NULL OR m.time >= :since) AND (:room IS NULL OR coalesce(r.name, '') = :room) "
        "AND (:user IS NULL OR :user IN (a.name, u.name, m.name)) ORDER BY m.id LIMIT :limit",
        {"after": after_id, "limit": limit, "room": room, "user": user, "action": action, "since": since},
    ).fetchall()
    return [Act(*row) for row in rows]
