"""service/storage/sqlite/unread.py: the counts are those that walking gives, whatever was stored or skipped."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.storage.records import Post
from service.storage.sqlite import blocks, messages, posting, schema, unread
from tests.support.storage import add, say, skip_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.sqlite.engine import SqliteStorage

BLOCK = 1 << blocks.BLOCK_BITS


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """To a database with three users, in a transaction that is rolled back."""
    path = tmp_path_factory.mktemp("unread") / "chat.db"
    schema.prepare(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for name in ("alice", "bob", "carol"):
            connection.execute(
                "INSERT INTO user VALUES (NULL, ?, 'x', '', '', 0, 0, NULL, '', 'member', NULL)", (name,)
            )
        yield connection


def walk(connection: sqlite3.Connection, after: int, user_id: int) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM message WHERE recipient_id IS NULL AND id > ? AND sender_id <> ?", (after, user_id)
    ).fetchone()
    return int(count)


posts = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([None, None, 1, 2])), min_size=1, max_size=8)
gaps = st.sampled_from([0, 0, 1, BLOCK - 3, BLOCK, 3 * BLOCK, 20 * BLOCK, 40 * BLOCK])


@given(batches=st.lists(st.tuples(gaps, posts, st.booleans()), max_size=12), marker=st.floats(0, 1))
def test_the_count_is_that_of_walking(
    connection: sqlite3.Connection, batches: list[tuple[int, list[tuple[int, int | None]], bool]], marker: float
) -> None:
    """For everyone, from any marker, after any batches with gaps in the ids, some of them rolled back."""
    connection.execute("SAVEPOINT example")
    for gap, batch, is_kept in batches:
        connection.execute("SAVEPOINT batch")
        connection.execute("INSERT OR IGNORE INTO sqlite_sequence SELECT 'message', 0 WHERE changes() < 0")
        connection.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'message'", (gap,))
        posting.store_all(connection, [(sender, [Post(to, "x", None)]) for sender, to in batch])
        connection.execute("RELEASE batch" if is_kept else "ROLLBACK TO batch")
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
    for after in {0, newest, int(newest * marker), int(newest * marker) // BLOCK * BLOCK}:
        for user in (1, 2, 3):
            assert unread.count_public(connection, after, user) == walk(connection, after, user)
    connection.execute("ROLLBACK TO example")
    connection.execute("RELEASE example")


def counts(storage: SqliteStorage) -> list[tuple[int, ...]]:
    return storage.call(lambda c: c.execute("SELECT * FROM tally").fetchall())


def test_a_block_is_counted_with_the_message_that_completes_it(storage: SqliteStorage) -> None:
    """By sender and for all, direct messages left out; never counted again."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for sender, to in ((alice, None), (bob, None), (bob, None), (bob, "alice")):
        say(storage, sender, "x", to)
    skip_ids(storage, BLOCK - 6)
    say(storage, alice, "the last but one of its block")
    assert counts(storage) == []
    skip_ids(storage, 1)
    say(storage, alice, "the first of the next")
    assert counts(storage) == [(0, 0, 0, 4), (0, 0, alice, 2), (0, 0, bob, 2)]
    say(storage, alice, "and one more")
    assert len(counts(storage)) == 3


def test_sixteen_blocks_make_one_of_the_next_level(storage: SqliteStorage) -> None:
    """Their sums are written when the last of them is complete."""
    alice = add(storage, "alice")
    for _ in range(16):
        say(storage, alice, "x")
        skip_ids(storage, BLOCK - 1)
    assert [row for row in counts(storage) if row[0] > 0] == []
    say(storage, alice, "x")
    assert [row for row in counts(storage) if row[0] > 0] == [(1, 0, 0, 16), (1, 0, alice, 16)]


def test_a_long_gap_is_caught_up_in_steps(storage: SqliteStorage) -> None:
    """However many ids were skipped, a message costs a bounded number of counts; what is not counted is walked."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    say(storage, alice, "x")
    skip_ids(storage, 1 << 50)
    for _ in range(3):
        say(storage, alice, "x")
    assert len([row for row in counts(storage) if row[0] == 0 and row[2] == 0]) == 3 * 16
    storage.call(lambda c: c.execute("UPDATE user SET read_id = 0") and None)
    assert [storage.read(messages.count_waiting, user) for user in (alice, bob)] == [(0, 0), (0, 4)]


@pytest.mark.parametrize(("first", "end"), [(0, 0), (0, 1), (0, 16), (1, 16), (5, 400), (0, 4096), (17, 70_001)])
def test_blocks_are_covered_by_few(first: int, end: int) -> None:
    """Each block once, by whole blocks of higher levels where there are such."""
    cover = list(unread._cover(first, end))
    held = [block for level, start in cover for block in range(start * 16**level, (start + 1) * 16**level)]
    assert sorted(held) == list(range(first, end))
    assert len(cover) <= 30 * 5
