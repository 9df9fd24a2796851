"""Pages with messages to rooms: of one room, and of all conversations of a user together. Changes nothing.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.postgres import messages
from service.storage.records import MAX_DELETED, MAX_ID, SinceNews
from service.storage.statements.connection import one_state
from service.storage.statements.rooms import membership

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection
    from service.storage.records import Page

DELETED_LOOKED_AT: Final = 2_000  # deletions looked at for those that the user may read
FIRST_OF_ROOM: Final = 8  # ids looked up in each room at first: of 200 rooms in a millisecond
_ROOM: Final = f"SELECT * FROM message WHERE room_id = %(room)s AND {messages.BETWEEN}"  # noqa: S608
# Rooms are many, or have much to say, and seldom both: so each gives a few ids at first, and then only those give more
# whose next ones may be among the first of all.
_IN_ROOMS: Final = f"""
    place AS MATERIALIZED (
        SELECT b.room_id FROM member AS b JOIN room AS r ON r.id = b.room_id
        WHERE %(rooms)s AND b.user_id = %(user)s AND r.last_id > %(after)s
    ), early AS MATERIALIZED (
        SELECT place.room_id, m.id FROM place CROSS JOIN LATERAL (
            SELECT id FROM message WHERE room_id = place.room_id AND id > %(after)s ORDER BY id LIMIT {FIRST_OF_ROOM}
        ) AS m
    ), bound AS (
        SELECT coalesce((SELECT id FROM early ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), {MAX_ID}) AS id
    ), late AS (
        SELECT m.id FROM bound CROSS JOIN (
            SELECT room_id, max(id) AS id FROM early GROUP BY room_id HAVING count(*) = {FIRST_OF_ROOM}
        ) AS known CROSS JOIN LATERAL (
            SELECT id FROM message WHERE room_id = known.room_id AND id > known.id AND id < bound.id
            ORDER BY id LIMIT %(limit)s
        ) AS m WHERE known.id < bound.id
    )
"""  # noqa: S608
# OFFSET 0 keeps the planner from reading a whole table where it takes that for cheaper.
_ALL: Final = f"""
    WITH {_IN_ROOMS}, found AS (
        (SELECT id FROM message WHERE recipient_id IS NULL AND room_id IS NULL AND id > %(after)s
            ORDER BY id LIMIT %(limit)s)
        UNION ALL
        (SELECT id FROM message WHERE recipient_id IS NOT NULL AND sender_id = %(user)s AND id > %(after)s
            ORDER BY id LIMIT %(limit)s)
        UNION
        (SELECT id FROM message WHERE recipient_id = %(user)s AND id > %(after)s ORDER BY id LIMIT %(limit)s)
        UNION ALL SELECT id FROM early
        UNION ALL SELECT id FROM late
    )
    SELECT m.* FROM (SELECT id FROM found ORDER BY id LIMIT %(limit)s) AS first CROSS JOIN LATERAL
        (SELECT * FROM message WHERE id = first.id OFFSET 0) AS m
"""  # noqa: S608
# Of those that are looked at: the index tells who may read them.
_DELETED: Final = f"""
    WITH looked AS MATERIALIZED (
        SELECT id, sender_id, recipient_id, room_id FROM message WHERE deleted_at >= %(deleted_after)s
        ORDER BY deleted_at, id LIMIT {DELETED_LOOKED_AT + 1}
    )
    SELECT (SELECT count(*) FROM looked), ARRAY (
        SELECT id FROM looked WHERE id <= %(up_to)s AND CASE
            WHEN recipient_id IS NOT NULL THEN %(user)s IN (sender_id, recipient_id)
            WHEN room_id IS NOT NULL THEN %(rooms)s AND EXISTS
                (SELECT FROM member AS b WHERE b.room_id = looked.room_id AND b.user_id = %(user)s)
            ELSE true
        END LIMIT {MAX_DELETED + 1}
    )
"""  # noqa: S608


def room_page(
    connection: Connection, user_id: int, room: str, before: int | None, after: int | None, limit: int
) -> Page:
    order = "DESC" if after is None else "ASC"
    values: dict[str, object] = {"after": after or 0, "before": MAX_ID if before is None else before}
    with one_state(connection):  # or it could have what was said after the membership has ended
        values["room"] = membership(connection, user_id, room).room.id
        return messages.read_page(connection, _ROOM.format(order), values, limit, order)


def since_page(
    connection: Connection, user_id: int, after: int, limit: int, *, rooms: bool, deleted_after: str | None
) -> SinceNews:
    # The time is read first: what is deleted after that, and may not be in the page, has no earlier one.
    ((moment,),) = connection.run("SELECT chat_moment()").fetchall()
    values: dict[str, object] = {"user": user_id, "after": after, "rooms": rooms}
    page = messages.read_page(connection, _ALL, values, limit)
    if deleted_after is None:
        return SinceNews(page, moment)
    deleted = _find_deleted(connection, user_id, after, deleted_after, rooms=rooms)
    return SinceNews(page, moment, deleted or (), deleted_more=deleted is None)


def _find_deleted(
    connection: Connection, user_id: int, up_to: int, deleted_after: str, *, rooms: bool
) -> list[int] | None:
    """Returns the ids, up to one, of what the user may read and was deleted at a time or later; None if too many."""
    values = {"user": user_id, "up_to": up_to, "deleted_after": deleted_after, "rooms": rooms}
    ((looked_at, ids),) = connection.run(_DELETED, values).fetchall()
    return None if looked_at > DELETED_LOOKED_AT or len(ids) > MAX_DELETED else ids
