"""Statements about accounts that are made and log in, and what they have read. None begins or ends a transaction.

contract.py describes those that are one of its methods; statements/accounts.py has those that both engines share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from service.storage.postgres import messages
from service.storage.records import (
    SERVER_ID,
    SERVER_NAME,
    TOKENS_PER_USER,
    AccountDisabled,
    Banned,
    Login,
    NameTaken,
    PasswordChanged,
    RoomView,
    UnknownToken,
)
from service.storage.statements import accounts, bans, names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.postgres.connection import Connection
    from service.storage.records import Shown, User

_EPOCH: Final = "1970-01-01T00:00:00.000Z"  # when the service's own account was made, and last seen
_LOG_IN: Final = "SELECT * FROM chat_log_in(%s, %s, %s, %s, %s, %s, %s)"
ADD: Final = """
    WITH added AS (
        INSERT INTO "user" (name, look, password_hash, created_at) VALUES (%s, %s, %s, %s) RETURNING id, created_at
    )
    INSERT INTO marker (user_id, read_id, read_position, last_seen_at)
        SELECT id, pg_sequence_last_value('message_id'), chat_head(), created_at FROM added
        RETURNING user_id
"""


def add(connection: Connection, name: str, look: str, password_hash: str, now: str) -> int:
    names.check_free(connection, name, look)
    bans.check_name(connection, name)
    ((user_id,),) = connection.run(ADD, (name, look, password_hash, now)).fetchall()
    bans.take_over(connection, user_id, name)
    return int(user_id)


def register(
    connection: Connection,
    name: str,
    look: str,
    password_hash: str,
    token_hash: bytes | None,
    now: str,
    lifetime: int,
) -> Login:
    user_id = add(connection, name, look, password_hash, now)
    return _log_in(connection, (user_id, name, password_hash), token_hash, now, lifetime)


def log_in(connection: Connection, user: User, token_hash: bytes | None, now: str, lifetime: int) -> Login:
    return _log_in(connection, user[:3], token_hash, now, lifetime)


def resume(connection: Connection, token_hash: bytes, now: str) -> Login:
    return _log_in(connection, (None, None, None), token_hash, now, None)


def _log_in(
    connection: Connection,
    user: tuple[int | None, str | None, str | None],  # id, name, the hash that was checked; None: by the token
    token_hash: bytes | None,
    now: str,
    lifetime: int | None,
) -> Login:
    ((refusal, *found, rooms),) = connection.run(
        _LOG_IN, (*user, token_hash, now, lifetime, TOKENS_PER_USER)
    ).fetchall()
    login = Login(*found)
    match refusal:
        case "token":
            raise UnknownToken
        case "changed":
            raise PasswordChanged(user[1] or "")
        case "disabled":
            raise AccountDisabled(user[1] or "")
        case "banned":
            raise Banned(login.muted_until or "")
    return login._replace(rooms=[RoomView(*row) for row in msgspec.json.decode(rooms or "[]")])


def note_presence(connection: Connection, user_id: int, now: str) -> None:
    connection.run("UPDATE marker SET last_seen_at = %s WHERE user_id = %s", (now, user_id))


def see_up_to(connection: Connection, user_id: int, message_id: int, now: str) -> int:
    message_id = min(message_id, messages.newest_given(connection))
    was_unseen = messages.mark_seen_up_to(connection, user_id, message_id, now)
    has_moved = messages.move_read_markers(connection, [user_id], message_id)
    return message_id if was_unseen or has_moved else 0


def store_receipts(connection: Connection, shown: Sequence[Shown], now: str) -> None:
    markers: dict[int, list[int]] = {}  # usually one entry: all users were sent the same messages
    for user_id, public_id, _ in shown:
        if public_id:
            markers.setdefault(public_id, []).append(user_id)
    direct = [(user_id, message_id) for user_id, _, direct_ids in shown for message_id in direct_ids]
    if direct:
        messages.mark_all_seen(connection, direct, now)
    for public_id, user_ids in markers.items():
        messages.move_read_markers(connection, user_ids, public_id)


def ensure_server(connection: Connection) -> None:
    """The migration has made it, unless the database came from a file where the name was a user's then."""
    if connection.run('SELECT 1 FROM "user" WHERE id = %s', (SERVER_ID,)).fetchone() is not None:
        return
    if accounts.find_user(connection, SERVER_NAME) is not None:
        raise NameTaken(SERVER_NAME)
    connection.run(
        """
        WITH added AS (
            INSERT INTO "user" (id, name, look, password_hash, created_at) VALUES (%s, %s, %s, '', %s) RETURNING id
        )
        INSERT INTO marker (user_id, read_id, read_position, last_seen_at) SELECT id, 0, 0, %s FROM added
        """,
        (SERVER_ID, SERVER_NAME, SERVER_NAME, _EPOCH, _EPOCH),
    )
