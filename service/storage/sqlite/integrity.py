"""Checks whether a database file is sound and complete: briefly at the service's start, completely for `verify`.

It repairs nothing. It only raises the sequences, so that no id is given twice.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

from service import programs
from service.errors import FileError
from service.storage.records import Contents
from service.storage.sqlite import blocks, database, fulltext, markers, schema, unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.sqlite.lock import FileLock

START_CHECK_TIME: Final = 0.3  # seconds for the check at a start: it reads 250 MB, and the start takes under a second
REPAIR: Final = f"A row was changed by hand. With the service stopped, `{programs.ADMIN} repair --db {{}}` mends it"
_log: Final = logging.getLogger("chat.storage")
_IDENTITY_BITS: Final = 31  # user_version is a signed 32-bit number
# Each query returns a row if derived data does not match the messages. The queries walk indexes and read no text. In a
# file from before there were rooms {public} tells the messages to the main room otherwise, and {rooms} is 0.
_DERIVED: Final = {
    "the counts of public messages do not fit the messages": (
        "tally",
        f"""
        SELECT 1 WHERE (SELECT coalesce(sum(messages), 0) FROM tally WHERE level = 0 AND sender_id = {unread.EVERYONE})
            <> (SELECT count(*) FROM message INDEXED BY message_public WHERE {{public}}
                AND id < {blocks.ENDED})
        """,  # noqa: S608
    ),
    "the lists of direct messages do not fit the messages": (
        "direct",
        f"""
        SELECT 1 WHERE (SELECT count(*) FROM direct)
            <> (SELECT coalesce(sum(1 + (sender_id <> recipient_id)), 0) FROM message INDEXED BY message_talk
                WHERE recipient_id IS NOT NULL AND id < {blocks.ENDED})
        """,  # noqa: S608
    ),
    "the search index does not fit the public messages": (
        "direct_search",
        f"""
        SELECT 1 WHERE (SELECT count(*) FROM message_search_docsize)
            <> (SELECT count(*) FROM message INDEXED BY message_public WHERE {{public}} AND id <= ({fulltext.INDEXED}))
        """,  # noqa: S608
    ),
    "the search index does not fit the other messages": (
        "direct_search",
        f"""
        SELECT 1 WHERE (SELECT count(*) FROM direct_search_docsize)
            <> {{rooms}} + (SELECT count(*) FROM message INDEXED BY message_talk WHERE recipient_id IS NOT NULL
                AND id <= ({fulltext.INDEXED}))
        """,  # noqa: S608
    ),
    "the counts of a room do not fit its messages": (
        "room",
        """
        SELECT 1 FROM (
            SELECT room_id, count(*) AS number, min(position) AS low, max(position) AS high, max(id) AS newest
            FROM message INDEXED BY message_room WHERE room_id IS NOT NULL GROUP BY room_id
        ) AS m JOIN room AS r ON r.id = m.room_id
        WHERE m.number <> m.high - m.low + 1 OR m.high <> r.messages OR m.newest <> r.last_id
        """,
    ),
    "the count of a room's members does not fit them": (
        "room",
        "SELECT 1 FROM room AS r WHERE members <> (SELECT count(*) FROM member WHERE room_id = r.id)",
    ),
    "a member's count of unread messages does not fit the room": (
        "room",
        f"""
        SELECT 1 FROM member AS b JOIN room AS r ON r.id = b.room_id
        LEFT JOIN ({markers.OWN_UNREAD}) AS own ON own.room_id = b.room_id AND own.user_id = b.user_id
        WHERE b.own_unread <> coalesce(own.number, 0) OR b.read_position <> coalesce(
            (SELECT position FROM message INDEXED BY message_room WHERE room_id = b.room_id AND id <= b.read_id
                ORDER BY id DESC LIMIT 1),
            (SELECT position - 1 FROM message INDEXED BY message_room WHERE room_id = b.room_id ORDER BY id LIMIT 1),
            r.messages)
        """,  # noqa: S608
    ),
}
_ROOMS: Final = f"""
    (SELECT count(*) FROM message INDEXED BY message_room WHERE room_id IS NOT NULL AND id <= ({fulltext.INDEXED}))
