"""Statements about messages. Each takes a connection; none begins or ends a transaction."""

from __future__ import annotations

import sqlite3
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from service.clock import format_time, utcnow
from service.config import INDEX_BATCH, MAX_ID, MAX_SEARCH_WORDS, POSTS_AT_ONCE
from service.errors import PeerError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message(NamedTuple):
    """One stored message, for a page; `recipient` is None on a public one."""

    id: int
    time: str
    sender: str
    recipient: str | None
    body: str


class Page(NamedTuple):
    """Messages in the order they were asked for; `more`: there are further ones that way."""

    messages: list[Message]
    more: bool


class Post(NamedTuple):
    """A message to be stored; public if `recipient_id` is None. A nonce is stored once for each sender."""

    recipient_id: int | None
    body: str
    nonce: str | None


class Receipt(NamedTuple):
    """What storing a message gave. `fresh` is false for a retry, whose first time it then tells of."""

    id: int
    time: str
    fresh: bool
    seen: bool


_SELECT: Final = """
    SELECT m.id, m.sent_at, s.name, r.name, m.body
    FROM message AS m {} JOIN user AS s ON s.id = m.sender_id LEFT JOIN user AS r ON r.id = m.recipient_id
"""
_MISSED: Final = _SELECT.format("INDEXED BY message_missed")
_MESSAGE: Final = _SELECT.format("")
# SQLite takes the partial and the expression indexes only for the very terms that they were made with.
_PUBLIC: Final = "m.recipient_id IS NULL"
_TALK: Final = """
    m.recipient_id IS NOT NULL AND min(m.sender_id, m.recipient_id) = :low AND max(m.sender_id, m.recipient_id) = :high
"""

_ROWS_AT_ONCE: Final = (POSTS_AT_ONCE, 16, 4, 1)  # few sizes, so that SQLite keeps each statement prepared


# -- storing ----------------------------------------------------------------------------------------------------------
def store_all(
    connection: sqlite3.Connection, calls: Sequence[tuple[int, Sequence[Post]]]
) -> list[list[Receipt | PeerError]]:
    """Stores what several senders (by id) have written, in order; a refusal concerns only its own message.

    Their time is taken here, by the writer thread, so that times come in the order of the ids.
    """
    now = format_time(utcnow())
    rows = [(now, sender_id, *post) for sender_id, posts in calls for post in posts]
    outcomes: list[Receipt | PeerError] = []
    while len(outcomes) < len(rows):
        left = len(rows) - len(outcomes)
        size = next(size for size in _ROWS_AT_ONCE if size <= left)
        outcomes += _store_rows(connection, rows[len(outcomes) : len(outcomes) + size])
    newest = {
        row[1]: outcome.id
        for row, outcome in zip(rows, outcomes, strict=True)
        if row[2] is not None and isinstance(outcome, Receipt) and outcome.fresh
    }
    for sender_id, message_id in newest.items():
        _note_direct(connection, sender_id, message_id)
    each = iter(outcomes)
    return [list(islice(each, len(posts))) for _, posts in calls]


_Row = tuple[str, int, "int | None", str, "str | None"]  # when, from whom, to whom, text, nonce


def _store_rows(connection: sqlite3.Connection, rows: Sequence[_Row]) -> list[Receipt | PeerError]:
    """Several rows in one statement take two thirds of the time; one by one if there is a nonce used before."""
    if len(rows) > 1:
        connection.execute("SAVEPOINT posts")
        cursor = connection.execute(_insert_statement(len(rows)), list(chain.from_iterable(rows)))
        if cursor.rowcount == len(rows) and cursor.lastrowid is not None:
            connection.execute("RELEASE posts")
            ids = range(cursor.lastrowid - len(rows) + 1, cursor.lastrowid + 1)  # one statement's are consecutive
            return [Receipt(message_id, rows[0][0], fresh=True, seen=False) for message_id in ids]
        connection.execute("ROLLBACK TO posts")
        connection.execute("RELEASE posts")
    return [_store(connection, *row) for row in rows]


@cache
def _insert_statement(rows: int) -> str:
    places = ", ".join(["(?, ?, ?, ?, ?)"] * rows)
    return (
        f"INSERT INTO message (sent_at, sender_id, recipient_id, body, nonce) VALUES {places} "  # noqa: S608
        "ON CONFLICT (sender_id, nonce) WHERE nonce IS NOT NULL DO NOTHING"
    )


def _store(
    connection: sqlite3.Connection, now: str, sender_id: int, recipient_id: int | None, body: str, nonce: str | None
) -> Receipt | PeerError:
    cursor = connection.execute(_insert_statement(1), (now, sender_id, recipient_id, body, nonce))
    if cursor.rowcount:
        return Receipt(cursor.lastrowid or 0, now, fresh=True, seen=False)
    first = connection.execute(
        "SELECT id, sent_at, seen_at, recipient_id, body FROM message WHERE sender_id = ? AND nonce = ?",
        (sender_id, nonce),
    ).fetchone()
    if first[3:] != (recipient_id, body):
        return PeerError("nonce_reused", "this nonce was used for another message; give each message its own")
    return Receipt(first[0], first[1], fresh=False, seen=first[2] is not None)


# -- what was seen ----------------------------------------------------------------------------------------------------
def mark_seen_up_to(connection: sqlite3.Connection, user_id: int, message_id: int, now: str) -> None:
    """Marks every direct message to the user up to that id."""
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
        _note_direct(connection, user_id, newest)


