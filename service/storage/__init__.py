"""Opens the engine that the database's name selects. Nothing else in the service imports an engine.

A path names a SQLite file; there is no other engine yet. contract.py describes what an engine does.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from service import programs
from service.errors import ConfigError, SchemaError
from service.storage.sqlite import backup as copies
from service.storage.sqlite import integrity, schema
from service.storage.sqlite import repair as repairs
from service.storage.sqlite.backup import Task, time_stamp
from service.storage.sqlite.engine import SqliteStorage
from service.storage.sqlite.integrity import REPAIR
from service.storage.sqlite.orders import OfflineStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.storage.contract import AccountStorage, HandOver, Storage
    from service.storage.news import TakeNews
    from service.storage.records import Contents

__all__ = [
    "REPAIR",
    "Task",
    "backup",
    "compact",
    "exists",
    "init_db",
    "is_older",
    "is_shared",
    "open_offline",
    "open_storage",
    "refuse_older",
    "repair",
    "restore",
    "time_stamp",
    "verify",
]

_MISSING_ENGINES: Final = ("postgresql://", "postgres://")


def open_storage(
    db: str | Path,
    hand_over: HandOver,
    *,
    max_db: int = 0,
    keep_free: int = 0,
    take_news: TakeNews | None = None,  # noqa: ARG001 (for an engine that several services share)
    node_name: str = "",  # noqa: ARG001
    figures: Callable[[], Mapping[str, float]] | None = None,  # noqa: ARG001
) -> Storage:
    """Opens the database for a service; creates or upgrades it first if needed.

    `hand_over` gets the callbacks of writes with their arguments, in commit order. `max_db`: bytes that the database
    may use; `keep_free`: bytes to leave free on its disk; 0 for no limit. Where several services share a database,
    `hand_over` also gets `take_news` with each News, in the same order; `node_name` and `figures` are for NodeView,
    and `figures` is called on the writer thread. Raises ConfigError, SchemaError, FileError.
    """
    return SqliteStorage(_path_of(db), hand_over, max_db=max_db, keep_free=keep_free)


def is_shared(db: str | Path) -> bool:
    """Returns whether several services can have the database open, as it is no file."""
    return str(db).startswith(_MISSING_ENGINES)


def open_offline(db: str | Path) -> AccountStorage:
    """Opens the database for an operator's orders while no service runs. Raises ConfigError, SchemaError, FileError."""
    return OfflineStorage(_path_of(db))


def exists(db: str | Path) -> bool:
    """Returns whether the database, or something in its place, exists. Raises ConfigError."""
    return _path_of(db).exists()


def is_older(db: str | Path) -> bool:
    """Returns whether the database needs an upgrade. Changes nothing. Raises ConfigError, SchemaError, FileError."""
    return schema.read_revision(_path_of(db)) not in {None, schema.revisions()[-1]}


def refuse_older(db: str | Path) -> None:
    """For what would upgrade the database on the way: without a backup there is no way back to the older program.

    Raises SchemaError with what to type; ConfigError, FileError.
    """
    if is_older(db):
        raise SchemaError(f"{db} is of an older version. Type: {programs.ADMIN} init-db {quote(str(db))} --backup")


def init_db(db: str | Path) -> tuple[str, str]:
    """Creates or upgrades the database; returns "created", "upgraded" or "current", and its schema's revision.

    It does not touch a current database, because a service may have it open. Raises ConfigError, SchemaError,
    FileError.
    """
    return schema.init_db(_path_of(db)), schema.revisions()[-1]


def backup(db: str | Path, target: Path, task: Task, *, overwrite: bool = False) -> Contents:
    """Copies one snapshot of the database, also while the service runs; returns what the copy holds.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable, OSError; `target` is unchanged then.
    """
    return copies.backup(_path_of(db), target, task, overwrite=overwrite)


def restore(source: Path, db: str | Path, task: Task) -> tuple[Contents, Path | None]:
    """Puts a backup in the database's place while no service runs; returns what it holds, and the old file.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable, OSError; the database is unchanged then.
    """
    return copies.restore(source, _path_of(db), task)


def verify(db: str | Path, task: Task) -> Contents:
    """Checks a whole database or backup, also while the service runs; changes nothing.

    Raises ConfigError, SchemaError, FileError if it is damaged, StorageUnavailable.
    """
    return integrity.verify(_path_of(db), task.watch)


def repair(db: str | Path, task: Task) -> Contents:
    """Makes the counts and the search index anew from the messages, while no service runs.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable; the database is unchanged then.
    """
    return repairs.repair(_path_of(db), task)


def compact(db: str | Path, task: Task) -> tuple[Contents, int, int]:
    """Gives free space in the file back, while no service runs; returns what it holds, and its bytes before and now.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable, OSError; the database is unchanged then.
    """
    return repairs.compact(_path_of(db), task)


def _path_of(db: str | Path) -> Path:
    if str(db).startswith(_MISSING_ENGINES):
        raise ConfigError(
            f"this service has no such engine yet: {str(db).partition(':')[0]}. Name a file: --db chat.db"
        )
    return Path(db)
