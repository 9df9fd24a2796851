"""Connections to the SQLite file, with the pragmas that the promises need. Holds none of the chat's statements."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from service import programs
from service.errors import StorageDamaged, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORAGE_TIMEOUT: Final = 2.0  # seconds to wait for a locked database; a shutdown has 5 s in all
_FILE_MODE: Final = 0o600
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)  # SQLITE_CORRUPT_VTAB is the search index
_NEWEST_IDS: Final = "SELECT group_concat(name || ' ' || seq || char(10), '') FROM sqlite_sequence"
_WRITER_CACHE_KIB: Final = 65_536  # of pages at most: enough for the ends of the indexes of a large history
_READER_CACHE_KIB: Final = 256  # of pages; a reader reads one or two pages of history
_JOURNAL_LIMIT: Final = 16 << 20  # bytes that the -wal keeps after a checkpoint
CHECKPOINT_PAGES: Final = 4_000  # of the -wal, 16 MiB; with SQLite's default of 1,000 the same pages are written often
# The files beside a database in use: those of SQLite, lock.py, service/admin/control.py and backup.py.
_BESIDE: Final = ("-wal", "-shm", "-journal", "-lock", "-control", "-backup")
REMEDY: Final = f"With the service stopped, `{programs.ADMIN} restore BACKUP --db {{}}` puts a backup in its place"
# sqlite3 must not begin transactions by itself. The second setting is the default, but a later Python will change it.
_MANUAL: Final[dict[str, Any]] = {"isolation_level": None}
if sys.version_info >= (3, 12):
    _MANUAL["autocommit"] = sqlite3.LEGACY_TRANSACTION_CONTROL


def connect(path: Path, *, read_only: bool = False, timeout: float = STORAGE_TIMEOUT) -> sqlite3.Connection:
    """Returns a connection without automatic transactions; the caller closes it. The file must exist.

    It waits `timeout` seconds for a lock. Raises sqlite3.Error.
    """
    mode = "ro" if read_only else "rw"
    connection: sqlite3.Connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=timeout, **_MANUAL
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON").fetchall()  # what is deleted is overwritten with zeros
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_writer(
    path: Path, *, timeout: float = STORAGE_TIMEOUT, checkpoint_pages: int = CHECKPOINT_PAGES
) -> sqlite3.Connection:
    """Returns the writer thread's connection. A commit is on disk when it returns, even after a power cut."""
    connection = connect(path, timeout=timeout)
    try:
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
        connection.execute("PRAGMA temp_store = MEMORY")  # for savepoints: on disk each one creates and removes a file
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Returns a connection that cannot write. `mode=ro` would not do: it cannot open a WAL without its -shm."""
    connection = connect(path)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create_file(path: Path) -> bool:
    """Creates an empty file of mode 0600, or sets that mode on an old one; returns True if it is new. Raises OSError.

    SQLite gives the -wal and the -shm the file's mode. An old file is not opened here: closing it would drop the locks
    that SQLite holds on it elsewhere in this process.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _FILE_MODE))
    except FileExistsError:
        return False
    return True


def restrict_mode(path: Path) -> None:
    """Restricts the file, and the files that SQLite may have left beside it, to their owner. Raises OSError."""
    for suffix in ("", "-wal", "-shm", "-lock"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.chmod(_FILE_MODE)


def find_own(path: Path, other: Path) -> Path | None:
    """Returns which file of the database at `path` the other path is, directly or by a link; None if it is none.

    If the database has a second name, as a hard link, the files beside that name count too. A hard link to one of these
    in another folder is not found: that would need a search of the whole disk.
    """
    path, whole = path.resolve(), other.resolve()
    for own in (path, *(path.with_name(path.name + suffix) for suffix in _BESIDE)):
        if whole == own:  # the file may not exist now
            return own
        with suppress(OSError):
            if own.samefile(whole):
                return own
    for suffix in _BESIDE:  # a service may have opened the database by another name than `path`
        base = whole.with_name(whole.name.removesuffix(suffix) or whole.name)
        with suppress(OSError):
            if base != whole and os.path.samestat(base.lstat(), path.stat()):  # SQLite has none beside a symbolic link
                return whole
    return None


def keep_owner(descriptor: int, like: Path) -> None:
    """Gives a new, open file the owner of the other: root may maintain a service's files. Raises OSError."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises StorageUnavailable for SQLite's errors about the file; leaves the errors of a bug as they are."""
    try:
        yield
    except sqlite3.Error as error:
        if is_unavailable(error):
            raise translated(error) from error
        raise


@contextmanager
def all_translated() -> Iterator[None]:
    """Raises StorageUnavailable for every SQLite error: for callers that know no SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error


def translated(error: sqlite3.Error, prefix: str = "") -> StorageUnavailable:
    """Returns the service's error for an SQLite error about the file."""
    return (StorageDamaged if is_damage(error) else StorageUnavailable)(f"{prefix}{error}")


def is_damage(error: sqlite3.Error) -> bool:
    """Returns whether SQLite has found a page or a header that must be wrong."""
    return getattr(error, "sqlite_errorcode", None) in _DAMAGED


def describe_damage(path: Path, problem: object) -> str:
    """Returns the line for the operator."""
    return f"{path} is damaged: {problem}. `{programs.ADMIN} verify {path}` checks it. {REMEDY.format(path)}"


def is_unavailable(error: sqlite3.Error) -> bool:
    """Returns whether the file (locked, full, read-only, damaged) is the cause, not a statement or its values."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Moves the -wal into the file and empties it, if no reader is active; returns whether it is empty.

    For the writer's connection only.

    It does not wait for readers: a query left open in sqlite3 must not delay the following writes.
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    set_timeout(connection, 0)
    try:
        ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        set_timeout(connection, before / 1000)
    return not busy


def set_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    """Sets how long this connection waits for a lock."""
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}").fetchall()


def newest_ids(connection: sqlite3.Connection) -> str:
    """Returns the newest id ever given in each table, as lines of its name and the id."""
    (lines,) = connection.execute(_NEWEST_IDS).fetchone()
    return lines or ""
