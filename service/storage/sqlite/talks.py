"""The direct messages of each user, in order, of all talks together. No statement here begins or ends a transaction.

The table direct has each of them twice, once for each user, in complete blocks of ids. They are added to it together
once a block is complete: that takes half of the time of two indexes, each of which would besides write to another
page for each message. Later ones are walked: at most one block, in half a millisecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.sqlite.blocks import BLOCK_BITS, ENDED, ERA_BITS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

# Walks era by era, and so in the order of ids.
_LISTED: Final = f"""
    SELECT d.id FROM era CROSS JOIN direct AS d ON d.era = era.id
    WHERE era.id BETWEEN :after >> {ERA_BITS} AND :before >> {ERA_BITS}
        AND d.user_id = :user AND d.id > :after AND d.id < :before ORDER BY era.id, d.id LIMIT :limit
"""  # noqa: S608
_LATER: Final = f"""
    SELECT id FROM message NOT INDEXED WHERE id > max(:after, {ENDED} - 1) AND id < :before
        AND recipient_id IS NOT NULL AND :user IN (sender_id, recipient_id) ORDER BY id LIMIT :limit
"""  # noqa: S608
# A note to oneself is listed once. To sort the rows first takes longer than to insert them as they come.
_ADD: Final = f"""
    INSERT INTO direct (era, user_id, id)
        WITH added (id, sender_id, recipient_id) AS MATERIALIZED (
            SELECT id, sender_id, recipient_id FROM message NOT INDEXED
            WHERE id >= :first AND id < :next AND recipient_id IS NOT NULL
        )
        SELECT id >> {ERA_BITS}, sender_id, id FROM added
        UNION ALL
        SELECT id >> {ERA_BITS}, recipient_id, id FROM added WHERE recipient_id <> sender_id
"""  # noqa: S608


def add_block(connection: sqlite3.Connection, block: int) -> None:
    """Lists the messages of a block that has become complete."""
    era = (block << BLOCK_BITS) >> ERA_BITS
    if connection.execute("SELECT 1 FROM era WHERE id = ?", (era,)).fetchone() is None:
        return  # no direct message far and wide
    connection.execute(_ADD, {"first": block << BLOCK_BITS, "next": (block + 1) << BLOCK_BITS})


def find_ids(connection: sqlite3.Connection, user_id: int, after: int, before: int, limit: int) -> list[int]:
    """Returns the first ids, between the two, of direct messages by the user and to the user, in order."""
    values = {"user": user_id, "after": after, "before": before, "limit": limit}
    ids = [message_id for (message_id,) in connection.execute(_LISTED, values).fetchall()]
    if len(ids) < limit:
        later = connection.execute(_LATER, values | {"limit": limit - len(ids)}).fetchall()
        ids += [message_id for (message_id,) in later]
    return ids


def forget(connection: sqlite3.Connection, removed: Iterable[tuple[int, int, int]]) -> None:
    """Takes messages, given by id, sender and recipient, off the lists."""
    connection.executemany(
        f"DELETE FROM direct WHERE era = :id >> {ERA_BITS} AND user_id IN (:one, :other) AND id = :id",  # noqa: S608
        [{"id": message_id, "one": one, "other": other} for message_id, one, other in removed],
    )
