"""Copies a database to another file, also while a service uses it, and puts such a copy back in its place.

An incomplete file never has the final name: the copy is written beside it, checked, synced and renamed.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.clock import format_time, utcnow
from service.errors import FileError, StorageUnavailable
from service.storage.records import BackupNote
from service.storage.sqlite import database, integrity, schema
from service.storage.sqlite.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.records import Contents

STEP_PAGES: Final = 2_560  # of 4 KiB, copied in a step of some 20 ms; between steps progress shows, and Ctrl-C works
_FOLDER_MODE: Final = 0o700
_LEFT: Final = ("-wal", "-journal")  # a crash leaves these beside a database; the next program moves them into it


class Task:
    """Long work, for another thread: its progress, and a way to stop it."""

    def __init__(self) -> None:
        self.doing = ""
        self.stopped = False
        self._connection: sqlite3.Connection | None = None

    def watch(self, connection: sqlite3.Connection) -> None:
        """Registers the connection that the work uses now. Raises StorageUnavailable once stopped."""
        self._connection = connection
        self.check()

    def check(self) -> None:
        """Raises StorageUnavailable once stopped."""
        if self.stopped:
            raise StorageUnavailable("stopped")

    def stop(self) -> None:
        """Makes the work raise StorageUnavailable soon, and clean up. For another thread.

        A statement that begins at this moment may miss it, so call it until the work has ended.
        """
        self.stopped = True
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it was closed at this moment
                self._connection.interrupt()


def time_stamp() -> str:
    """Returns the time to the second, for a file's name."""
    return utcnow().strftime("%Y-%m-%dT%H%M%SZ")


@database.all_translated()
def backup(source: Path, target: Path, task: Task, *, overwrite: bool = False, step: int = STEP_PAGES) -> Contents:
    """Copies one snapshot of the database; returns what the copy holds.

    The service may run. Its readers and its writer do not wait, but the -wal grows during the copy. `step`: pages
    copied at once. Raises FileError, SchemaError, StorageUnavailable, OSError; `target` is unchanged then.
    """
    _refuse_own(source, target)
    if not source.exists():
        raise FileError(f"there is no database {source}; name it with --db")
    if schema.read_revision(source) is None:
        raise FileError(f"{source} holds no chat; nothing was backed up")
    target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    _refuse_existing(target, overwrite=overwrite)
    with temporary(target) as part:
        copied = _copy(source, part, task, step)
        task.doing = "checking"
        held = integrity.examine(part, task.watch)
        if held._replace(misfit="") != copied:
            raise FileError(f"the copy of {source} has other counts than it; nothing was backed up")
        _refuse_existing(target, overwrite=overwrite)
        put(part, target)
    _note(source, target)
    return held


def read_note(path: Path) -> BackupNote | None:
    """Returns which backup of the database at `path` was made last; None if none is known."""
    try:
        time, _, file = _note_of(path).read_text(errors="replace").rstrip("\n").partition(" ")
    except OSError:
        return None
    return BackupNote(time, file)


def _note(source: Path, target: Path) -> None:
    """Notes a new backup beside the database. Who may read there but not write makes backups all the same."""
    with suppress(OSError), temporary(_note_of(source)) as part:
        part.write_text(f"{format_time(utcnow())} {target.resolve()}\n", errors="replace")
        part.replace(_note_of(source))


def _note_of(path: Path) -> Path:
    path = path.resolve()
    return path.with_name(f"{path.name}-backup")


@database.all_translated()
def restore(source: Path, path: Path, task: Task) -> tuple[Contents, Path | None]:
    """Puts a checked copy of `source` in the database's place; returns what it holds, and the old file.

    The tokens are those of the backup. New ids follow the newest id ever given, as far as it is known. Raises
    FileError, also while a service runs, SchemaError, StorageUnavailable, OSError; the database is unchanged then.
    """
    path = path.resolve()
    _refuse_own(path, source)
    task.doing = "checking"
    held = integrity.examine(source, task.watch)
    with closing(FileLock(path)) as lock, temporary(path) as part:
        if _copy(source, part, task) != held._replace(misfit=""):
            raise FileError(f"{source} changes; restore a backup that nobody writes to")
        given = _settle_old(path, integrity.parse_ids(lock.newest))
        with closing(database.connect(part)) as connection:
            integrity.raise_ids(connection, given)
        old = _set_aside(path)
        put(part, path, old or path.parent)
    return held, old


def _refuse_own(path: Path, backup: Path) -> None:
    """Refuses a backup file that is one of the database's own files, or a link to one."""
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
        if left.exists():  # SQLite would read it as a part of the copy
            raise FileError(f"{left} is there: {target} is in use, or was when a program crashed. Name another file")


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """Creates an empty file of mode 0600 beside the target; removes it if it still has that name at the end."""
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


def _copy(source: Path, part: Path, task: Task, step: int = STEP_PAGES) -> Contents:
    """Copies one snapshot into the empty file `part`, as a database without a -wal; counts its contents.

    The copy gets its own identity: it soon is older than its source, without having lost anything.
    """

    def tell(_: int, left: int, total: int) -> None:
        task.doing = f"copying, {(total - left) * 100 // max(1, total)} %"
        task.check()

    with (
        closing(database.connect(source, read_only=True)) as reading,
        closing(database.connect(part)) as writing,
    ):
        task.watch(reading)
        # The transaction keeps one snapshot over all steps. Without it each commit of the service restarts the copy.
        reading.execute("BEGIN")
        (revision,) = reading.execute("SELECT version_num FROM alembic_version").fetchone()
        contents = integrity.count(reading, revision)
        writing.execute("PRAGMA synchronous = OFF")  # synced once, by put
        reading.backup(writing, pages=step, progress=tell)
        reading.execute("ROLLBACK")
        writing.execute("PRAGMA journal_mode = DELETE")
        integrity.identify(writing, anew=True)
    return contents


def put(part: Path, target: Path, owner: Path | None = None) -> None:
    """Gives a finished file its name, so that after a power cut the whole file is there or none. It must be closed."""
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
    """Moves the old file's -wal into it, if it is readable; returns the newest ids ever given."""
    if path.exists():
        try:
            with closing(database.connect(path)) as connection:
                for table, newest in integrity.parse_ids(database.newest_ids(connection)).items():
                    given[table] = max(newest, given.get(table, 0))
                connection.execute("PRAGMA journal_mode = DELETE")
        except (sqlite3.Error, ValueError):
            pass  # a damaged file, or another program's: the backup replaces it
    return given


def _set_aside(path: Path) -> Path | None:
    """Gives the old file a second name with the time, and removes what SQLite would take for the new file's.

    The first name passes directly from the old file to the new one. There is no moment without a database, in which a
    service would create an empty one.
    """
    old = path.with_name(f"{path.stem}-before-{time_stamp()}{path.suffix}")
    for suffix in _LEFT:  # they are left if the old file was unreadable
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
