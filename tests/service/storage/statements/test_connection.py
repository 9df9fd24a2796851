"""service/storage/statements/connection.py: several reads of one state."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from service.storage.statements import acts
from service.storage.statements.connection import Connection, one_state
from tests.support.storage import NOW, add

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


def count(connection: Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM moderation").fetchone()[0])


def test_what_is_stored_meanwhile_is_not_seen(storage: SqliteStorage) -> None:
    """Until the end of it, which an error inside is as well."""
    alice = add(storage, "alice")
    seen: list[int] = []

    def read(connection: Connection) -> None:
        with suppress(ZeroDivisionError), one_state(connection):
            seen.append(count(connection))
            storage._writer.wait(storage.submit(lambda writing: acts.note(writing, NOW, alice, "kick")))
            seen.append(count(connection))
            raise ZeroDivisionError
        seen.append(count(connection))

    storage.read(read)
    assert seen == [0, 0, 1]
