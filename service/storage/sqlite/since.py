"""Pages with messages to rooms: of one room, and of all conversations of a user together. Changes nothing.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import MAX_DELETED, MAX_ID, SinceNews
from service.storage.sqlite import messages, talks
from service.storage.statements import moments
from service.storage.statements.connection import one_state
from service.storage.statements.rooms import membership

if TYPE_CHECKING:
    import sqlite3

    from service.storage.records import Page

DELETED_LOOKED_AT: Final = 2_000  # deletions looked at for those that the user may read: 0.6 ms, as other pages take
_ROOM: Final = messages.SELECT.format("message AS m INDEXED BY message_room")
_IN_MAIN: Final = """
    SELECT id FROM message INDEXED BY message_public
    WHERE recipient_id IS NULL AND room_id IS NULL AND id > :after ORDER BY id LIMIT :limit
"""
# Goes from each message to the next one of its room, always at the room that has the oldest: ORDER BY makes a priority
# queue of the rows that wait. So each message takes one look-up, however many rooms there are.
_NEXT_IN_ROOM: Final = """
    (SELECT id FROM message INDEXED BY message_room
        WHERE room_id = {room} AND id > {after} AND id < :before ORDER BY id LIMIT 1)
"""
_IN_ROOMS: Final = f"""
    WITH RECURSIVE next (room_id, id) AS (
        SELECT b.room_id, {_NEXT_IN_ROOM.format(room="b.room_id", after=":after")}
        FROM member AS b INDEXED BY member_of_user CROSS JOIN room AS r ON r.id = b.room_id
        WHERE b.user_id = :user AND r.last_id > :after
        UNION ALL
        SELECT room_id, {_NEXT_IN_ROOM.format(room="next.room_id", after="next.id")} FROM next WHERE id IS NOT NULL
        ORDER BY 2
    )
    SELECT id FROM next WHERE id IS NOT NULL LIMIT :limit
"""  # noqa: S608
# Of those that are looked at: the index tells who may read them.
_DELETED: Final = """
    SELECT id FROM (
        SELECT id, sender_id, recipient_id, room_id FROM message INDEXED BY message_deleted
        WHERE deleted_at >= :deleted_after LIMIT :looked_at
    ) AS looked
    WHERE id <= :up_to AND CASE
        WHEN recipient_id IS NOT NULL THEN :user IN (sender_id, recipient_id)
        WHEN room_id IS NOT NULL THEN :rooms AND EXISTS
            (SELECT 1 FROM member AS b WHERE b.room_id = looked.room_id AND b.user_id = :user)
        ELSE 1
    END LIMIT :limit
"""


def room_page(
    connection: sqlite3.Connection, user_id: int, room: str, before: int | None, after: int | None, limit: int
) -> Page:
    order = "DESC" if after is None else "ASC"
    statement = f"{_ROOM} WHERE m.room_id = :room AND {messages.BETWEEN} ORDER BY m.id {order} LIMIT :limit"
    values: dict[str, object] = {"after": after or 0, "before": MAX_ID if before is None else before}
    with one_state(connection):  # or it could have what was said after the membership has ended
        values["room"] = membership(connection, user_id, room).room.id
        return messages.read_page(connection, statement, values, limit)


def since_page(
    connection: sqlite3.Connection, user_id: int, after: int, limit: int, *, rooms: bool, deleted_after: str | None
) -> SinceNews:
    with one_state(connection):  # or a cursor could pass over what is committed meanwhile
        ids = _find_ids(connection, user_id, after, limit + 1, rooms=rooms)
        page = messages.page_of(connection, ids, limit)
        moment = moments.newest(connection)
        if deleted_after is None:
            return SinceNews(page, moment)
        deleted = _find_deleted(connection, user_id, after, deleted_after, rooms=rooms)
    return SinceNews(page, moment, deleted or (), deleted_more=deleted is None)


def _find_ids(connection: sqlite3.Connection, user_id: int, after: int, limit: int, *, rooms: bool) -> list[int]:
    """Returns the first ids that the user may read after one, in order. Looks no further than to the last of them."""
    ids: list[int] = []
    for statement in (_IN_MAIN, _IN_ROOMS) if rooms else (_IN_MAIN,):
        values = {"user": user_id, "after": after, "before": _last(ids, limit), "limit": limit}
        found = connection.execute(statement, values).fetchall()
        ids = sorted([*ids, *(message_id for (message_id,) in found)])[:limit]
    return sorted([*ids, *talks.find_ids(connection, user_id, after, _last(ids, limit), limit)])[:limit]


def _last(ids: list[int], limit: int) -> int:
    """Returns before which id there can be others of the page: the last one of a full page."""
    return ids[-1] if len(ids) == limit else MAX_ID


def _find_deleted(
    connection: sqlite3.Connection, user_id: int, up_to: int, deleted_after: str, *, rooms: bool
) -> list[int] | None:
    """Returns the ids, up to one, of what the user may read and was deleted at a time or later; None if too many."""
    values = {
        "user": user_id,
        "up_to": up_to,
        "deleted_after": deleted_after,
        "rooms": rooms,
        "limit": MAX_DELETED + 1,
        "looked_at": DELETED_LOOKED_AT,
    }
    others = (
        "SELECT 1 FROM message INDEXED BY message_deleted WHERE deleted_at >= :deleted_after LIMIT 1 OFFSET :looked_at"
    )
    if connection.execute(others, values).fetchone() is not None:
        return None
    ids = [message_id for (message_id,) in connection.execute(_DELETED, values).fetchall()]
    return ids if len(ids) <= MAX_DELETED else None
