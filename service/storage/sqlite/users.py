"""Statements that make accounts, log in, and move what an account has read. None begins or ends a transaction.

contract.py describes those that are one of its methods; statements/accounts.py has the others about accounts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from service.clock import add_seconds, format_time, utcnow
from service.storage.records import (
    SERVER_ID,
    SERVER_NAME,
    TOKENS_PER_USER,
    Banned,
    Login,
    NameTaken,
    PasswordChanged,
    UnknownToken,
    User,
)
from service.storage.sqlite import messages
from service.storage.statements import accounts, bans, ids, moments, names, room_lists

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from service.storage.records import Shown

_EPOCH: Final = "1970-01-01T00:00:00.000Z"  # when the service's own account was made, and last seen


def add(connection: sqlite3.Connection, name: str, look: str, password_hash: str, now: str) -> int:
    names.check_free(connection, name, look)
    bans.check_name(connection, name)
    newest = ids.newest_given(connection)
    user_id = connection.execute(
        "INSERT INTO user (name, look, password_hash, created_at, last_seen_at, read_id, direct_id) "
        "VALUES (?, ?, ?, ?, ?, ?, 0)",
        (name, look, password_hash, now, now, newest),
    ).lastrowid
    assert user_id is not None  # noqa: S101 (an INSERT that did not raise has added a row)
    bans.take_over(connection, user_id, name)
    return user_id


def register(
    connection: sqlite3.Connection,
    name: str,
    look: str,
    password_hash: str,
    token_hash: bytes | None,
    now: str,
    lifetime: int,
) -> Login:
    user_id = add(connection, name, look, password_hash, now)
    return _log_in(connection, user_id, token_hash, now, lifetime)


def log_in(connection: sqlite3.Connection, user: User, token_hash: bytes | None, now: str, lifetime: int) -> Login:
    current = accounts.find_user(connection, user.name)
    (current or user).check_enabled()
    if current != user:
        raise PasswordChanged(user.name)
    return _log_in(connection, user.id, token_hash, now, lifetime)


def resume(connection: sqlite3.Connection, token_hash: bytes, now: str) -> Login:
    row = connection.execute(
        "SELECT user_id, lifetime FROM token WHERE hash = ? AND expires_at > ?", (token_hash, now)
    ).fetchone()
    if row is None:
        raise UnknownToken
    user_id, lifetime = row
    return _log_in(connection, user_id, token_hash, now, lifetime)


def _log_in(connection: sqlite3.Connection, user_id: int, token_hash: bytes | None, now: str, lifetime: int) -> Login:
    name, role, read_id, muted_until, topic, banned_until = connection.execute(
        "SELECT name, role, read_id, CASE WHEN muted_until > :now THEN muted_until END, "
        "(SELECT topic FROM main_room LIMIT 1), "
        "(SELECT until FROM ban WHERE user_id = :user AND coalesce(room_id, 0) = 0 AND until > :now) "
        "FROM user WHERE id = :user",
        {"user": user_id, "now": now},
    ).fetchone()
    if banned_until is not None:
        raise Banned(banned_until)
    if token_hash is not None:
        _keep_token(connection, user_id, token_hash, now, lifetime)
    note_presence(connection, user_id, now)
    moments.note(connection, now)  # login_ok tells it
    missed, unread = messages.count_waiting(connection, user_id)
    newest = messages.newest_id(connection, user_id)
    own_rooms = room_lists.own_rooms(connection, user_id, now)
    return Login(user_id, name, missed, unread, newest, role, read_id, muted_until, topic, own_rooms)


def _keep_token(connection: sqlite3.Connection, user_id: int, token_hash: bytes, now: str, lifetime: int) -> None:
    """Stores a token, or its new expiry; the account's least recently used ones give way."""
    connection.execute(
        "INSERT INTO token (hash, user_id, created_at, expires_at, lifetime) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at",
        (token_hash, user_id, now, add_seconds(now, lifetime), lifetime),
    )
    (count,) = connection.execute("SELECT count(*) FROM token WHERE user_id = ?", (user_id,)).fetchone()
    if count > TOKENS_PER_USER:
        # The new token must stay: after the clock was set back it seems to be the oldest.
        others = connection.execute(
            "SELECT hash, expires_at, lifetime FROM token WHERE user_id = ? AND hash <> ?", (user_id, token_hash)
        ).fetchall()
        others.sort(key=lambda token: add_seconds(token[1], -token[2]), reverse=True)
        connection.executemany(
            "DELETE FROM token WHERE hash = ?", [token[:1] for token in others[TOKENS_PER_USER - 1 :]]
        )


