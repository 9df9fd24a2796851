"""Statements about messages. Each takes a connection; none begins or ends a transaction.

contract.py describes those that are one of its methods. fulltext.py has the search, unread.py the count of unread
messages.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from service.clock import format_time, utcnow
from service.config import POSTS_AT_ONCE
from service.storage.records import MAX_ID, Message, NonceReused, Page, Post, Stored, UnknownUser
from service.storage.sqlite import unread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from service.errors import StorageFull
    from service.storage.records import Outcome


# The index message_talk uses this number, so a change needs a migration. With eras of 32,768 ids, messages are added to
# some 100 pages of that index at a time, however many messages exist.
_ERA_BITS: Final = 15
# Selects a page's messages. The text for {} says where the rows `m` come from, and in which order.
SELECT: Final = """
    SELECT m.id, m.sent_at, s.name, r.name, m.body, m.kind, m.deleted_at
    FROM {} JOIN user AS s ON s.id = m.sender_id LEFT JOIN user AS r ON r.id = m.recipient_id
"""
_MISSED: Final = SELECT.format("message AS m INDEXED BY message_missed")
_PUBLIC: Final = SELECT.format("message AS m INDEXED BY message_public")
# Walks era by era, and so in the order of ids. The plus removes the column's type from the comparison; with the type
# SQLite would not use the index.
_TALK: Final = SELECT.format(f"era CROSS JOIN message AS m INDEXED BY message_talk ON m.id >> {_ERA_BITS} = +era.id")
# SQLite uses a partial or expression index only for exactly the terms of its definition.
_IN_TALK: Final = """
    m.recipient_id IS NOT NULL AND min(m.sender_id, m.recipient_id) = :low AND max(m.sender_id, m.recipient_id) = :high
