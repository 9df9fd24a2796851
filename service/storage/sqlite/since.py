"""Pages with messages to rooms: of one room, and of all conversations of a user together. Changes nothing.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import MAX_ID
from service.storage.sqlite import messages, rooms

if TYPE_CHECKING:
    import sqlite3

    from service.storage.records import Page, RoomRef

_ROOM: Final = messages.SELECT.format("message AS m INDEXED BY message_room")


def room_page(
    connection: sqlite3.Connection, user_id: int, room: str, before: int | None, after: int | None, limit: int
) -> tuple[RoomRef, Page]:
    ref = rooms.membership(connection, user_id, room).room
    order = "DESC" if after is None else "ASC"
    statement = f"{_ROOM} WHERE m.room_id = :room AND {messages.BETWEEN} ORDER BY m.id {order} LIMIT :limit"
    values: dict[str, object] = {"room": ref.id, "after": after or 0, "before": MAX_ID if before is None else before}
    return ref, messages.read_page(connection, statement, values, limit)
