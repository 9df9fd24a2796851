"""Statements about messages: what is noted beside them, and pages across eras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.sqlite import blocks, messages
from tests.support.storage import LATER, NOW, add, ids_of, say, skip_ids

if TYPE_CHECKING:
    import sqlite3

    from service.storage.sqlite.engine import SqliteStorage

ERA = 1 << blocks.ERA_BITS


def eras(storage: SqliteStorage) -> list[int]:
    return [n for (n,) in storage.call(lambda c: c.execute("SELECT id FROM era ORDER BY id").fetchall())]


def test_the_first_sight_is_kept(storage: SqliteStorage) -> None:
    """A message seen again keeps the time at which it was seen first."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    message_id = say(storage, alice, "hi", to="bob")
    for now in (NOW, LATER):
        storage.result(storage.mark_seen(bob, [message_id], now))
        storage.call(messages.mark_seen_up_to, bob, message_id, now)
    assert storage.call(lambda c: c.execute("SELECT seen_at FROM message").fetchall()) == [(NOW,)]


@pytest.mark.parametrize("gap", [0, ERA // 2, ERA, 3 * ERA])
def test_the_newest_id_is_that_of_what_one_may_read(storage: SqliteStorage, gap: int) -> None:
    """Direct messages sent and received, seen or not, in any era; asked again it is the same, and later the later."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))

    def newest() -> list[int]:
        return [storage.call(messages.newest_id, user) for user in (alice, bob, carol)]

    say(storage, alice, "all")
    assert newest() == [1, 1, 1]
    skip_ids(storage, gap)
    first = say(storage, alice, "1", to="bob")
    second = say(storage, bob, "2", to="bob")
    skip_ids(storage, gap)
    third = say(storage, bob, "3", to="carol")
    assert newest() == newest() == [first, third, third]
    skip_ids(storage, gap)
    last = say(storage, carol, "4", to="alice")
    assert newest() == [last, third, last]
    assert second < third


def test_a_talk_goes_on_from_era_to_era(storage: SqliteStorage) -> None:
    """Either way, and past eras without any; only those with a direct message are noted."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ids = [say(storage, alice, "first", to="bob")]
    for gap in (ERA, 3 * ERA):
        skip_ids(storage, gap)
        say(storage, alice, "public")
        ids += [say(storage, bob, "direct", to="alice"), say(storage, alice, "direct", to="bob")]
    assert eras(storage) == [0, 1, 4]

    def page(connection: sqlite3.Connection, before: int | None, after: int | None, limit: int) -> list[int]:
        return ids_of(messages.history_page(connection, (bob, alice), before, after, limit))

    assert storage.read(page, None, None, 9) == ids[::-1]
    assert storage.read(page, None, ids[0], 3) == ids[1:4]
    assert storage.read(page, ids[3], None, 2) == [ids[2], ids[1]]


def test_a_page_is_read_to_its_end(storage: SqliteStorage) -> None:
    """One row more than asked for tells that there are more, and is not given."""
    alice = add(storage, "alice")
    for n in range(3):
        say(storage, alice, f"{n}")
    statement = f"{messages._PUBLIC} WHERE m.recipient_id IS NULL AND m.room_id IS NULL ORDER BY m.id LIMIT :limit"
    for limit, expected, more in ((2, [1, 2], True), (3, [1, 2, 3], False), (4, [1, 2, 3], False)):
        page = storage.read(messages.read_page, statement, {}, limit)
        assert (ids_of(page), page.more) == (expected, more)
