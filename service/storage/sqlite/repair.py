"""Makes a file's derived data anew from its messages, and a file smaller. No service may run meanwhile."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from service.errors import FileError
from service.storage.sqlite import backup, database, fulltext, integrity, markers, posting, schema, unread
from service.storage.sqlite.lock import FileLock

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from service.storage.records import Contents


@database.all_translated()
def repair(path: Path, task: backup.Task) -> Contents:
    """Counts messages and members anew, and fills the search indexes and the eras anew, in one transaction.

    For rows that were changed or deleted with another program. Raises FileError if the file is damaged or a service
    runs, SchemaError, StorageUnavailable; the database is unchanged then.
    """
    path = path.resolve()
    _refuse_missing(path)
    with closing(FileLock(path)):
        schema.prepare(path)
        with closing(database.connect_writer(path)) as connection:
            task.watch(connection)
            task.doing = "checking"
            problem = integrity.find_problem(connection, "integrity_check")
            if problem is not None:
                raise FileError(database.describe_damage(path, problem))
            connection.execute("BEGIN IMMEDIATE")
            task.doing = "counting"
            connection.execute("DELETE FROM tally")
            connection.execute("DELETE FROM direct")
            while unread.complete_blocks(connection):
                task.check()
            posting.find_eras(connection)
            markers.count_anew(connection)
            _index(connection, task)
            connection.execute("COMMIT")
    return integrity.verify(path, task.watch)


def _index(connection: sqlite3.Connection, task: backup.Task) -> None:
    for index in ("message_search", "direct_search"):
        connection.execute(f"INSERT INTO {index} ({index}) VALUES ('delete-all')")  # noqa: S608
    done = 0
    while fulltext.index_some(connection):
        done += fulltext.INDEX_BATCH
        task.doing = f"filling the search index, some {done:,} messages"
        task.check()


@database.all_translated()
def compact(path: Path, task: backup.Task) -> tuple[Contents, int, int]:
    """Puts a checked copy without free pages in the file's place; returns what it holds, and the bytes before and now.

    Raises FileError, also while a service runs, SchemaError, StorageUnavailable, OSError; the file is unchanged then.
    """
    path = path.resolve()
    _refuse_missing(path)
    with closing(FileLock(path)):
        schema.prepare(path)
        with closing(database.connect_writer(path)) as connection:
            task.watch(connection)
            if not database.checkpoint(connection):
                raise FileError(f"another program reads {path}; end it first")
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()  # nothing of the old file is left beside it
            # Keeps its locks from now on: what another program stored meanwhile would be lost with the old file.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            before = path.stat().st_size
            with backup.temporary(path) as part:
                task.doing = "copying"
                connection.execute("VACUUM INTO ?", (str(part),))
                task.doing = "checking"
                held = integrity.examine(part, task.watch)
                if held._replace(misfit="") != integrity.count(connection, held.revision):
                    raise FileError(f"the copy of {path} has other counts than it; it was left as it was")
                connection.close()
                backup.put(part, path, path)
    return held, before, path.stat().st_size


def _refuse_missing(path: Path) -> None:
    if schema.read_revision(path) is None:
        raise FileError(f"{path} holds no chat yet")
