"""Opens the engine that the database's name selects. Nothing else in the service imports an engine.

A path names a SQLite file, a URL a database of PostgreSQL, whose packages are imported only then. contract.py describes
what an engine does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from service import programs
from service.errors import ConfigError, SchemaError
from service.storage import transfer
from service.storage.postgres.advice import advise
from service.storage.sqlite import backup as copies
from service.storage.sqlite import integrity, schema
from service.storage.sqlite import repair as repairs
from service.storage.sqlite import transfer as sqlite_transfer
from service.storage.sqlite.backup import Task, time_stamp
from service.storage.sqlite.engine import SqliteStorage
from service.storage.sqlite.integrity import REPAIR
from service.storage.sqlite.orders import OfflineStorage
from service.storage.url import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from service.storage.contract import AccountStorage, HandOver, Storage
    from service.storage.news import TakeNews
    from service.storage.records import Contents

__all__ = [
    "REPAIR",
    "Task",
    "backup",
    "compact",
    "copy",
    "exists",
    "init_db",
    "is_older",
    "is_url",
    "open_offline",
    "open_storage",
    "refuse_older",
    "refuse_url",
    "repair",
    "restore",
    "time_stamp",
    "verify",
]


def open_storage(
    db: str | Path,
    hand_over: HandOver,
    *,
    max_db: int = 0,
    keep_free: int = 0,
    take_news: TakeNews | None = None,
    node_name: str = "",
    figures: Callable[[], Mapping[str, Any]] | None = None,
) -> Storage:
    """Opens the database for a service; creates or upgrades it first if needed.

    `hand_over` gets the callbacks of writes with their arguments, in commit order. `max_db`: bytes that the database
    may use; `keep_free`: bytes to leave free on its disk; 0 for no limit. Where several services share a database,
    `hand_over` also gets `take_news` with each News, in the same order; `node_name` and `figures` are for NodeView,
    and `figures` is called on the writer thread. Raises ConfigError, SchemaError, FileError, StorageUnavailable.
    """
    if is_url(db):
        shared: Storage = _postgres("engine").PostgresStorage(
            db, hand_over, max_db=max_db, keep_free=keep_free, take_news=take_news, node_name=node_name, figures=figures
        )
        return shared
    return SqliteStorage(Path(db), hand_over, max_db=max_db, keep_free=keep_free)


def open_offline(db: str | Path) -> AccountStorage:
    """Opens the database for an operator's orders: a file while no service runs.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable.
    """
    if is_url(db):
        shared: AccountStorage = _postgres("orders").OfflineStorage(db)
        return shared
    return OfflineStorage(Path(db))


def exists(db: str | Path) -> bool:
    """Returns whether the database, or something in its place, exists. Raises ConfigError, StorageUnavailable."""
    if is_url(db):
        return _postgres("schema").read_revision(db) is not None
    return Path(db).exists()


def is_older(db: str | Path) -> bool:
    """Returns whether the database needs an upgrade. Changes nothing. Raises ConfigError, SchemaError, FileError."""
    if is_url(db):
        shared = _postgres("schema")
        return shared.read_revision(str(db)) not in {None, shared.revisions()[-1]}
    return schema.read_revision(Path(db)) not in {None, schema.revisions()[-1]}


def refuse_older(db: str | Path) -> None:
    """For what would upgrade the database on the way: without a backup there is no way back to the older program.

    Raises SchemaError with what to type; ConfigError, FileError.
    """
    if is_older(db):
        backup = "" if is_url(db) else " --backup"
        raise SchemaError(f"{db} is of an older version. Type: {programs.ADMIN} init-db {quote(str(db))}{backup}")


def init_db(db: str | Path, *, services: Sequence[str] = (), readers: Sequence[str] = ()) -> tuple[str, str]:
    """Creates or upgrades the database; returns "created", "upgraded" or "current", and its schema's revision.

    It does not touch a current file, because a service may have it open. `services` and `readers` are roles of
    PostgreSQL's, which get the rights to serve there, and to read the promised views. Raises ConfigError, SchemaError,
    FileError, StorageUnavailable.
    """
    if is_url(db):
        shared = _postgres("schema")
        return shared.init_db(str(db), shared.Rights(services, readers)), shared.revisions()[-1]
    if services or readers:
        raise ConfigError("--service and --reader name roles of PostgreSQL; of a file the owner alone can read it")
    return schema.init_db(Path(db)), schema.revisions()[-1]


def backup(db: str | Path, target: Path, task: Task, *, overwrite: bool = False) -> Contents:
    """Copies one snapshot of the database, also while the service runs; returns what the copy holds.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable, OSError; `target` is unchanged then.
    """
    return copies.backup(Path(db), target, task, overwrite=overwrite)


def restore(source: Path, db: str | Path, task: Task) -> tuple[Contents, Path | None]:
    """Puts a backup in the database's place while no service runs; returns what it holds, and the old file.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable, OSError; the database is unchanged then.
    """
    return copies.restore(source, Path(db), task)


def verify(db: str | Path, task: Task) -> Contents:
    """Checks a whole database or backup, also while the service runs; changes nothing.

    Raises ConfigError, SchemaError, FileError if it is damaged, StorageUnavailable.
    """
    return integrity.verify(Path(db), task.watch)


def repair(db: str | Path, task: Task) -> Contents:
    """Makes the counts and the search index anew from the messages, while no service runs.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable; the database is unchanged then.
    """
    return repairs.repair(Path(db), task)


def compact(db: str | Path, task: Task) -> tuple[Contents, int, int]:
    """Gives free space in the file back, while no service runs; returns what it holds, and its bytes before and now.

    Raises ConfigError, SchemaError, FileError, StorageUnavailable, OSError; the database is unchanged then.
    """
    return repairs.compact(Path(db), task)


def copy(source: str | Path, target: str | Path, task: Task) -> Contents:
    """Copies a chat from a file to a database of PostgreSQL, or back, and compares both; returns what was copied.

    Nobody may use either meanwhile, and `target` may hold nothing yet. Raises ConfigError, FileError, SchemaError,
    StorageUnavailable, OSError; both are unchanged then.
    """
    if is_url(source) == is_url(target):
        raise ConfigError(
            "copy goes from a file to a postgresql:// URL, or back; "
            f"`{programs.ADMIN} backup` copies a file, and pg_dump a database of PostgreSQL"
        )
    refuse_older(source)
    if is_url(source):
        copying = _postgres("transfer").reading(str(source), task), sqlite_transfer.writing(Path(target), task)
    else:
        copying = sqlite_transfer.reading(Path(source), task), _postgres("transfer").writing(str(target), task)
    with copying[0] as read, copying[1] as written:
        return transfer.copy(read, written, task)


def refuse_url(command: str, db: str | Path) -> None:
    """For an operator's command that needs a file. Raises ConfigError for a URL, with what to type instead."""
    if is_url(db):
        raise ConfigError(advise(command, str(db)))


def _postgres(module: str) -> ModuleType:
    """Returns a module of the engine. Raises ConfigError where its package is missing."""
    try:
        return import_module(f"{__name__}.postgres.{module}")
    except ImportError as error:  # of psycopg either the package can be missing, or its library of C
        if (error.name or "psycopg").partition(".")[0] != "psycopg":
            raise
        raise ConfigError(
            f"a database of PostgreSQL needs a package: {sys.executable} -m pip install 'psycopg[binary]'"
        ) from error
