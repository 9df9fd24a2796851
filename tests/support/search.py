"""The search of each engine, without the storage round it: messages stored as rows, indexed, and asked for.

Holds no test.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from service.storage.postgres import address
from service.storage.postgres import fulltext as postgres_fulltext
from service.storage.postgres.connection import connect
from service.storage.records import Refused
from service.storage.sqlite import fulltext as sqlite_fulltext
from tests.support.helpers import open_storage
from tests.support.storage import NOW, add, make_room

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from service.storage.postgres.connection import Connection
    from service.storage.records import Page
    from tests.support.postgres import Cluster

USERS: Final = 12  # so that one's id begins as another's does
ASKER: Final = 1
ROOMS: Final = ("ops", "dev", "secret")  # 1, 2, 3; the asker is in the first two, user 2 in the last, which is private
OPS, DEV, SECRET = 1, 2, 3

Said = tuple[int, int | None, int | None, str]  # sender, recipient, room, text
Row = tuple[int, int, int | None, int | None, str]  # id and the same
Question = tuple[str, int | None, str | None, bool, int | None, int]  # words, with whom, room, rooms, before, limit
Answer = tuple[list[tuple[int, str]], bool] | str


class Index(Protocol):
    """The messages of one chat, and their search."""

    def fill(self, rows: Sequence[Row], step: int = 1_000) -> None:
        """Stores and indexes these messages, and no others, so many at a time."""

    def search(self, query: str, user_id: int, *arguments: Any, **more: Any) -> Page:
        """As `Storage.search_page`."""


def answer(index: Index, question: Question, **more: int) -> Answer:
    """What the asker is told."""
    query, partner, room, rooms, before, limit = question
    try:
        page = index.search(query, ASKER, partner, before, limit, room=room, rooms=rooms, **more)
    except Refused as refused:
        return repr(refused)
    return [(message.id, message.body) for message in page.messages], page.more


class SqliteIndex:
    """Over a file with users and rooms, copied into memory for each filling."""

    def __init__(self, template: sqlite3.Connection) -> None:
        self._template = template
        self.connection = sqlite3.connect(":memory:", isolation_level=None)

    def fill(self, rows: Sequence[Row], step: int = 1_000) -> None:
        self.connection.close()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self._template.backup(self.connection)
        self.connection.executemany(
            "INSERT INTO message (id, sent_at, sender_id, recipient_id, room_id, body) VALUES (?, ?, ?, ?, ?, ?)",
            [(row[0], NOW, *row[1:]) for row in rows],
        )
        self.connection.execute(
            "UPDATE room SET last_id = coalesce((SELECT max(id) FROM message WHERE room_id = room.id), 0)"
        )
        while sqlite_fulltext.index_some(self.connection, step):
            pass

    def search(self, query: str, user_id: int, *arguments: Any, **more: Any) -> Page:
        return sqlite_fulltext.search_page(self.connection, query, user_id, *arguments, **more)


class PostgresIndex:
    """Over a database with users and rooms."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def fill(self, rows: Sequence[Row], step: int = 1_000) -> None:
        self.connection.run_several("DELETE FROM message; DELETE FROM search_word; UPDATE search_cursor SET id = 0")
        self.store(rows)
        while self.index_some(step):
            pass

    def store(self, rows: Sequence[Row]) -> None:
        """Stores messages beside those that are there, and indexes none."""
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
        self.connection.run(
            "INSERT INTO message (sent_at, id, sender_id, recipient_id, room_id, body) "
            "SELECT %s, * FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::text[])",
            (NOW, *columns),
        )

    def index_some(self, count: int = postgres_fulltext.INDEX_MESSAGES) -> bool:
        """Indexes the next messages; returns whether others may remain."""
        return postgres_fulltext.index_some(self.connection, count)

    def search(self, query: str, user_id: int, *arguments: Any, **more: Any) -> Page:
        return postgres_fulltext.search_page(self.connection, query, user_id, *arguments, **more)


@contextmanager
def open_sqlite(folder: Path) -> Iterator[SqliteIndex]:
    """Makes a file in a folder, with users and rooms."""
    with open_storage(folder / "chat.db") as storage:
        for n in range(1, USERS + 1):
            add(storage, f"user{n}")
        for name in ROOMS:
            make_room(storage, name, 2 if name == "secret" else ASKER, private=name == "secret")
    with closing(sqlite3.connect(folder / "chat.db")) as template:
        index = SqliteIndex(template)
        yield index
        index.connection.close()


@contextmanager
def open_postgres(cluster: Cluster) -> Iterator[PostgresIndex]:
    """Makes a database with users and rooms, and removes it at the end."""
    url = cluster.create()
    with closing(connect(address.parse(url))) as connection:
        run = partial(connection.run)
        for n in range(1, USERS + 1):
            run(
                'INSERT INTO "user" (id, name, look, password_hash, created_at) VALUES (%s, %s, %s, %s, %s)',
                (n, f"user{n}", f"user{n}", "hash", NOW),
            )
        for n, name in enumerate(ROOMS, 1):
            run(
                "INSERT INTO room (id, name, look, topic, private, created_at, members) "
                "VALUES (%s, %s, %s, '', %s, %s, 1)",
                (n, name, name, name == "secret", NOW),
            )
            run(
                "INSERT INTO member (room_id, user_id, role, joined_at, read_id, read_position) "
                "VALUES (%s, %s, 'member', %s, 0, 0)",
                (n, 2 if name == "secret" else ASKER, NOW),
            )
        yield PostgresIndex(connection)
    cluster.drop(url)
