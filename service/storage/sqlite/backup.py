"""Copies a database to a file of its own, beside a busy service, and puts such a copy back into place.

Nothing half-made ever has the final name: a copy is made beside it, checked, synced and renamed.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.clock import utcnow
from service.errors import FileError, StorageUnavailable
from service.storage.sqlite import database, integrity, schema
from service.storage.sqlite.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.contract import Contents

STEP_PAGES: Final = 2_560  # of 4 KiB, copied in one step: some 20 ms; after each progress shows, and Ctrl-C counts
_FOLDER_MODE: Final = 0o700
_LEFT: Final = ("-wal", "-journal")  # what a crash leaves beside a database, and the next program moves into it


class Task:
    """What another thread may know of long work, and how it ends it."""

    def __init__(self) -> None:
        self.doing = ""
        self.stopped = False
        self._connection: sqlite3.Connection | None = None

    def watch(self, connection: sqlite3.Connection) -> None:
        """The work goes on with that connection. Raises StorageUnavailable once it is stopped."""
        self._connection = connection
        self.check()

    def check(self) -> None:
        """Raises StorageUnavailable once it is stopped."""
        if self.stopped:
            raise StorageUnavailable("stopped")

    def stop(self) -> None:
        """From another thread: the work raises StorageUnavailable soon, and cleans up.

        A statement that begins just now may miss it: call it until the work has ended.
        """
        self.stopped = True
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # closed just now
                self._connection.interrupt()


def time_stamp() -> str:
    """The time, to the second, for a file's name."""
    return utcnow().strftime("%Y-%m-%dT%H%M%SZ")


@database.all_translated()
def backup(source: Path, target: Path, task: Task, *, overwrite: bool = False, step: int = STEP_PAGES) -> Contents:
    """Copies the database as it is at one moment; returns what the copy holds, which is complete in itself.

    The service may run: readers and its writer wait for nothing, but the -wal grows until the copy is made. `step`:
    pages copied at once. Raises FileError, SchemaError, StorageUnavailable, OSError; `target` is then as it was.
    """
    _refuse_own(source, target)
    if schema.read_revision(source) is None:
        raise FileError(f"{source} holds no chat; nothing was backed up")
    target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    _refuse_existing(target, overwrite=overwrite)
    with _temporary(target) as part:
        copied = _copy(source, part, task, step)
        task.doing = "checking"
        held = integrity.verify(part, task.watch)
        if held != copied:
            raise FileError(f"the copy of {source} has other counts than it; nothing was backed up")
        _refuse_existing(target, overwrite=overwrite)
        _put(part, target)
    return held


@database.all_translated()
def restore(source: Path, path: Path, task: Task) -> tuple[Contents, Path | None]:
    """Puts a checked copy of the backup `source` in the database's place; returns what it holds, and the old file.

    Logins' tokens are those of the backup. Ids go on after the newest one ever given, as far as that is known. Raises
    FileError, also while a service runs, SchemaError, StorageUnavailable, OSError; the database is then as it was.
    """
    path = path.resolve()
    _refuse_own(path, source)
    task.doing = "checking"
    held = integrity.verify(source, task.watch)
    with closing(FileLock(path)) as lock, _temporary(path) as part:
        if _copy(source, part, task) != held:
            raise FileError(f"{source} changes; restore a backup that nobody writes to")
        given = _settle_old(path, integrity.parse_ids(lock.newest))
        with closing(database.connect(part)) as connection:
            integrity.raise_ids(connection, given)
        old = _set_aside(path)
        _put(part, path, old or path.parent)
    return held, old


def _refuse_own(path: Path, backup: Path) -> None:
    """A backup is no file of the database itself, whatever SQLite holds there just now, nor a link to one."""
    own = database.find_own(path, backup)
    if own is not None:
        what = "the database itself" if own == path.resolve() else f"the database's own {own.name}"
        raise FileError(f"{backup} is {what}; name another file")


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise FileError(f"{target} is a folder; name a file")
    if target.exists() and not overwrite:
        raise FileError(f"{target} is there already; name another file, or use --overwrite")
    for suffix in _LEFT:
        left = target.with_name(target.name + suffix)
        if left.exists():  # SQLite would take what is in it for a part of the copy
            raise FileError(f"{left} is there: {target} is in use, or was when a program crashed. Name another file")


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """An empty file of mode 0600 beside the target; removed, if it still has that name, whatever happens."""
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


def _copy(source: Path, part: Path, task: Task, step: int = STEP_PAGES) -> Contents:
    """Copies one snapshot into the empty file `part`, as a database that needs no -wal; counts what is in it.

    The copy gets an identity of its own: it is older than its source soon, and nothing is lost by that.
    """

    def tell(_: int, left: int, total: int) -> None:
        task.doing = f"copying, {(total - left) * 100 // max(1, total)} %"
        task.check()

    with (
        closing(database.connect(source, read_only=True)) as reading,
        closing(database.connect(part)) as writing,
    ):
        task.watch(reading)
        # The transaction keeps one snapshot over all steps: without it each commit in between begins the copy anew.
        reading.execute("BEGIN")
        (revision,) = reading.execute("SELECT version_num FROM alembic_version").fetchone()
        contents = integrity.count(reading, revision)
        writing.execute("PRAGMA synchronous = OFF")  # synced once, below
        reading.backup(writing, pages=step, progress=tell)
        reading.execute("ROLLBACK")
        writing.execute("PRAGMA journal_mode = DELETE")
        integrity.identify(writing, anew=True)
    return contents


def _put(part: Path, target: Path, owner: Path | None = None) -> None:
    """Gives a finished file its name, so that after a power cut it is whole, or not there. No connection is open."""
    _sync(part, owner)
    part.replace(target)
    _sync(target.parent)


def _sync(path: Path, owner: Path | None = None) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if owner is not None:
            database.keep_owner(descriptor, owner)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle_old(path: Path, given: dict[str, int]) -> dict[str, int]:
    """Moves the -wal of the old file into it, if it can still be read; gives the newest ids ever given."""
    if path.exists():
        try:
            with closing(database.connect(path)) as connection:
                for table, newest in integrity.parse_ids(database.newest_ids(connection)).items():
                    given[table] = max(newest, given.get(table, 0))
                connection.execute("PRAGMA journal_mode = DELETE")
        except (sqlite3.Error, ValueError):
            pass  # it is damaged, or none of ours: that is why a backup is put in its place
    return given


def _set_aside(path: Path) -> Path | None:
    """Gives the old file a second name, with the time; nothing stays that SQLite would take for the new one's.

    The first name goes straight from the old file to the new one: never is there a moment without a database, in which
    a service would make an empty one.
    """
    old = path.with_name(f"{path.stem}-before-{time_stamp()}{path.suffix}")
    for suffix in _LEFT:  # if it could not be read
        left = path.with_name(path.name + suffix)
        if left.exists():
            left.rename(old.with_name(old.name + suffix))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    if not path.exists():
        return None
    try:
        old.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        path.rename(old)
    return old
