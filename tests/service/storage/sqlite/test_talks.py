"""service/storage/sqlite/talks.py: the direct messages of each user, in order, of all talks together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.records import MAX_ID
from service.storage.sqlite import talks
from service.storage.sqlite.blocks import BLOCK_BITS, ERA_BITS
from tests.support.storage import add, say, skip_ids

if TYPE_CHECKING:
    import sqlite3

    from service.storage.sqlite.engine import SqliteStorage

BLOCK, ERA = 1 << BLOCK_BITS, 1 << ERA_BITS


def listed(storage: SqliteStorage) -> list[tuple[int, int]]:
    """Returns the users and ids in the table."""
    return storage.call(lambda connection: connection.execute("SELECT user_id, id FROM direct").fetchall())


def test_a_block_is_listed_once_it_is_complete(storage: SqliteStorage) -> None:
    """For the sender and the recipient, and a note to oneself once; nothing of the main room."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ids = [say(storage, alice, "hi", to="bob"), say(storage, bob, "note", to="bob")]
    say(storage, alice, "all")
    assert listed(storage) == []
    skip_ids(storage, BLOCK)
    say(storage, alice, "the first of the next block")
    assert listed(storage) == [(alice, ids[0]), (bob, ids[0]), (bob, ids[1])]


@pytest.mark.parametrize("gap", [0, BLOCK, 3 * BLOCK, ERA, 3 * ERA])
def test_all_are_found_in_order(storage: SqliteStorage, gap: int) -> None:
    """In complete blocks and after them, across blocks and eras, between any two ids and as many as are asked for."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    ids = []
    for _ in range(3):
        ids += [say(storage, alice, "to bob", to="bob"), say(storage, carol, "to alice", to="alice")]
        say(storage, bob, "to carol", to="carol")
        say(storage, bob, "to all")
        skip_ids(storage, gap)

    def found(after: int = 0, before: int = MAX_ID, limit: int = 99) -> list[int]:
        return storage.read(talks.find_ids, alice, after, before, limit)

    assert found() == ids
    for number, message_id in enumerate(ids):
        assert found(after=message_id) == ids[number + 1 :]
        assert found(before=message_id) == ids[:number]
        assert found(limit=number) == ids[:number]


def test_what_is_removed_is_not_listed(storage: SqliteStorage) -> None:
    """For neither of the two; others stay."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ids = [say(storage, alice, "hi", to="bob") for _ in range(3)]
    skip_ids(storage, BLOCK)
    say(storage, alice, "later")
    storage.call(talks.forget, [(ids[1], alice, bob)])
    assert listed(storage) == [(alice, ids[0]), (alice, ids[2]), (bob, ids[0]), (bob, ids[2])]


def test_what_is_not_committed_is_not_listed(storage: SqliteStorage) -> None:
    """The block that is completed and the message that completes it are one transaction."""
    alice = add(storage, "alice")
    say(storage, alice, "note", to="alice")
    skip_ids(storage, BLOCK)

    def fail(connection: sqlite3.Connection) -> None:
        talks.add_block(connection, 0)
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        storage.call(fail)
    assert listed(storage) == []
