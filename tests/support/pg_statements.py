"""Shared parts of the tests of PostgreSQL's statements: accounts, rooms and messages by a connection. Holds no test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.storage.postgres import posting, users
from service.storage.records import Post, Stored
from tests.support.storage import NOW

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection


def add(connection: Connection, *names: str) -> list[int]:
    """Makes accounts; returns their ids."""
    return [users.add(connection, name, name, f"hash of {name}", NOW) for name in names]


def make_room(connection: Connection, name: str, *members: int, private: bool = False) -> int:
    """Makes a room with these members, as if each had joined before any message; returns its id."""
    ((room_id,),) = connection.run(
        "INSERT INTO room (name, look, topic, private, created_at, members) VALUES (%s, %s, '', %s, %s, %s) "
        "RETURNING id",
        (name, name, private, NOW, len(members)),
    ).fetchall()
    for user_id in members:
        connection.run("INSERT INTO member VALUES (%s, %s, 'member', %s, NULL, 0, 0)", (room_id, user_id, NOW))
    return int(room_id)


def say(connection: Connection, sender: int, *texts: str, to: int | None = None, room: str | None = None) -> list[int]:
    """Stores messages in one batch; returns their ids."""
    (outcomes,) = posting.store_posts(connection, [(sender, [Post(to, text, None, room=room) for text in texts])])
    return [outcome.id for outcome in outcomes if isinstance(outcome, Stored)]


def rows(connection: Connection, statement: str, *values: object) -> list[Any]:
    return connection.run(statement, values).fetchall()