def note_presence(connection: sqlite3.Connection, user_id: int, now: str) -> None:
    connection.execute("UPDATE user SET last_seen_at = ? WHERE id = ?", (now, user_id))


def move_read_markers(connection: sqlite3.Connection, user_ids: Sequence[int], message_id: int) -> bool:
    """Moves the users' read markers to that id, never back and never beyond the newest message.

    Returns whether any has moved.
    """
    moved = connection.execute(
        "UPDATE user SET read_id = :id WHERE id IN (SELECT value FROM json_each(:users)) AND read_id < :id",
        {"id": min(message_id, ids.newest_given(connection)), "users": json.dumps(user_ids)},
    ).rowcount
    return bool(moved)


def see_up_to(connection: sqlite3.Connection, user_id: int, message_id: int, now: str) -> int:
    message_id = min(message_id, ids.newest_given(connection))
    was_unseen = messages.mark_seen_up_to(connection, user_id, message_id, now)
    has_moved = move_read_markers(connection, [user_id], message_id)
    return message_id if was_unseen or has_moved else 0


def store_receipts(connection: sqlite3.Connection, shown: Sequence[Shown], now: str) -> None:
    markers: dict[int, list[int]] = {}  # usually one entry: all users were sent the same messages
    for user_id, public_id, direct_ids in shown:
        if public_id:
            markers.setdefault(public_id, []).append(user_id)
        if direct_ids:
            messages.mark_seen(connection, user_id, direct_ids, now)
    for public_id, user_ids in markers.items():
        move_read_markers(connection, user_ids, public_id)


def ensure_server(connection: sqlite3.Connection) -> None:
    """The migration has made it, unless the name was a user's then, who may have been renamed since."""
    if connection.execute("SELECT 1 FROM user WHERE id = ?", (SERVER_ID,)).fetchone() is not None:
        return
    if accounts.find_user(connection, SERVER_NAME) is not None:
        raise NameTaken(SERVER_NAME)
    connection.execute(
        "INSERT INTO user (id, name, look, password_hash, created_at, last_seen_at, read_id, direct_id) "
        "VALUES (?1, ?2, ?2, '', ?3, ?3, 0, 0)",
        (SERVER_ID, SERVER_NAME, _EPOCH),
    )


def find_closed(connection: sqlite3.Connection, user_ids: Collection[int]) -> set[int]:
    """Returns which of these accounts are closed."""
    rows = connection.execute(
        "SELECT id FROM user WHERE id IN (SELECT value FROM json_each(?)) AND password_hash = ''",
        (json.dumps(list(user_ids)),),
    )
    return {user_id for (user_id,) in rows.fetchall()}


def find_banned(connection: sqlite3.Connection, user_ids: Collection[int]) -> dict[int, Banned]:
    """Returns which of these accounts are banned from the main room now, as what refuses them."""
    rows = connection.execute(
        "SELECT user_id, until FROM ban INDEXED BY ban_of_user WHERE user_id IN (SELECT value FROM json_each(?)) "
        "AND coalesce(room_id, 0) = 0 AND until > ?",
        (json.dumps(list(user_ids)), format_time(utcnow())),
    ).fetchall()
    return {user_id: Banned(until) for user_id, until in rows}
