"""A file as the source or the target of a copy from engine to engine. storage/transfer.py says what goes over."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from service.errors import FileError
from service.storage.sqlite import backup, database, fulltext, integrity, posting, schema, unread
from service.storage.sqlite.lock import FileLock
from service.storage.transfer import TABLES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from service.storage.transfer import Row

_SEQUENCE: Final = """(
    SELECT value AS name, coalesce((SELECT max(seq, 0) FROM sqlite_sequence WHERE name = value), 0) AS newest
    FROM json_each('["message", "moderation", "room", "user"]')
)"""
# Where a table is not called so, or is not one by itself.
_OTHERS: Final[Mapping[str, str]] = {
    "account": "user",
    "sequence": _SEQUENCE,
}
_DIRECT: Final = """
    WITH direct (user_id, id) AS (
        SELECT sender_id, max(id) FROM message WHERE recipient_id IS NOT NULL GROUP BY sender_id
        UNION ALL
        SELECT recipient_id, max(id) FROM message WHERE seen_at IS NOT NULL GROUP BY recipient_id
    )
    UPDATE user SET direct_id = d.id FROM (SELECT user_id, max(id) AS id FROM direct GROUP BY user_id) AS d
    WHERE d.user_id = user.id
"""


class _File:
    """A connection to a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.revision = schema.revisions()[-1]

    def rows(self, table: str) -> Iterator[Row]:
        columns, keys = TABLES[table]
        place = _OTHERS.get(table, table)
        yield from self.connection.execute(
            f"SELECT {', '.join(columns)} FROM {place} ORDER BY {', '.join(columns[:keys])}"  # noqa: S608
        )


class _NewFile(_File):
    """A file that is made."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Empties the tables. It is quicker to make an index of all rows than to add each row to it."""
        super().__init__(connection)
        for table in ("user", "main_room", "moment", "sqlite_sequence"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
        self._indexes = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'message' AND type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in self._indexes:
            connection.execute(f"DROP INDEX {name}")

    def write(self, table: str, rows: Iterable[Row]) -> None:
        columns = TABLES[table].columns
        if table == "sequence":
            for name, newest in rows:
                self._raise(name, newest)
            return
        more = (", direct_id", ", 0") if table == "account" else ("", "")
        self.connection.executemany(
            f"INSERT INTO {_OTHERS.get(table, table)} ({', '.join(columns)}{more[0]}) "  # noqa: S608
            f"VALUES ({', '.join('?' * len(columns))}{more[1]})",
            rows,
        )

    def _raise(self, name: str, newest: int) -> None:
        changed = self.connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (newest, name))
        if not changed.rowcount:
            self.connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, newest))

    def derive(self, say: Callable[[str], None]) -> None:
        for _, definition in self._indexes:
            say("making the indexes")
            self.connection.execute(definition)
        self.connection.execute(_DIRECT)
        posting.find_eras(self.connection)  # the next needs them
        while unread.complete_blocks(self.connection):
            say("counting")
        done = 0
        while fulltext.index_some(self.connection):
            done += fulltext.INDEX_BATCH
            say(f"filling the search index, some {done:,} messages")


@contextmanager
def reading(path: Path, task: backup.Task) -> Iterator[_File]:
    """Yields a file that no service has open. Raises FileError, SchemaError, StorageUnavailable."""
    path = path.resolve()
    if schema.read_revision(path) is None:
        raise FileError(f"{path} holds no chat yet")
    with (
        database.all_translated(),
        closing(FileLock(path)),
        closing(database.connect(path, read_only=True)) as connection,
    ):
        task.watch(connection)
        connection.execute("BEGIN")
        yield _File(connection)


@contextmanager
def writing(path: Path, task: backup.Task) -> Iterator[_NewFile]:
    """Yields a file that gets its name at the end, if there was no exception and it is sound.

    Raises FileError, also if there is a file of that name, SchemaError, StorageUnavailable, OSError.
    """
    path = path.resolve()
    if path.exists():
        raise FileError(f"{path} is there already; name another file")
    if not path.parent.is_dir():
        raise FileError(f"there is no folder {path.parent}")
    with database.all_translated(), closing(FileLock(path)), backup.temporary(path) as part:
        schema.prepare(part)
        with closing(database.connect(part)) as connection:
            task.watch(connection)
            connection.execute("PRAGMA synchronous = OFF")  # it is synced once, at the end
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute("BEGIN")
            yield _NewFile(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = DELETE")
            integrity.identify(connection, anew=True)
        task.doing = "checking"
        integrity.verify(part, task.watch)
        backup.put(part, path, path.parent)
