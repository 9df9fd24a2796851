"""Statements about messages that are stored. Each takes a connection; none begins or ends a transaction.

contract.py describes those that are one of its methods. posting.py stores messages, since.py has the pages of rooms,
fulltext.py the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.storage.records import MAX_ID, Message, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.storage.postgres.connection import Connection

# Selects a page's messages. The text for {} says which rows `m` of the table it has. A few names are looked up sooner
# than joined: the planner may take it for cheaper to read all of them.
SELECT: Final = """
    SELECT m.id, m.sent_at, (SELECT name FROM "user" WHERE id = m.sender_id),
        (SELECT name FROM "user" WHERE id = m.recipient_id), m.body, m.kind, m.deleted_at,
        (SELECT name FROM room WHERE id = m.room_id)
    FROM ({}) AS m ORDER BY m.id {}
"""
_PUBLIC: Final = "SELECT * FROM message WHERE recipient_id IS NULL AND room_id IS NULL AND {}"
# PostgreSQL uses an index of expressions only for exactly the terms of its definition.
_TALK: Final = """
    SELECT * FROM message WHERE recipient_id IS NOT NULL
        AND least(sender_id, recipient_id) = %(low)s AND greatest(sender_id, recipient_id) = %(high)s AND {}
"""
_MISSED: Final = """
    SELECT m.* FROM unseen AS u JOIN message AS m ON m.id = u.id
    WHERE u.recipient_id = %(user)s AND u.id <= %(up_to)s ORDER BY u.id LIMIT %(limit)s
"""
_BY_ID: Final = SELECT.format("SELECT * FROM message WHERE id = ANY (%s::bigint[])", "")
BETWEEN: Final = "id > %(after)s AND id < %(before)s ORDER BY id {} LIMIT %(limit)s"
_NOW_SEEN: Final = """
    WITH now_seen AS (DELETE FROM unseen WHERE recipient_id = %(user)s AND {} RETURNING id)
    INSERT INTO seen (id, seen_at) SELECT id, %(now)s FROM now_seen
"""
_ALL_NOW_SEEN: Final = """
    WITH now_seen AS (
        DELETE FROM unseen AS w USING unnest(%s::bigint[], %s::bigint[]) AS shown (user_id, message_id)
        WHERE w.recipient_id = user_id AND w.id = message_id RETURNING w.id
    )
    INSERT INTO seen (id, seen_at) SELECT id, %s FROM now_seen
"""


# -- what was seen ----------------------------------------------------------------------------------------------------
def mark_seen_up_to(
    connection: Connection, user_id: int, message_id: int, now: str, *, from_id: int | None = None
) -> bool:
    """Marks all direct messages to the user up to that id, or those of one sender; returns whether any was unseen."""
    which = "id <= %(up_to)s" if from_id is None else "id <= %(up_to)s AND sender_id = %(from)s"
    values = {"user": user_id, "up_to": message_id, "from": from_id, "now": now}
    return connection.run(_NOW_SEEN.format(which), values).rowcount > 0


def mark_seen(connection: Connection, user_id: int, message_ids: Sequence[int], now: str) -> bool:
    """As `Storage.mark_seen`; returns whether any of them was unseen."""
    values = {"user": user_id, "ids": list(message_ids), "now": now}
    return connection.run(_NOW_SEEN.format("id = ANY (%(ids)s::bigint[])"), values).rowcount > 0


def mark_all_seen(connection: Connection, shown: Sequence[tuple[int, int]], now: str) -> None:
    """Marks direct messages to many users as seen, in one round trip: each user's id with a message's."""
    user_ids, message_ids = zip(*shown, strict=True)
    connection.run(_ALL_NOW_SEEN, (list(user_ids), list(message_ids), now))


def move_read_markers(connection: Connection, user_ids: Sequence[int], message_id: int) -> bool:
    """Moves the users' read markers to that id, never back and never beyond the newest message.

    Returns whether any has moved.
    """
    ((moved,),) = connection.run(
        "SELECT chat_read(%s::bigint[], least(%s, pg_sequence_last_value('message_id')))",
        (list(user_ids), min(message_id, MAX_ID)),
    ).fetchall()
    return bool(moved)


def newest_given(connection: Connection) -> int:
    """Returns the newest id that was ever given; its message may have been removed."""
    ((newest,),) = connection.run("SELECT pg_sequence_last_value('message_id')").fetchall()
    return int(newest)


# -- pages ------------------------------------------------------------------------------------------------------------
def missed_page(connection: Connection, user_id: int, up_to: int, limit: int) -> Page:
    return read_page(connection, _MISSED, {"user": user_id, "up_to": up_to}, limit)


def history_page(
    connection: Connection, talk: tuple[int, int] | None, before: int | None, after: int | None, limit: int
) -> Page:
    order = "DESC" if after is None else "ASC"
    values: dict[str, object] = {"after": after or 0, "before": MAX_ID if before is None else before}
    if talk is None:
        return read_page(connection, _PUBLIC.format(BETWEEN.format(order)), values, limit, order)
    values |= {"low": min(talk), "high": max(talk)}
    return read_page(connection, _TALK.format(BETWEEN.format(order)), values, limit, order)


def read_page(connection: Connection, rows: str, values: Mapping[str, object], limit: int, order: str = "ASC") -> Page:
    """Reads messages that a statement selects, of the columns of the table; it ends with LIMIT %(limit)s."""
    # One extra row tells whether there are more.
    found = connection.run(SELECT.format(rows, order), {**values, "limit": limit + 1}).fetchall()
    return _page(found, limit)


def page_of(connection: Connection, ids: Sequence[int], limit: int) -> Page:
    """Returns the messages with the first of these ids, in their order; `more` if there are others."""
    found = {row[0]: row for row in connection.run(_BY_ID, (list(ids[:limit]),)).fetchall()}
    return Page([Message(*found[number]) for number in ids[:limit] if number in found], more=len(ids) > limit)


def _page(rows: Sequence[Any], limit: int) -> Page:
    return Page([Message(*row) for row in rows[:limit]], more=len(rows) > limit)
