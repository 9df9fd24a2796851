"""Connections to the file: what each kind may do, whose the files are, and which errors are the file's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.errors import StorageDamaged, StorageUnavailable
from service.storage.sqlite import database

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one table."""
    path = tmp_path / "chat.db"
    database.create_file(path)
    with closing(database.connect_writer(path)) as connection:
        connection.execute("CREATE TABLE scratch (n INTEGER PRIMARY KEY AUTOINCREMENT)")
    return path


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO scratch VALUES (NULL)")


# -- connections ------------------------------------------------------------------------------------------------------
def test_an_acknowledged_write_is_synced(path: Path) -> None:
    """The writer's connection runs in WAL mode with synchronous=FULL."""
    with closing(database.connect_writer(path)) as connection:
        assert [pragma(connection, name) for name in ("journal_mode", "synchronous")] == ["wal", 2]


def test_the_wal_is_not_moved_before_it_is_worth_it(path: Path) -> None:
    """As many pages gather in the -wal as its limit of bytes holds, so that a page written often is moved once."""
    with closing(database.connect_writer(path)) as connection:
        size = connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0]
        size *= connection.execute("PRAGMA page_size").fetchone()[0]
    assert 0.9 * database._JOURNAL_LIMIT < size <= database._JOURNAL_LIMIT


def test_a_reader_only_reads(path: Path) -> None:
    """A slip elsewhere is an error, not a second writer."""
    with closing(database.connect_reader(path)) as connection:
        assert connection.execute("SELECT count(*) FROM scratch").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            insert(connection)


def test_no_connection_begins_a_transaction_by_itself(path: Path) -> None:
    """Python's own would be open after any INSERT; and foreign keys hold."""
    for connect in (database.connect, database.connect_writer):
        with closing(connect(path)) as connection:
            insert(connection)
            assert not connection.in_transaction
            assert pragma(connection, "foreign_keys") == 1


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """A wrong path is an error at once."""
    for connect in (database.connect, database.connect_writer, database.connect_reader):
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            connect(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_waits_for_no_reader(path: Path) -> None:
    """A query that somebody leaves open holds up no write, however long the time-out for locks is."""
    with closing(database.connect_writer(path)) as connection, closing(sqlite3.connect(path)) as other:
        insert(connection)
        other.execute("BEGIN")
        other.execute("SELECT * FROM scratch").fetchall()
        insert(connection)
        database.set_timeout(connection, 3600)
        database.checkpoint(connection)
        assert pragma(connection, "busy_timeout") == 3_600_000


def test_a_checkpoint_empties_the_wal(path: Path) -> None:
    """What it held is in the file."""
    with closing(database.connect_writer(path)) as connection:
        insert(connection)
        wal = path.with_name("chat.db-wal")
        assert wal.stat().st_size
        database.checkpoint(connection)
        assert wal.stat().st_size == 0


def test_the_newest_ids_outlast_their_rows(path: Path) -> None:
    """A line for each table that has given one."""
    with closing(database.connect_writer(path)) as connection:
        assert database.newest_ids(connection) == ""
        insert(connection)
        connection.execute("DELETE FROM scratch")
        assert database.newest_ids(connection) == "scratch 1\n"


# -- files ------------------------------------------------------------------------------------------------------------
def test_a_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """The second time it is left as it is."""
    path = tmp_path / "chat.db"
    assert database.create_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"old")
    assert not database.create_file(path)
    assert path.read_bytes() == b"old"


def test_what_was_open_to_others_is_taken_from_them(tmp_path: Path) -> None:
    """With what stands beside it; nothing is made."""
    parts = [tmp_path / f"chat.db{suffix}" for suffix in ("", "-wal", "-lock")]
    for part in parts:
        part.touch(0o644)
    database.restrict_mode(parts[0])
    assert {part: part.stat().st_mode & 0o777 for part in tmp_path.iterdir()} == dict.fromkeys(parts, 0o600)


def test_own_files_are_found_by_any_name(tmp_path: Path) -> None:
    """By a path with dots, by links of both kinds, and where they are still to be made; others are not."""
    path = tmp_path / "chat.db"
    path.touch()
    soft, hard = tmp_path / "soft.db", tmp_path / "hard.db"
    soft.symlink_to(path)
    hard.hardlink_to(path)
    for name in (tmp_path / "." / "chat.db", soft, hard):
        assert database.find_own(path, name) == path
    for beside in ("chat.db-wal", "chat.db-control", "hard.db-shm"):
        assert database.find_own(path, tmp_path / beside) == tmp_path / beside
    for other in ("other.db", "other.db-wal", "soft.db-wal"):
        assert database.find_own(path, tmp_path / other) is None


# -- errors -----------------------------------------------------------------------------------------------------------
def test_a_file_that_cannot_be_used_is_unavailable(path: Path) -> None:
    """A lock is; a damaged file is that, too, and said so."""
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(StorageDamaged), database.translated_errors(), closing(database.connect_writer(path)):
        pass
    with pytest.raises(StorageUnavailable, match="unable to open") as error, database.translated_errors():
        database.connect(path.with_name("missing.db"))
    assert not isinstance(error.value, StorageDamaged)


def test_a_bug_stays_what_it_is(path: Path) -> None:
    """A value that a constraint refuses is not the file's fault, unless the caller knows no SQLite."""
    with closing(database.connect_writer(path)) as connection:
        connection.execute("INSERT INTO scratch VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError), database.translated_errors():
            connection.execute("INSERT INTO scratch VALUES (1)")
        with pytest.raises(StorageUnavailable), database.all_translated():
            connection.execute("INSERT INTO scratch VALUES (1)")
