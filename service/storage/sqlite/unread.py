"""Counts unread public messages without walking them. No statement here begins or ends a transaction.

The table tally holds, for each complete block of ids, the number of public messages of each sender and of all. Ids
outside complete blocks are walked: at most one block at each end. The message that completes a block is stored together
with the block's counts, so that they are never behind, and are rolled back with it. Ids only grow. What removes a
message takes it off the counts in the same transaction.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from service.storage.records import MAX_ID
from service.storage.sqlite import talks
from service.storage.sqlite.blocks import BLOCK_BITS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

LEVEL: Final = 16  # blocks of one level in a block of the next
EVERYONE: Final = 0  # the sender_id for the sum over all senders
_AT_ONCE: Final = 16  # blocks; a batch of messages completes at most one, unless ids were skipped


def complete_blocks(connection: sqlite3.Connection) -> bool:
    """Counts the blocks that new messages have completed, some at a time; returns whether others remain.

    Their direct messages are listed, too.
    """
    complete, newest = connection.execute(
        "SELECT (SELECT coalesce(max(block) + 1, 0) FROM tally WHERE level = 0), (SELECT max(id) FROM message)"
    ).fetchone()
    ended = (newest or 0) >> BLOCK_BITS
    for block in range(complete, min(ended, complete + _AT_ONCE)):
        talks.add_block(connection, block)
        _count_block(connection, block)
    return bool(ended > complete + _AT_ONCE)


def _count_block(connection: sqlite3.Connection, block: int) -> None:
    connection.execute(
        "INSERT INTO tally SELECT 0, :block, sender_id, count(*) FROM message INDEXED BY message_public "
        "WHERE recipient_id IS NULL AND room_id IS NULL AND id >= :first AND id < :next GROUP BY sender_id",
        {"block": block, "first": block << BLOCK_BITS, "next": (block + 1) << BLOCK_BITS},
    )
    connection.execute(
        "INSERT INTO tally SELECT 0, :block, :everyone, coalesce(sum(messages), 0) FROM tally "
        "WHERE level = 0 AND block = :block",
        {"block": block, "everyone": EVERYONE},
    )
    level = 0
    while (block + 1) % LEVEL == 0:
        level, block = level + 1, block // LEVEL
        connection.execute(
            "INSERT INTO tally SELECT :level, :block, sender_id, sum(messages) FROM tally "
            "WHERE level = :level - 1 AND block >= :first AND block < :next GROUP BY sender_id",
            {"level": level, "block": block, "first": block * LEVEL, "next": (block + 1) * LEVEL},
        )


def discount(connection: sqlite3.Connection, removed: Mapping[tuple[int, int], int]) -> None:
    """Takes public messages, given by id and sender, off the counts of their blocks, where these are complete."""
    level, left = 0, Counter[tuple[int, int]]()
    for (message_id, sender_id), count in removed.items():
        left[message_id >> BLOCK_BITS, sender_id] += count
        left[message_id >> BLOCK_BITS, EVERYONE] += count
    while left:
        counted, left = left, Counter()
        for (block, sender_id), count in counted.items():
            changed = connection.execute(
                "UPDATE tally SET messages = messages - ? WHERE level = ? AND block = ? AND sender_id = ?",
                (count, level, block, sender_id),
            ).rowcount
            if changed:
                left[block // LEVEL, sender_id] += count
        level += 1


def count_public(connection: sqlite3.Connection, after: int, user_id: int) -> int:
    """Returns how many public messages of other users have a larger id than `after`."""
    (end,) = connection.execute("SELECT coalesce(max(block) + 1, 0) FROM tally WHERE level = 0").fetchone()
    first = (after >> BLOCK_BITS) + 1
    if first >= end:
        return _walk(connection, after, MAX_ID, user_id)
    return (
        _walk(connection, after, first << BLOCK_BITS, user_id)
        + sum(_read(connection, level, block, user_id) for level, block in _cover(first, end))
        + _walk(connection, (end << BLOCK_BITS) - 1, MAX_ID, user_id)
    )


def _walk(connection: sqlite3.Connection, after: int, before: int, user_id: int) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM message INDEXED BY message_public "
        "WHERE recipient_id IS NULL AND room_id IS NULL AND id > ? AND id < ? AND sender_id <> ?",
        (after, before, user_id),
    ).fetchone()
    return int(count)


def _read(connection: sqlite3.Connection, level: int, block: int, user_id: int) -> int:
    (count,) = connection.execute(
        "SELECT sum(CASE sender_id WHEN :everyone THEN messages ELSE -messages END) FROM tally "
        "WHERE level = :level AND block = :block AND sender_id IN (:everyone, :user)",
        {"everyone": EVERYONE, "level": level, "block": block, "user": user_id},
    ).fetchone()
    return int(count)


def _cover(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the fewest blocks, as (level, block), for the ids of the level-0 blocks from `first` up to `end`."""
    level = 0
    while first < end:
        while first < end and first % LEVEL:
            yield level, first
            first += 1
        while first < end and end % LEVEL:
            end -= 1
            yield level, end
        level, first, end = level + 1, first // LEVEL, end // LEVEL
