"""Brings a database file to this program's schema, or refuses it untouched. The migrations are the schema's source.

Alembic is imported only for an upgrade: the import takes a quarter of a second.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.errors import FileError, SchemaError
from service.storage.sqlite import database
from service.storage.sqlite.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Sequence

MIGRATIONS: Final = Path(__file__).resolve().parents[3] / "migrations"
APPLICATION_ID: Final = 0x43484154  # "CHAT" in the file's header; `file chat.db` shows it


def revisions(migrations: Path = MIGRATIONS) -> list[str]:
    """Returns the revisions that this program knows, oldest first: the numbers at the start of the files' names."""
    return sorted(path.name.split("_")[0] for path in (migrations / "versions").glob("[0-9]*_*.py"))


def init_db(path: Path) -> str:
    """As `prepare`, but does not touch a current database, because a service may have it open.

    Raises FileError if there is work to do and another program holds the lock.
    """
    path = path.resolve()
    if read_revision(path) == revisions()[-1]:
        return "current"
    with closing(FileLock(path)):
        return prepare(path)


def prepare(path: Path, migrations: Path = MIGRATIONS) -> str:
    """Creates, upgrades or accepts the database at `path`; returns "created", "upgraded" or "current".

    The caller holds its lock. Raises SchemaError with one line for the operator if the file is newer, another
    program's, no database, or cannot be created or opened; FileError if it is damaged. The file is unchanged then.
    """
    known = revisions(migrations)
    found = read_revision(path, known)
    try:
        created = database.create_file(path)
    except OSError as error:
        raise SchemaError(f"cannot make the database {path}: {error.strerror}") from error
    try:
        if found != known[-1]:
            _upgrade(path, migrations)
        database.restrict_mode(path)
    except BaseException as error:
        if created:
            path.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise SchemaError(f"cannot open the database {path}: {error}") from error
        if isinstance(error, OSError):
            raise SchemaError(f"cannot use the database {path}: {error.strerror}") from error
        raise
    if created:
        return "created"
    return "current" if found == known[-1] else "upgraded"


def read_revision(path: Path, known: Sequence[str] | None = None) -> str | None:
    """Returns the file's revision; None if the file is missing or empty. Changes nothing.

    Raises SchemaError if the file is newer, another program's, no database, or cannot be opened; FileError if it is
    damaged.
    """
    known = revisions() if known is None else known
    if path.is_dir():
        raise SchemaError(f"{path} is a folder. Name a file: --db {path / 'chat.db'}")
    if not path.parent.is_dir():
        raise SchemaError(f"cannot make the database {path}: {os.strerror(errno.ENOENT)}")
    if not path.exists():
        return None
    try:
        # A crash during the first start leaves a -journal. Only a connection that may write can roll it back.
        interrupted = path.with_name(f"{path.name}-journal").exists()
        with closing(database.connect(path, read_only=not interrupted)) as connection:
            return _read_revision(connection, path, known)
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise SchemaError(f"{path} is no SQLite database; it was left as it is. Name another file") from error
        if database.is_damage(error):
            raise FileError(database.describe_damage(path, error)) from error
        raise SchemaError(f"cannot open the database {path}: {error}") from error


def _read_revision(connection: sqlite3.Connection, path: Path, known: Sequence[str]) -> str | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if not tables and application_id in (0, APPLICATION_ID):
        return None
    if application_id != APPLICATION_ID or "alembic_version" not in tables:
        raise SchemaError(f"{path} is another program's database; it was left as it is. Name another file")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is not None and row[0] not in known:
        raise SchemaError(
            f"{path} was made by a newer version of the service (schema {row[0]}, this one knows {known[-1]}); "
            "it was left as it is. Update this program"
        )
    return None if row is None else str(row[0])


def _upgrade(path: Path, migrations: Path) -> None:
    """Runs the missing migrations in one transaction. Two at once are safe: the second finds nothing to do."""
    import alembic.command  # noqa: PLC0415 (see the module's first lines)
    import alembic.config  # noqa: PLC0415
    import sqlalchemy  # noqa: PLC0415

    engine = sqlalchemy.create_engine(
        "sqlite://", creator=lambda: database.connect(path), poolclass=sqlalchemy.pool.NullPool
    )

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin_immediate(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = alembic.config.Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
    except sqlalchemy.exc.DBAPIError as error:
        raise SchemaError(f"cannot upgrade the database {path}: {error.orig}; it was left as it was") from error
    finally:
        engine.dispose()
