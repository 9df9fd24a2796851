"""Statements about accounts, their passwords and tokens. None begins or ends a transaction.

contract.py describes those that are one of its methods. What an account has read, and so its making and its logins, are
in each engine's users.py.
"""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING

from service.storage.records import DELETED, Closed, PasswordChanged, UnknownUser, User
from service.storage.statements import bans, membership, names

if TYPE_CHECKING:
    from service.storage.statements.connection import Connection


def find_user(connection: Connection, name: str) -> User | None:
    row = connection.execute("SELECT id, name, password_hash, disabled_at FROM user WHERE name = ?", (name,)).fetchone()
    return None if row is None else User(*row)


def find_login(connection: Connection, name: str) -> User | None:
    # One statement for every name, so that the time does not tell a former one from one that is somebody's.
    row = connection.execute(
        "SELECT id, name, password_hash, disabled_at FROM user WHERE name = :name "
        "UNION ALL SELECT user_id, name, '', NULL FROM former_name WHERE name = :name LIMIT 1",
        {"name": name},
    ).fetchone()
    return None if row is None else User(*row)


def log_out(connection: Connection, token_hash: bytes) -> None:
    connection.execute("DELETE FROM token WHERE hash = ?", (token_hash,))


def find_token_owner(connection: Connection, token_hash: bytes) -> int | None:
    row = connection.execute("SELECT user_id FROM token WHERE hash = ?", (token_hash,)).fetchone()
    return None if row is None else int(row[0])


def change_password(connection: Connection, user: User, password_hash: str) -> None:
    changed = connection.execute(
        "UPDATE user SET password_hash = ? WHERE id = ? AND password_hash = ?",
        (password_hash, user.id, user.password_hash),
    ).rowcount
    if not changed:
        raise PasswordChanged(user.name)
    connection.execute("DELETE FROM token WHERE user_id = ?", (user.id,))


def delete_expired_tokens(connection: Connection, now: str) -> int:
    return connection.execute("DELETE FROM token WHERE expires_at <= ?", (now,)).rowcount


# -- for the operator: by name, and giving the account's id -----------------------------------------------------------
def set_password(connection: Connection, name: str, password_hash: str) -> int:
    user = _known_user(connection, name)
    change_password(connection, user, password_hash)
    return user.id


def disable(connection: Connection, name: str, now: str) -> int:
    user_id = _known_user(connection, name).id
    connection.execute("UPDATE user SET disabled_at = ? WHERE id = ?", (now, user_id))
    connection.execute("DELETE FROM token WHERE user_id = ?", (user_id,))
    return user_id


def enable(connection: Connection, name: str) -> int:
    user_id = _known_user(connection, name).id
    connection.execute("UPDATE user SET disabled_at = NULL WHERE id = ?", (user_id,))
    return user_id


def rename(connection: Connection, name: str, new_name: str, look: str, now: str) -> User:
    user = _known_user(connection, name)
    names.check_free(connection, new_name, look)
    bans.check_name(connection, new_name)
    names.replace_name(connection, user.id, new_name, look, now)
    bans.take_over(connection, user.id, new_name)
    return user._replace(name=new_name)


def delete(connection: Connection, name: str, now: str) -> Closed:
    user = _known_user(connection, name)
    left = membership.leave_all(connection, user.id, name)
    first = f"{DELETED}-{user.id}"
    new_names = chain([first], (f"{first}-{number}" for number in count(2)))
    new_name = next(new for new in new_names if find_login(connection, new) is None)
    # It is its own look: whatever begins so is refused to others by its name.
    names.replace_name(connection, user.id, new_name, new_name, now)
    connection.execute(
        "UPDATE user SET password_hash = '', role = 'member', muted_until = NULL, disabled_at = NULL WHERE id = ?",
        (user.id,),
    )
    connection.execute("DELETE FROM token WHERE user_id = ?", (user.id,))
    return Closed(User(user.id, new_name, "", None), left)


def _known_user(connection: Connection, name: str) -> User:
    user = find_user(connection, name)
    if user is None or user.is_closed:  # a closed account gets no password, and no other name
        raise UnknownUser(name)
    return user