def mark_seen(connection: sqlite3.Connection, user_id: int, message_ids: Sequence[int], now: str) -> None:
    """Marks these direct messages to the user; ids of other messages change nothing."""
    newest = 0
    for message_id in message_ids:
        cursor = connection.execute(
            "UPDATE message SET seen_at = ? WHERE id = ? AND recipient_id = ? AND seen_at IS NULL",
            (now, message_id, user_id),
        )
        if cursor.rowcount:
            newest = max(newest, message_id)
    if newest:
        _note_direct(connection, user_id, newest)


def _note_direct(connection: sqlite3.Connection, user_id: int, message_id: int) -> None:
    """Notes the newest direct message that the user has sent or seen."""
    connection.execute("UPDATE user SET direct_id = max(direct_id, ?) WHERE id = ?", (message_id, user_id))


def count_waiting(connection: sqlite3.Connection, user_id: int) -> tuple[int, int]:
    """How many direct messages the user has not seen, and how many public ones by others follow the read marker."""
    (missed,) = connection.execute(
        "SELECT count(*) FROM message INDEXED BY message_missed WHERE recipient_id = ? AND seen_at IS NULL", (user_id,)
    ).fetchone()
    (unread,) = connection.execute(
        "SELECT count(*) FROM message WHERE recipient_id IS NULL "
        "AND id > (SELECT read_id FROM user WHERE id = :user) AND sender_id <> :user",
        {"user": user_id},
    ).fetchone()
    return missed, unread


def newest_id(connection: sqlite3.Connection, user_id: int) -> int:
    """The newest id that the user may see; 0 if there is none."""
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
    """Direct messages to the user not yet seen, up to an id, oldest first."""
    return _page(
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
    """The public room, or the `talk` of two users: from `after` on, oldest first; else back, newest first.

    `before` and `after` are exclusive.
    """
    where, order = [_PUBLIC if talk is None else _TALK], "DESC" if after is None else "ASC"
    if before is not None:
        where.append("m.id < :before")
    if after is not None:
        where.append("m.id > :after")
    values: dict[str, object] = {"before": before, "after": after}
    if talk is not None:
        values |= {"low": min(talk), "high": max(talk)}
    return _page(
        connection, f"{_MESSAGE} WHERE {' AND '.join(where)} ORDER BY m.id {order} LIMIT :limit", values, limit
    )


def search_page(
    connection: sqlite3.Connection, query: str, user_id: int, with_id: int | None, before: int | None, limit: int
) -> Page:
    """What the user may read that has all the words of the query, or words that begin with them; newest first."""
    match = match_expression(query)
    if not match:
        return Page([], more=False)
    values: dict[str, object] = {"match": match, "user": user_id, "before": MAX_ID if before is None else before}
    if with_id is None:
        scope = f"({_PUBLIC} OR m.recipient_id = :user OR m.sender_id = :user)"
    else:
        scope = _TALK
        values |= {"low": min(user_id, with_id), "high": max(user_id, with_id)}
    return _page(
        connection,
        f"""{_MESSAGE} JOIN message_search AS f ON f.rowid = m.id
        WHERE f.body MATCH :match AND f.rowid < :before AND {scope} ORDER BY f.rowid DESC LIMIT :limit""",
        values,
        limit,
    )


def match_expression(query: str) -> str:
    """The FTS5 expression for plain words: each quoted, so that nothing in it is an operator, and open at its end.

    A word without a letter or digit would match nothing and so hide what the others find; it is left out. Raises
    PeerError if there are too many.
    """
    words = {word: None for word in query.replace("\0", " ").split() if any(char.isalnum() for char in word)}
    if len(words) > MAX_SEARCH_WORDS:
        raise PeerError("bad_request", f'field "query": at most {MAX_SEARCH_WORDS} different words')
    return " ".join('"{}"*'.format(word.replace('"', '""')) for word in words)


def _page(connection: sqlite3.Connection, statement: str, values: dict[str, object], limit: int) -> Page:
    # One row more than asked for tells whether there are more. All rows are fetched: an open cursor would keep the WAL
    # from shrinking.
    rows = connection.execute(statement, values | {"limit": limit + 1}).fetchall()
    return Page([Message(*row) for row in rows[:limit]], more=len(rows) > limit)


# -- the search index -------------------------------------------------------------------------------------------------
def index_some(connection: sqlite3.Connection) -> bool:
    """Puts the next messages into the search index, in id order; says whether there are more to come.

    The index itself knows how far it has come: its docsize table has a row for each message in it. An index that is
    damaged raises StorageUnavailable, undone to its savepoint: messages are stored all the same.
    """
    connection.execute("SAVEPOINT indexing")
    try:
        (indexed,) = connection.execute("SELECT coalesce(max(id), 0) FROM message_search_docsize").fetchone()
        added = connection.execute(
            "INSERT INTO message_search (rowid, body) SELECT id, body FROM message WHERE id > ? ORDER BY id LIMIT ?",
            (indexed, INDEX_BATCH),
        ).rowcount
    except sqlite3.DatabaseError as error:
        connection.execute("ROLLBACK TO indexing")
        raise StorageUnavailable(f"the search index: {error}") from error
    finally:
        connection.execute("RELEASE indexing")
    return added == INDEX_BATCH
