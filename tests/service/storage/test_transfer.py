"""service/storage/transfer.py: what goes over from one engine to the other, and how both are compared."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from service import storage
from service.errors import ConfigError, FileError, StorageUnavailable
from service.storage import Task, transfer
from service.storage.postgres import address
from service.storage.postgres.connection import connect
from service.storage.records import Contents
from service.storage.sqlite import database as sqlite_database
from service.storage.transfer import TABLES
from tests.support.copied import log_all_in, make_rich_chat, read_all
from tests.support.helpers import call_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from service.storage.transfer import Row


class Memory:
    """A source and a target that have rows, and nothing else."""

    revision = "0008"

    def __init__(self, rows: dict[str, list[Row]] | None = None) -> None:
        self.held = rows or {}

    def rows(self, table: str) -> Iterator[Row]:
        yield from self.held.get(table, [])

    def write(self, table: str, rows: Iterable[Row]) -> None:
        self.held[table] = list(rows)

    def derive(self, say: Callable[[str], None]) -> None:
        say("counting")


ACCOUNTS: list[Row] = [(1, "alice", "alice", "hash"), (2, "deleted-2", "", "")]


def test_all_rows_go_over_and_are_counted() -> None:
    """Accounts that nobody can log in to are no users."""
    source, target = Memory({"account": ACCOUNTS, "message": [(7, "text")]}), Memory()
    assert transfer.copy(source, target, Task()) == Contents(1, 1, "0008")
    assert {table: rows for table, rows in target.held.items() if rows} == source.held


@pytest.mark.parametrize("kept", [[], ACCOUNTS[:1], ACCOUNTS[::-1], [ACCOUNTS[0], (2, "deleted-2", "", None)]])
def test_a_copy_with_other_rows_is_refused(kept: list[Row]) -> None:
    """Whether some are missing, in another order, or differ in one value."""

    class Forgetful(Memory):
        def rows(self, table: str) -> Iterator[Row]:
            yield from kept if table == "account" else super().rows(table)

    with pytest.raises(FileError, match="other rows than its source in account"):
        transfer.copy(Memory({"account": ACCOUNTS}), Forgetful(), Task())


def test_a_copy_tells_what_it_does_and_can_be_stopped() -> None:
    """It says which table it is at, and ends there."""
    task = Task()

    class Stopping(Memory):
        def rows(self, table: str) -> Iterator[Row]:
            if table == "former_name":
                task.stop()
            yield (table, "", "", "")

    with pytest.raises(StorageUnavailable, match="stopped"):
        transfer.copy(Stopping(), Memory(), task)
    assert task.doing == "copying former name, 0"


@pytest.mark.parametrize("names", [("one.db", "two.db"), ("postgresql://one", "postgresql://two")])
def test_a_copy_goes_from_one_engine_to_the_other(names: tuple[str, str]) -> None:
    """Each has other means for a copy within it."""
    with pytest.raises(ConfigError, match="from a file to a postgresql:// URL, or back"):
        storage.copy(*names, Task())


def rows_of(connection: Any, tables: Iterable[str]) -> dict[str, list[Any]]:
    return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}


def test_a_chat_is_the_same_after_the_way_there_and_back(tmp_path: Path, database: str) -> None:
    """Each promised view, and all that the storage tells; the file that comes back is sound."""
    here, back = tmp_path / "chat.db", tmp_path / "back.db"
    make_rich_chat(here)
    held = storage.copy(here, database, Task())
    assert storage.copy(database, back, Task()) == held == storage.verify(back, Task())
    with (
        closing(sqlite_database.connect(here)) as first,
        closing(sqlite_database.connect(back)) as second,
        closing(connect(address.parse(database))) as between,
    ):
        views = ("history", "users", "rooms")
        assert rows_of(first, views) == rows_of(second, views) == rows_of(between, views)
        # What is derived is the same, too; a sound file has it right, so this is of what verify does not look at.
        assert rows_of(first, ("user", "member", "room", "era")) == rows_of(second, ("user", "member", "room", "era"))
    told = []
    for name in (here, database, back):
        with closing(storage.open_storage(name, call_back)) as opened:
            told.append((read_all(opened), log_all_in(opened)))
            opened.release()
    for others in told[1:]:
        for what, answer in told[0][0].items():
            assert (what, others[0][what]) == (what, answer)
        assert others == told[0]


def test_each_table_of_a_rich_chat_has_rows(tmp_path: Path) -> None:
    """So the way there and back tries them all."""
    make_rich_chat(tmp_path / "chat.db")
    with storage.sqlite_transfer.reading(tmp_path / "chat.db", Task()) as source:
        assert [table for table in TABLES if not any(True for _ in source.rows(table))] == []
