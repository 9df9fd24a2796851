"""service/storage/sqlite/deletion.py: what becomes of the row. test_contract.py has who may delete what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from service.errors import StorageUnavailable
from service.storage.sqlite import deletion
from tests.support.storage import add, explain, say

if TYPE_CHECKING:
    import sqlite3

    from service.storage.sqlite.engine import SqliteStorage


def row(storage: SqliteStorage, columns: str, message_id: int) -> tuple[object, ...]:
    """Columns of a message."""
    statement = f"SELECT {columns} FROM message WHERE id = ?"
    found: tuple[object, ...] = storage.read(lambda c: c.execute(statement, (message_id,)).fetchone())
    return found


def test_the_row_stays_without_its_text(storage: SqliteStorage) -> None:
    """Text and kind are gone; an unseen direct message is seen."""
    alice, _ = add(storage, "alice"), add(storage, "bob")
    said = say(storage, alice, "secret", "bob")
    deleted = storage.result(storage.delete_message(alice, said, None))
    assert row(storage, "body, kind, deleted_at, seen_at", said) == ("", None, deleted.time, deleted.time)


def test_the_time_of_a_deletion_never_goes_back(storage: SqliteStorage) -> None:
    """With the clock set back, a deletion has the time of the newest one."""
    alice = add(storage, "alice")
    said = [say(storage, alice, f"{n}") for n in range(2)]
    with freeze_time("2030-01-01"):
        first = storage.result(storage.delete_message(alice, said[0], None)).time
    with freeze_time("2029-01-01"):
        assert storage.result(storage.delete_message(alice, said[1], None)).time == first == "2030-01-01T00:00:00.000Z"


def test_a_damaged_index_refuses_and_nothing_is_changed(storage: SqliteStorage) -> None:
    """A text that would stay in the index is not emptied, so that the deletion can be tried again."""
    alice = add(storage, "alice")
    said = say(storage, alice, "secret")
    storage.index_search()
    storage.call(lambda c: c.execute("UPDATE message_search_data SET block = x'00' WHERE id = 10"))
    with pytest.raises(StorageUnavailable):
        storage.result(storage.delete_message(alice, said, None))
    assert row(storage, "body, deleted_at", said) == ("secret", None)


def test_a_deletion_does_not_grow_with_the_history(storage: SqliteStorage) -> None:
    """Each of its statements finds its rows by an index."""
    alice = add(storage, "alice")
    said = say(storage, alice, "secret")

    def delete(connection: sqlite3.Connection) -> None:
        deletion.delete(connection, alice, said, "why")

    assert not [step for step in explain(storage, delete) if step.startswith("SCAN") and "message" in step]
