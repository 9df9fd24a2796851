"""Statements about webhooks: accounts that speak for programs. None begins or ends a transaction.

hook_contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import Hook, HookExists, KeptHook, NonceReused, Stored, UnknownHook, UnknownRoom
from service.storage.sqlite import posting, rooms, users

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from service.storage.records import Post

_HOOK: Final = """
    SELECT u.id, u.name, h.hash, r.id, r.name, r.created_at, r.gone_at
    FROM hook AS h JOIN user AS u ON u.id = h.user_id LEFT JOIN room AS r ON r.id = h.room_id
    WHERE h.hash = ?
"""


def find(connection: sqlite3.Connection, secret_hash: bytes) -> Hook | None:
    row = connection.execute(_HOOK, (secret_hash,)).fetchone()
    return None if row is None else Hook(*row)


def post(
    connection: sqlite3.Connection,
    secret_hash: bytes,
    posts: Sequence[Post],
    beyond: str | None,
    check_space: Callable[[sqlite3.Connection], None],
) -> list[Stored]:
    """`check_space` raises StorageFull. It is not asked for a retry, which takes no space."""
    hook = find(connection, secret_hash)
    if hook is None:
        raise UnknownHook
    before = [posting.find_stored(connection, hook.user_id, post) for post in posts if post.nonce is not None]
    if any(before):
        stored = [outcome for outcome in before if isinstance(outcome, Stored)]
        if len(stored) < len(posts) or posting.is_used(connection, hook.user_id, beyond):
            raise NonceReused
        return stored
    check_space(connection)
    if hook.is_gone:
        raise UnknownRoom(hook.room or "")
    fresh = posting.store_together(connection, hook.user_id, hook.room_id, posts)
    connection.execute("UPDATE hook SET used_at = ? WHERE user_id = ?", (fresh[-1].time, hook.user_id))
    return fresh


# -- for the operator -------------------------------------------------------------------------------------------------
def add(connection: sqlite3.Connection, name: str, look: str, room: str | None, secret_hash: bytes, now: str) -> None:
    room_id = None if room is None else rooms.known_room(connection, room).id
    known = connection.execute(
        "SELECT u.id, h.hash IS NOT NULL FROM user AS u JOIN hook AS h ON h.user_id = u.id WHERE u.name = ?", (name,)
    ).fetchone()
    if known is not None and known[1]:
        raise HookExists(name)
    user_id = users.add(connection, name, look, "", now) if known is None else known[0]
    connection.execute(
        "INSERT INTO hook (user_id, room_id, hash, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE "
        "SET room_id = excluded.room_id, hash = excluded.hash, created_at = excluded.created_at, used_at = NULL",
        (user_id, room_id, secret_hash, now),
    )


def remove(connection: sqlite3.Connection, name: str) -> None:
    removed = connection.execute(
        "UPDATE hook SET hash = NULL WHERE hash IS NOT NULL AND user_id = (SELECT id FROM user WHERE name = ?)", (name,)
    ).rowcount
    if not removed:
        raise UnknownHook(name)


def hooks_page(connection: sqlite3.Connection, after: str, limit: int) -> list[KeptHook]:
    rows = connection.execute(
        "SELECT u.name, r.name, r.gone_at, h.created_at, h.used_at FROM hook AS h CROSS JOIN user AS u "
        "ON u.id = h.user_id LEFT JOIN room AS r ON r.id = h.room_id "
        "WHERE h.hash IS NOT NULL AND u.name > ? ORDER BY u.name LIMIT ?",
        (after, limit),
    ).fetchall()
    return [KeptHook(*row) for row in rows]
