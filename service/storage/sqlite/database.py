"""Connections to the SQLite file, with the pragmas that the promises rest on. No statements of the chat's own."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from service.errors import StorageDamaged, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORAGE_TIMEOUT: Final = 2.0  # seconds to wait for a locked database; leaves time within the 5 s for a shutdown
_FILE_MODE: Final = 0o600
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)  # not SQLITE_CORRUPT_VTAB: that is the search index
_NEWEST_IDS: Final = "SELECT group_concat(name || ' ' || seq || char(10), '') FROM sqlite_sequence"
_WRITER_CACHE_KIB: Final = 65_536  # of pages, at most: the ends of the indexes of a large history
_READER_CACHE_KIB: Final = 256  # of pages; a reader lives for a page of history or two
_JOURNAL_LIMIT: Final = 16 << 20  # bytes that the -wal keeps after a checkpoint
_CHECKPOINT_PAGES: Final = 4_000  # in the -wal, which are as many bytes; SQLite's own 1,000 write the same pages often
# What stands beside a database while it is in use: SQLite's files, that of lock.py and service/admin/control.py's.
_BESIDE: Final = ("-wal", "-shm", "-journal", "-lock", "-control")
REMEDY: Final = "With the service stopped, `python3 -m service.admin restore BACKUP --db {}` puts a backup in its place"
# No transactions but our own. The second is the default still, and named because a later Python will change it.
_MANUAL: Final[dict[str, Any]] = {"isolation_level": None}
if sys.version_info >= (3, 12):
    _MANUAL["autocommit"] = sqlite3.LEGACY_TRANSACTION_CONTROL


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection without transactions of its own; the caller closes it. The file must be there.

    It waits STORAGE_TIMEOUT for a lock. Raises sqlite3.Error.
    """
    mode = "ro" if read_only else "rw"
    connection: sqlite3.Connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=STORAGE_TIMEOUT, **_MANUAL
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """The connection of the writer thread: what it commits is on disk, also after a power cut."""
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")  # savepoints: on disk each of them makes and removes a file
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; not `mode=ro`, which cannot open a WAL whose -shm is not there yet."""
    connection = connect(path)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create_file(path: Path) -> bool:
    """Makes an empty file of mode 0600, or gives an old one that mode; true if it is new. Raises OSError.

    SQLite gives the -wal and -shm the mode of the file. An old file is not opened here: closing it would drop the locks
    that SQLite holds on it elsewhere in this process.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _FILE_MODE))
    except FileExistsError:
        return False
    return True


def restrict_mode(path: Path) -> None:
    """Takes the file, and what SQLite may have left beside it, from everyone but its owner. Raises OSError."""
    for suffix in ("", "-wal", "-shm", "-lock"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.chmod(_FILE_MODE)


def find_own(path: Path, other: Path) -> Path | None:
    """Which of the files of the database at `path` the other path is, be it by a link; None if it is none of these.

    Of a database that has a second name, as a hard link, the files beside that name are its own as well. One of these
    by a hard link of its own, elsewhere, is not found: for that all folders of the disk had to be searched.
    """
    path, whole = path.resolve(), other.resolve()
    for own in (path, *(path.with_name(path.name + suffix) for suffix in _BESIDE)):
        if whole == own:  # it need not be there just now
            return own
        with suppress(OSError):
            if own.samefile(whole):
                return own
    for suffix in _BESIDE:  # of a service that opened the database by another name than `path`
        base = whole.with_name(whole.name.removesuffix(suffix) or whole.name)
        with suppress(OSError):
            if base != whole and os.path.samestat(base.lstat(), path.stat()):  # beside a symbolic link SQLite has none
                return whole
    return None


def keep_owner(descriptor: int, like: Path) -> None:
    """Gives a new, open file to whom the other belongs: root may look after the files of a service. Raises OSError."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns what SQLite raises when the file cannot be used into StorageUnavailable; a bug stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        if is_unavailable(error):
            raise translated(error) from error
        raise


@contextmanager
def all_translated() -> Iterator[None]:
    """Turns whatever SQLite raises into StorageUnavailable: for work whose caller knows no SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error


def translated(error: sqlite3.Error, prefix: str = "") -> StorageUnavailable:
    """What the service makes of an error that the file is to blame for."""
    return (StorageDamaged if is_damage(error) else StorageUnavailable)(f"{prefix}{error}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite met a page, or a header, that cannot be right."""
    return getattr(error, "sqlite_errorcode", None) in _DAMAGED


def describe_damage(path: Path, problem: object) -> str:
    """The line for the operator of a service that meets it."""
    return f"{path} is damaged: {problem}. `python3 -m service.admin verify {path}` checks it. {REMEDY.format(path)}"


def is_unavailable(error: sqlite3.Error) -> bool:
    """Whether the file (locked, full, read-only, damaged) is to blame rather than a statement or its values."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def checkpoint(connection: sqlite3.Connection) -> None:
    """Moves the -wal into the file and empties it, if no reader is at work. Only the writer's connection may.

    It does not wait for readers: a query that is left open in sqlite3 must not hold up the writes that come next.
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    set_timeout(connection, 0)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        set_timeout(connection, before / 1000)


def set_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    """How long this connection waits for a lock."""
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}").fetchall()


def newest_ids(connection: sqlite3.Connection) -> str:
    """The newest id ever given in each table, as lines of its name and the id."""
    (lines,) = connection.execute(_NEWEST_IDS).fetchone()
    return lines or ""
