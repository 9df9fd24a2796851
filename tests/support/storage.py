"""Shared parts of the storage's tests: accounts, messages, plans of statements. Holds no test."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from service.storage.records import Post, Stored
from service.storage.sqlite.engine import SqliteStorage
from tests.support.engines import POSTGRES, select
from tests.support.helpers import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.contract import Storage
    from service.storage.records import Outcome, Page
    from service.storage.statements.connection import Connection
    from tests.support.helpers import Line

NOW: Final = "2026-11-21T09:30:00.000Z"
LATER: Final = "2026-11-21T09:31:00.000Z"
EXPIRY: Final = "2026-12-21T09:30:00.000Z"


def token_of(name: str) -> bytes:
    """Returns the hash of the token that `add` stores."""
    return name.encode().ljust(32, b".")


def add(storage: Storage, name: str) -> int:
    """Adds an account; returns its id."""
    return storage.result(storage.register(name, name, f"hash of {name}", token_of(name), NOW)).user_id


def make_chat(path: Path) -> Path:
    """Creates a database with alice and her five messages, indexed and closed."""
    with open_storage(path) as storage:
        alice = add(storage, "alice")
        for n in range(5):
            say(storage, alice, f"message {n}")
        storage.index_search()
    return path


def say(storage: Storage, sender: int, text: str, to: str | None = None, nonce: str | None = None) -> int:
    """Stores a message; returns its id."""
    stored = store(storage, sender, text, to, nonce)
    assert isinstance(stored, Stored)
    return stored.id


def store_posts(storage: Storage, sender: int, *posts: Post) -> list[Outcome]:
    """Stores messages in one write; returns their outcomes."""
    outcomes = storage.result(storage.store_posts(sender, posts))
    return list(outcomes)


def store(storage: Storage, sender: int, text: str, to: str | None = None, nonce: str | None = None) -> Outcome:
    """Stores one message; returns its outcome."""
    user = storage.find_user(to) if to else None
    return store_posts(storage, sender, Post(user.id if user else None, text, nonce))[0]


def make_room(storage: SqliteStorage, name: str, *members: int, private: bool = False) -> int:
    """Makes a room with these members by hand, as if each had joined before any message; returns its id."""

    def make(connection: Connection) -> int:
        connection.execute(
            "INSERT INTO room (name, look, topic, private, created_at, members) VALUES (?, ?, '', ?, ?, ?)",
            (name, name, private, NOW, len(members)),
        )
        (room_id,) = connection.execute("SELECT max(id) FROM room").fetchone()
        connection.executemany(
            "INSERT INTO member (room_id, user_id, role, joined_at, read_id, read_position) "
            "VALUES (?, ?, 'member', ?, 0, 0)",
            [(room_id, user_id, NOW) for user_id in members],
        )
        return int(room_id)

    return storage.call(make)


def run(storage: SqliteStorage, statement: str, *values: object) -> list[Any]:
    """Executes a statement as a write; returns its rows."""

    def execute(connection: Connection) -> list[Any]:
        cursor: Any = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []  # without rows psycopg has no list of them

    return storage.call(execute)


def unread_in(storage: SqliteStorage, user: int, room: int) -> int:
    """How many messages are unread there, from what is noted of the member."""
    counted = "SELECT r.messages - m.read_position - m.own_unread FROM member AS m JOIN room AS r ON r.id = m.room_id"
    ((count,),) = run(storage, f"{counted} WHERE m.room_id = ? AND m.user_id = ?", room, user)
    return int(count)


def put_account(connection: Connection, name: str, role: str = "member", muted_until: str | None = None) -> int:
    """Adds an account by hand, whatever its name looks like; returns its id."""
    values = {"name": name, "now": NOW, "role": role, "muted": muted_until}
    columns, places = (
        "name, look, password_hash, created_at, role, muted_until",
        ":name, :name, 'x', :now, :role, :muted",
    )
    if isinstance(connection, sqlite3.Connection):
        columns, places = f"{columns}, last_seen_at, read_id, direct_id", f"{places}, :now, 0, 0"
    connection.execute(f"INSERT INTO user ({columns}) VALUES ({places})", values)
    (user_id,) = connection.execute("SELECT id FROM user WHERE name = ?", (name,)).fetchone()
    return int(user_id)


def count_changes(connection: Connection) -> int:
    """Returns how many rows were changed by this connection, of PostgreSQL in this transaction."""
    if isinstance(connection, sqlite3.Connection):
        return connection.total_changes
    changes = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables"
    return int(connection.execute(changes).fetchone()[0])


def ids_of(page: Page) -> list[int]:
    """Returns the ids of a page's messages."""
    return [message.id for message in page.messages]


def count_readers(storage: Storage) -> int:
    """Returns how many read connections are open."""
    assert isinstance(storage, SqliteStorage)
    return len(storage._readers)


def skip_ids(storage: SqliteStorage, count: int) -> None:
    """Skips `count` ids before the next message."""
    skip = (
        "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'message'"
        if storage.engine.startswith("SQLite")
        else "SELECT setval('message_id', last_value + ?) FROM message_id"
    )
    run(storage, skip, count)


def explain(storage: SqliteStorage, work: Callable[..., object], *arguments: Any) -> list[str]:
    """Returns SQLite's plan for each statement of `work`: the steps of EXPLAIN QUERY PLAN."""

    def run(connection: sqlite3.Connection) -> list[str]:
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        work(connection, *arguments)
        connection.set_trace_callback(None)
        # FTS5's queries of its own tables do not count.
        ours = [sql for sql in statements if not re.search("'main'.'(message|direct)_search_|^--", sql)]
        return [row[3] for sql in ours for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]

    return storage.call(run)


def message(nonce: str) -> Line:
    """The command for a nonce; sent again it is the same."""
    target = {"to": "away"} if nonce.startswith("dm") else {}
    return {"command": nonce[:2], "message": f"text of {nonce}", "nonce": nonce} | target


def stored(path: Path) -> list[tuple[str, int]]:
    """The nonce and id of every message; a file is sound."""
    if not POSTGRES:
        assert select(path, "PRAGMA integrity_check") == [("ok",)]
    return select(path, "SELECT nonce, id FROM message ORDER BY id")