"""
_BETWEEN: Final = "m.id > :after AND m.id < :before"

_ROWS_AT_ONCE: Final = (POSTS_AT_ONCE, 16, 4, 1)  # few sizes, so that each statement stays prepared


# -- storing ----------------------------------------------------------------------------------------------------------
def store_all(connection: sqlite3.Connection, calls: Sequence[tuple[int, Sequence[Post]]]) -> list[list[Outcome]]:
    """Stores messages of several senders (by id) in order; a refusal concerns only its own message.

    The time is taken here, on the writer thread, so that the order of times is the order of ids.
    """
    now = format_time(utcnow())
    rows = [
        (now, sender_id, post.recipient_id, post.kind, post.body, post.nonce)
        for sender_id, posts in calls
        for post in posts
    ]
    outcomes: list[Outcome] = []
    while len(outcomes) < len(rows):
        left = len(rows) - len(outcomes)
        size = next(size for size in _ROWS_AT_ONCE if size <= left)
        outcomes += _store_rows(connection, rows[len(outcomes) : len(outcomes) + size])
    direct = [
        (row[1], outcome.id)
        for row, outcome in zip(rows, outcomes, strict=True)
        if row[2] is not None and isinstance(outcome, Stored) and outcome.fresh
    ]
    for sender_id, message_id in dict(direct).items():
        note_direct(connection, sender_id, message_id)
    for era in {message_id >> _ERA_BITS for _, message_id in direct}:
        connection.execute("INSERT OR IGNORE INTO era (id) VALUES (?)", (era,))
    unread.complete_blocks(connection)
    each = iter(outcomes)
    return [list(islice(each, len(posts))) for _, posts in calls]


def find_eras(connection: sqlite3.Connection) -> None:
    """Makes the eras anew from the messages."""
    connection.execute("DELETE FROM era")
    connection.execute(f"INSERT INTO era SELECT DISTINCT id >> {_ERA_BITS} FROM message WHERE recipient_id IS NOT NULL")  # noqa: S608


def forget_eras(connection: sqlite3.Connection, first_id: int, last_id: int) -> None:
    """Removes the eras around these ids that have no direct message any more."""
    connection.execute(
        "DELETE FROM era WHERE id BETWEEN ? AND ? AND NOT EXISTS "  # noqa: S608
        "(SELECT 1 FROM message AS m INDEXED BY message_talk "
        f"WHERE m.recipient_id IS NOT NULL AND m.id >> {_ERA_BITS} = +era.id)",
        (first_id >> _ERA_BITS, last_id >> _ERA_BITS),
    )


_Row = tuple[str, int, "int | None", "str | None", str, "str | None"]  # time, sender, recipient, kind, text, nonce


def _store_rows(connection: sqlite3.Connection, rows: Sequence[_Row]) -> list[Stored | NonceReused]:
    """Stores the rows with one statement, in two thirds of the time; one by one if a nonce was used before."""
    if len(rows) > 1:
        connection.execute("SAVEPOINT posts")
        cursor = connection.execute(_insert_statement(len(rows)), list(chain.from_iterable(rows)))
        if cursor.rowcount == len(rows) and cursor.lastrowid is not None:
            connection.execute("RELEASE posts")
            ids = range(cursor.lastrowid - len(rows) + 1, cursor.lastrowid + 1)  # one statement's are consecutive
            return [Stored(message_id, rows[0][0], fresh=True, seen=False) for message_id in ids]
        connection.execute("ROLLBACK TO posts")
        connection.execute("RELEASE posts")
    return [_store(connection, row) for row in rows]


@cache
def _insert_statement(rows: int) -> str:
    places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
    return (
        f"INSERT INTO message (sent_at, sender_id, recipient_id, kind, body, nonce) VALUES {places} "  # noqa: S608
        "ON CONFLICT (sender_id, nonce) WHERE nonce IS NOT NULL DO NOTHING"
    )


def _store(connection: sqlite3.Connection, row: _Row) -> Stored | NonceReused:
    cursor = connection.execute(_insert_statement(1), row)
    if cursor.rowcount:
        return Stored(cursor.lastrowid or 0, row[0], fresh=True, seen=False)
    _, sender_id, recipient_id, kind, body, nonce = row
    stored = find_stored(connection, sender_id, Post(recipient_id, body, nonce, kind))
    assert stored is not None  # noqa: S101 (its nonce prevented the INSERT)
    return stored


def find_stored(connection: sqlite3.Connection, sender_id: int, post: Post) -> Stored | NonceReused | None:
    """Returns a retry's result: the first message with that nonce, or a refusal if it differs; None if none.

    Of a deleted message nobody can tell any more what it said.
    """
    first = connection.execute(
        "SELECT id, sent_at, seen_at, deleted_at, recipient_id, body, kind FROM message "
        "WHERE sender_id = ? AND nonce = ?",
        (sender_id, post.nonce),
    ).fetchone()
    if first is None:
        return None
    message_id, sent_at, seen_at, deleted_at, recipient_id, *said = first
    if recipient_id != post.recipient_id or (deleted_at is None and said != [post.body, post.kind]):
        return NonceReused()
    return Stored(message_id, sent_at, fresh=False, seen=seen_at is not None)


def refuse_new(
    connection: sqlite3.Connection, calls: Sequence[tuple[int, Sequence[Post]]], reason: StorageFull
) -> list[list[Outcome]]:
    """As `store_all`, but stores nothing: a retry gets its stored message, a new message the `reason`."""
    return [[find_stored(connection, sender, post) or reason for post in posts] for sender, posts in calls]


def store_but_for(
    connection: sqlite3.Connection,
    calls: Sequence[tuple[int, Sequence[Post]]],
    closed: set[int],
    store: Callable[[sqlite3.Connection, Sequence[tuple[int, Sequence[Post]]]], list[list[Outcome]]],
) -> list[list[Outcome]]:
    """Has all messages stored but those by or to a closed account; a retry gets its stored message all the same."""
    refused = [[sender_id in closed or post.recipient_id in closed for post in posts] for sender_id, posts in calls]
    kept = [
        (sender_id, [post for post, is_refused in zip(posts, flags, strict=True) if not is_refused])
        for (sender_id, posts), flags in zip(calls, refused, strict=True)
    ]
    stored = chain.from_iterable(store(connection, kept))
    return [
        [
            (find_stored(connection, sender_id, post) or UnknownUser()) if is_refused else next(stored)
            for post, is_refused in zip(posts, flags, strict=True)
        ]
        for (sender_id, posts), flags in zip(calls, refused, strict=True)
    ]


# -- what was seen ----------------------------------------------------------------------------------------------------
def mark_seen_up_to(connection: sqlite3.Connection, user_id: int, message_id: int, now: str) -> None:
    """Marks all direct messages to the user up to that id."""
    (newest,) = connection.execute(
        "SELECT max(id) FROM message INDEXED BY message_missed WHERE recipient_id = ? AND seen_at IS NULL AND id <= ?",
        (user_id, message_id),
    ).fetchone()
    if newest is not None:
        connection.execute(
            "UPDATE message INDEXED BY message_missed SET seen_at = ? "
            "WHERE recipient_id = ? AND seen_at IS NULL AND id <= ?",
            (now, user_id, message_id),
        )
        note_direct(connection, user_id, newest)


def mark_seen(connection: sqlite3.Connection, user_id: int, message_ids: Sequence[int], now: str) -> None:
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


def newest_given(connection: sqlite3.Connection) -> int:
    """Returns the newest id that was ever given; its message may have been removed."""
    given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
    return 0 if given is None else int(given[0])


def newest_id(connection: sqlite3.Connection, user_id: int) -> int:
    """Returns the newest id that the user may read; 0 if none."""
    (newest,) = connection.execute(
        "SELECT max("
        "coalesce((SELECT max(id) FROM message WHERE recipient_id IS NULL), 0), "
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
        statement = f"{_PUBLIC} WHERE m.recipient_id IS NULL AND {_BETWEEN} ORDER BY m.id {order} LIMIT :limit"
    else:
        statement = (
            f"{_TALK} WHERE era.id BETWEEN :after >> {_ERA_BITS} AND :before >> {_ERA_BITS} AND {_IN_TALK} "
            f"AND {_BETWEEN} ORDER BY era.id {order}, m.id {order} LIMIT :limit"
        )
        values |= {"low": min(talk), "high": max(talk)}
    return read_page(connection, statement, values, limit)


def read_page(connection: sqlite3.Connection, statement: str, values: dict[str, object], limit: int) -> Page:
    """Runs a statement made of SELECT that ends with LIMIT :limit."""
    # One extra row tells whether there are more. All rows are fetched, because an open cursor would keep the WAL from
    # shrinking.
    rows = connection.execute(statement, values | {"limit": limit + 1}).fetchall()
    return Page([Message(*row) for row in rows[:limit]], more=len(rows) > limit)