"""  # noqa: S608


def check_start(path: Path, lock: FileLock, seconds: float = START_CHECK_TIME) -> None:
    """Prepares a database of this schema for the service: moves what a crash left in the -wal into the file.

    Raises FileError if the file cannot be written, or if a check of so many seconds finds damage.
    """
    try:
        with closing(database.connect_writer(path)) as connection:
            problem = _find_problem_in_time(connection, path, seconds)
            if problem is None:
                _continue_ids(connection, path, lock)
                database.checkpoint(connection)
    except sqlite3.Error as error:
        if not database.is_damage(error):
            raise FileError(f"cannot use the database {path}: {error}") from error
        problem = str(error)
    if problem is not None:
        raise FileError(database.describe_damage(path, problem))


def _find_problem_in_time(connection: sqlite3.Connection, path: Path, seconds: float) -> str | None:
    # A progress handler does not work here: before 3.41 SQLite calls none while it walks a table.
    timer = threading.Timer(seconds, connection.interrupt)
    timer.name = "chat-check"
    timer.start()
    try:
        return find_problem(connection, "quick_check")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        _log.info("%s is too large to be checked whole at a start; `%s verify` does that", path, programs.ADMIN)
        return None
    finally:
        timer.cancel()
        timer.join()


def _continue_ids(connection: sqlite3.Connection, path: Path, lock: FileLock) -> None:
    """Compares the newest ids with those noted beside the file; logs lost ones, and never gives an id twice.

    SQLite cannot tell a -wal that the disk has cut at a commit from a complete one. Every file in this place continues
    from the noted ids, because clients remember them. Only the file for which they were noted can have lost any.
    """
    identity = identify(connection)
    there = parse_ids(database.newest_ids(connection))
    lost = {table: newest for table, newest in parse_ids(lock.newest).items() if newest > there.get(table, 0)}
    if lost:
        raise_ids(connection, lost)
    for table, newest in lost.items() if identity == lock.identity else ():
        _log.error(
            "%s has lost the ids %d to %d of its table %s, which were stored and acknowledged: its disk did not keep "
            "them, or an older copy of it was put in its place. They are not given again",
            path, there.get(table, 0) + 1, newest, table,
        )  # fmt: skip
    lock.adopt(identity, database.newest_ids(connection))


def identify(connection: sqlite3.Connection, *, anew: bool = False) -> int:
    """Returns the random number of this database and no other or backup; creates it if missing, or if `anew`."""
    (identity,) = connection.execute("PRAGMA user_version").fetchone()
    if anew or not identity:
        identity = secrets.randbelow((1 << _IDENTITY_BITS) - 1) + 1
        connection.execute(f"PRAGMA user_version = {identity}")
    return int(identity)


def write_identity_again(connection: sqlite3.Connection) -> None:
    """Changes nothing, but a COMMIT then has something to write: it tells whether the disk takes it."""
    connection.execute(f"PRAGMA user_version = {identify(connection)}")


def parse_ids(lines: str) -> dict[str, int]:
    """Returns the newest id of each table, from the lines of `database.newest_ids`."""
    return {table: int(newest) for table, newest in (line.split() for line in lines.splitlines())}


def raise_ids(connection: sqlite3.Connection, least: dict[str, int]) -> None:
    """Makes the next id of each table larger than the given one. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    for table, newest in least.items():
        values = {"name": table, "newest": newest}
        raised = connection.execute("UPDATE sqlite_sequence SET seq = max(seq, :newest) WHERE name = :name", values)
        if not raised.rowcount:
            connection.execute(
                "INSERT INTO sqlite_sequence SELECT name, :newest FROM sqlite_schema WHERE name = :name", values
            )
    connection.execute("COMMIT")


def find_problem(connection: sqlite3.Connection, pragma: str) -> str | None:
    """Returns the first problem that integrity_check or quick_check reports. Raises sqlite3.Error if it cannot run."""
    try:
        ((problem,),) = connection.execute(f"PRAGMA {pragma}(1)").fetchall()
    except sqlite3.DatabaseError as error:
        if database.is_damage(error):
            return str(error)
        raise
    return None if problem == "ok" else " ".join(str(problem).split())


def verify(path: Path, watch: Callable[[sqlite3.Connection], None]) -> Contents:
    """As `examine`, but raises FileError also if the derived data does not fit the messages."""
    held = examine(path, watch)
    if held.misfit:
        raise FileError(f"{path}: {held.misfit}. {REPAIR.format(path)}")
    return held


@database.all_translated()
def examine(path: Path, watch: Callable[[sqlite3.Connection], None]) -> Contents:
    """Checks a whole database or backup, also while a service uses it; changes nothing.

    `watch` gets the connection, so that another thread can interrupt it. Raises FileError if the file is damaged,
    SchemaError if it is another program's or newer, StorageUnavailable.
    """
    if not path.exists():
        raise FileError(f"there is no file {path}")
    revision = schema.read_revision(path)
    if revision is None:
        raise FileError(f"{path} holds no chat yet")
    with closing(database.connect(path, read_only=True)) as connection:
        watch(connection)
        connection.execute("BEGIN")
        problem = find_problem(connection, "integrity_check")
        if problem is None and connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            problem = "a row names another that is not there"
        if problem is not None:
            raise FileError(f"{path} is damaged: {problem}. {database.REMEDY.format(path)}")
        return count(connection, revision)._replace(misfit=_find_misfit(connection))


def _find_misfit(connection: sqlite3.Connection) -> str:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    public, rooms = (
        ("recipient_id IS NULL AND room_id IS NULL", _ROOMS) if "room" in tables else ("recipient_id IS NULL", "0")
    )
    for problem, (table, query) in _DERIVED.items():
        if table in tables and connection.execute(query.format(public=public, rooms=rooms)).fetchone() is not None:
            return problem
    return ""


def count(connection: sqlite3.Connection, revision: str) -> Contents:
    """Counts the file's contents. Accounts that nobody can log in to are no users."""
    (users,) = connection.execute("SELECT count(*) FROM user WHERE password_hash <> ''").fetchone()
    (messages,) = connection.execute("SELECT count(*) FROM message").fetchone()
    return Contents(users, messages, revision)
