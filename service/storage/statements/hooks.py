"""Statements about webhooks: accounts that speak for programs. None begins or ends a transaction.

hook_contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from service.storage.records import Hook, HookExists, KeptHook, NonceReused, Stored, UnknownHook, UnknownRoom
from service.storage.statements import retries, rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.storage.records import Post
    from service.storage.statements.connection import Connection

    C = TypeVar("C", bound=Connection)

_HOOK: Final = """
    SELECT u.id, u.name, h.hash, r.id, r.name, r.created_at, r.gone_at
    FROM hook AS h JOIN user AS u ON u.id = h.user_id LEFT JOIN room AS r ON r.id = h.room_id
    WHERE h.hash = ?
"""


def find(connection: Connection, secret_hash: bytes) -> Hook | None:
    row = connection.execute(_HOOK, (secret_hash,)).fetchone()
    return None if row is None else Hook(*row)


def post(
    connection: C,
    secret_hash: bytes,
    posts: Sequence[Post],
    beyond: str | None,
    store: Callable[[C, int, int | None, Sequence[Post]], list[Stored]],
) -> list[Stored]:
    """`store` stores what is new, by a sender to a room; it raises StorageFull, which a retry does not meet."""
    hook = find(connection, secret_hash)
    if hook is None:
        raise UnknownHook
    before = [retries.find_stored(connection, hook.user_id, post) for post in posts if post.nonce is not None]
    if any(before):
        stored = [outcome for outcome in before if isinstance(outcome, Stored)]
        if len(stored) < len(posts) or retries.is_used(connection, hook.user_id, beyond):
            raise NonceReused
        return stored
    if hook.is_gone:
        raise UnknownRoom(hook.room or "")
    fresh = store(connection, hook.user_id, hook.room_id, posts)
    connection.execute("UPDATE hook SET used_at = ? WHERE user_id = ?", (fresh[-1].time, hook.user_id))
    return fresh


# -- for the operator -------------------------------------------------------------------------------------------------
def add(
    connection: C,
    name: str,
    look: str,
    room: str | None,
    secret_hash: bytes,
    now: str,
    add_user: Callable[[C, str, str, str, str], int],
) -> None:
    """`add_user` makes an account of a name, its look and its hash, at a time; it raises what `add_user` does."""
    room_id = None if room is None else rooms.known_room(connection, room).id
    known = connection.execute(
        "SELECT u.id, h.hash IS NOT NULL FROM user AS u JOIN hook AS h ON h.user_id = u.id WHERE u.name = ?", (name,)
    ).fetchone()
    if known is not None and known[1]:
        raise HookExists(name)
    user_id = add_user(connection, name, look, "", now) if known is None else known[0]
    connection.execute(
        "INSERT INTO hook (user_id, room_id, hash, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE "
        "SET room_id = excluded.room_id, hash = excluded.hash, created_at = excluded.created_at, used_at = NULL",
        (user_id, room_id, secret_hash, now),
    )


def remove(connection: Connection, name: str) -> None:
    removed = connection.execute(
        "UPDATE hook SET hash = NULL WHERE hash IS NOT NULL AND user_id = (SELECT id FROM user WHERE name = ?)", (name,)
    ).rowcount
    if not removed:
        raise UnknownHook(name)


def hooks_page(connection: Connection, after: str, limit: int) -> list[KeptHook]:
    rows = connection.execute(
        "SELECT u.name, r.name, r.gone_at, h.created_at, h.used_at FROM hook AS h CROSS JOIN user AS u "
        "ON u.id = h.user_id LEFT JOIN room AS r ON r.id = h.room_id "
        "WHERE h.hash IS NOT NULL AND u.name > ? ORDER BY u.name LIMIT ?",
        (after, limit),
    ).fetchall()
    return [KeptHook(*row) for row in rows]
