"""Statements about messages that are stored. Each takes a connection; none begins or ends a transaction.

contract.py describes those that are one of its methods. posting.py stores messages, since.py has the pages of rooms,
fulltext.py the search, unread.py the count of unread messages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from service.storage.records import MAX_ID, Message, Page
from service.storage.sqlite import unread
from service.storage.sqlite.blocks import ERA_BITS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


# Selects a page's messages. The text for {} says where the rows `m` come from, and in which order.
SELECT: Final = """
    SELECT m.id, m.sent_at, s.name, r.name, m.body, m.kind, m.deleted_at, o.name
    FROM {} JOIN user AS s ON s.id = m.sender_id LEFT JOIN user AS r ON r.id = m.recipient_id
    LEFT JOIN room AS o ON o.id = m.room_id
"""
_MISSED: Final = SELECT.format("message AS m INDEXED BY message_missed")
_PUBLIC: Final = SELECT.format("message AS m INDEXED BY message_public")
# Walks era by era, and so in the order of ids. The plus removes the column's type from the comparison; with the type
# SQLite would not use the index.
_TALK: Final = SELECT.format(f"era CROSS JOIN message AS m INDEXED BY message_talk ON m.id >> {ERA_BITS} = +era.id")
_BY_ID: Final = SELECT.format("json_each(?) AS wanted CROSS JOIN message AS m ON m.id = wanted.value")
# SQLite uses a partial or expression index only for exactly the terms of its definition.
_IN_TALK: Final = """
    m.recipient_id IS NOT NULL AND min(m.sender_id, m.recipient_id) = :low AND max(m.sender_id, m.recipient_id) = :high
"""
BETWEEN: Final = "m.id > :after AND m.id < :before"


# -- what was seen ----------------------------------------------------------------------------------------------------
def mark_seen_up_to(
    connection: sqlite3.Connection, user_id: int, message_id: int, now: str, *, from_id: int | None = None
) -> bool:
    """Marks all direct messages to the user up to that id, or those of one sender; returns whether any was unseen."""
    unseen = "recipient_id = :user AND seen_at IS NULL AND id <= :up_to"
    if from_id is not None:
        unseen += " AND sender_id = :from"
    values = {"user": user_id, "up_to": message_id, "from": from_id, "now": now}
    (newest,) = connection.execute(
        f"SELECT max(id) FROM message INDEXED BY message_missed WHERE {unseen}",  # noqa: S608
        values,
    ).fetchone()
    if newest is None:
        return False
    connection.execute(f"UPDATE message INDEXED BY message_missed SET seen_at = :now WHERE {unseen}", values)  # noqa: S608
    note_direct(connection, user_id, newest)
    return True


def mark_seen(connection: sqlite3.Connection, user_id: int, message_ids: Sequence[int], now: str) -> bool:
    """As `Storage.mark_seen`; returns whether any of them was unseen."""
    values = {"now": now, "user": user_id, "ids": json.dumps(list(message_ids))}
    changed = connection.execute(
        "UPDATE message NOT INDEXED SET seen_at = :now "
        "WHERE id IN (SELECT value FROM json_each(:ids)) AND recipient_id = :user AND seen_at IS NULL",
        values,
    ).rowcount
    if changed:
        (newest,) = connection.execute(
            "SELECT max(id) FROM message NOT INDEXED "
            "WHERE id IN (SELECT value FROM json_each(:ids)) AND recipient_id = :user",
            values,
        ).fetchone()
        note_direct(connection, user_id, newest)
    return bool(changed)


def note_direct(connection: sqlite3.Connection, user_id: int, message_id: int) -> None:
    """Stores the id as the user's newest direct message that was sent or seen, if it is."""
    connection.execute("UPDATE user SET direct_id = max(direct_id, ?) WHERE id = ?", (message_id, user_id))


def count_waiting(connection: sqlite3.Connection, user_id: int) -> tuple[int, int]:
    """Returns how many direct messages the user has not seen, and how many public ones are unread."""
    (missed,) = connection.execute(
        "SELECT count(*) FROM message INDEXED BY message_missed WHERE recipient_id = ? AND seen_at IS NULL", (user_id,)
    ).fetchone()
    (read_id,) = connection.execute("SELECT read_id FROM user WHERE id = ?", (user_id,)).fetchone()
    return missed, unread.count_public(connection, read_id, user_id)


def newest_id(connection: sqlite3.Connection, user_id: int) -> int:
    """Returns the newest id that the user may read in the main room and the own talks; 0 if none."""
    (newest,) = connection.execute(
        "SELECT max("
        "coalesce((SELECT max(id) FROM message WHERE recipient_id IS NULL AND room_id IS NULL), 0), "
        "coalesce((SELECT max(id) FROM message INDEXED BY message_missed "
        "WHERE recipient_id = :user AND seen_at IS NULL), 0), "
        "coalesce((SELECT direct_id FROM user WHERE id = :user), 0))",
        {"user": user_id},
    ).fetchone()
    return int(newest)


# -- pages ------------------------------------------------------------------------------------------------------------
def missed_page(connection: sqlite3.Connection, user_id: int, up_to: int, limit: int) -> Page:
    return read_page(
        connection,
        f"{_MISSED} WHERE m.recipient_id = :user AND m.seen_at IS NULL AND m.id <= :up_to ORDER BY m.id LIMIT :limit",
        {"user": user_id, "up_to": up_to},
        limit,
    )


def history_page(
    connection: sqlite3.Connection,
    talk: tuple[int, int] | None,
    before: int | None,
    after: int | None,
    limit: int,
) -> Page:
    order = "DESC" if after is None else "ASC"
    values: dict[str, object] = {"after": after or 0, "before": MAX_ID if before is None else before}
    if talk is None:
        statement = (
            f"{_PUBLIC} WHERE m.recipient_id IS NULL AND m.room_id IS NULL AND {BETWEEN} "
            f"ORDER BY m.id {order} LIMIT :limit"
        )
    else:
        statement = (
            f"{_TALK} WHERE era.id BETWEEN :after >> {ERA_BITS} AND :before >> {ERA_BITS} AND {_IN_TALK} "
            f"AND {BETWEEN} ORDER BY era.id {order}, m.id {order} LIMIT :limit"
        )
        values |= {"low": min(talk), "high": max(talk)}
    return read_page(connection, statement, values, limit)


def read_page(connection: sqlite3.Connection, statement: str, values: dict[str, object], limit: int) -> Page:
    """Runs a statement made of SELECT that ends with LIMIT :limit."""
    # One extra row tells whether there are more. All rows are fetched, because an open cursor would keep the WAL from
    # shrinking.
    rows = connection.execute(statement, values | {"limit": limit + 1}).fetchall()
    return Page([Message(*row) for row in rows[:limit]], more=len(rows) > limit)


def page_of(connection: sqlite3.Connection, ids: Sequence[int], limit: int) -> Page:
    """Returns the messages with the first of these ids, in their order; `more` if there are others."""
    rows = connection.execute(_BY_ID, (json.dumps(ids[:limit]),)).fetchall()
    return Page([Message(*row) for row in rows], more=len(ids) > limit)
