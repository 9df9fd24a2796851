"""service/storage/statements/moments.py: a deletion is not before what a client was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from service.storage.statements import moments
from tests.support.storage import NOW, add, say

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage

FUTURE = "2040-01-01T00:00:00.000Z"


@pytest.mark.parametrize(("clock", "expected"), [("2030-01-01", FUTURE), ("2041-01-01", "2041-01-01T00:00:00.000Z")])
def test_a_deletion_has_no_earlier_time_than_a_login(storage: SqliteStorage, clock: str, expected: str) -> None:
    """Whose reply tells its own, though the clock was set back since."""
    alice = add(storage, "alice")  # and logs in
    assert storage.read(moments.newest) == NOW
    said = say(storage, alice, "x")
    storage.call(moments.note, FUTURE)
    with freeze_time(clock):
        assert storage.result(storage.delete_message(alice, said, None)).time == expected
    assert storage.read(moments.newest) == expected


def test_an_earlier_time_changes_nothing(storage: SqliteStorage) -> None:
    """The newest is kept."""
    for moment in ("2035-01-01T00:00:00.000Z", "2034-01-01T00:00:00.000Z"):
        storage.call(moments.note, moment)
    assert storage.read(moments.newest) == "2035-01-01T00:00:00.000Z"
