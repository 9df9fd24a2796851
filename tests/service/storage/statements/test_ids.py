"""service/storage/statements/ids.py: which id was given last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.statements import ids
from tests.support.storage import add, say

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


def test_the_newest_id_is_the_one_given_last(storage: SqliteStorage) -> None:
    """None at first; and it stays when its message was removed."""
    assert storage.read(ids.newest_given) == 0
    alice = add(storage, "alice")
    said = [say(storage, alice, text) for text in "ab"]
    storage.call(lambda connection: connection.execute("DELETE FROM message WHERE id = ?", (said[-1],)) and None)
    assert storage.read(ids.newest_given) == said[-1]
