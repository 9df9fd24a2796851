"""Statements that remove old messages, rows and all, a piece at a time. None begins or ends a transaction.

All that is derived from the messages follows in the same transaction: what members have before them, the search index,
the lists of what was seen. Their nonces are forgotten, so a retry that is older may be stored anew. Ids are never given
again: they follow the sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.postgres import fulltext
from service.storage.records import Purged, UnknownRoom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.postgres.connection import Connection

    _Row = tuple[int, int, int | None, int | None, str]  # of a message: id, sender, recipient, room, text

PIECE: Final = 40  # messages removed at once: some milliseconds, most of it for the search index
PIECE_CHARACTERS: Final = 32_000  # of their texts, but one message at least
PIECE_MEMBERS: Final = 10_000  # of their rooms, whose markers are looked at, but one room at least
_WINDOW: Final = 4_096  # ids looked at for them: the others may be of the kind that is kept
_COLUMNS: Final = "id, sender_id, recipient_id, room_id, body"
_OF_KINDS: Final = f"""
    SELECT {_COLUMNS} FROM message WHERE id >= %(first)s AND id <= %(end)s
        AND CASE WHEN recipient_id IS NULL THEN %(public)s ELSE %(direct)s END ORDER BY id LIMIT {PIECE}
"""  # noqa: S608
_IN_ROOMS: Final = f"""
    SELECT m.* FROM unnest(%(rooms)s::bigint[]) AS wanted CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM message WHERE room_id = wanted AND id > %(after)s AND id <= %(bound)s
        ORDER BY id LIMIT {PIECE}
    ) AS m ORDER BY m.id LIMIT {PIECE}
"""  # noqa: S608
# To a marker before them they are as good as read. They are the oldest of their rooms.
_PASS_OVER: Final = (
    """
    UPDATE marker SET own_unread = own_unread - number FROM (
        SELECT m.sender_id, count(*) AS number FROM message AS m JOIN marker AS k ON k.user_id = m.sender_id
        WHERE m.id = ANY (%(ids)s::bigint[]) AND m.recipient_id IS NULL AND m.room_id IS NULL AND k.read_id < m.id
        GROUP BY m.sender_id
    ) AS own WHERE user_id = own.sender_id
    """,
    """
    UPDATE main_room SET removed = newest FROM (
        SELECT max(position) AS newest FROM message
        WHERE id = ANY (%(ids)s::bigint[]) AND recipient_id IS NULL AND room_id IS NULL
    ) AS gone WHERE newest > removed
    """,
    """
    UPDATE member AS b SET own_unread = b.own_unread - own.number FROM (
        SELECT m.room_id, m.sender_id, count(*) AS number FROM message AS m
        JOIN member AS o ON o.room_id = m.room_id AND o.user_id = m.sender_id
        WHERE m.id = ANY (%(ids)s::bigint[]) AND o.read_id < m.id GROUP BY m.room_id, m.sender_id
    ) AS own WHERE b.room_id = own.room_id AND b.user_id = own.sender_id
    """,
    """
    UPDATE member AS b SET read_position = gone.position FROM (
        SELECT room_id, max(position) AS position, max(id) AS id FROM message
        WHERE id = ANY (%(ids)s::bigint[]) AND room_id IS NOT NULL GROUP BY room_id
    ) AS gone WHERE b.room_id = gone.room_id AND b.read_id < gone.id AND b.read_position < gone.position
    """,
    "DELETE FROM seen WHERE id = ANY (%(ids)s::bigint[])",
    """
    DELETE FROM unseen USING message AS m
    WHERE m.id = ANY (%(ids)s::bigint[]) AND unseen.recipient_id = m.recipient_id AND unseen.id = m.id
    """,
    "DELETE FROM message WHERE id = ANY (%(ids)s::bigint[])",
)


def purge_some(
    connection: Connection, before: str, after_id: int, *, public: bool, direct: bool, room: str | None = None
) -> Purged:
    """As `AccountStorage.purge_some`."""
    bound = _last_before(connection, before)
    if room is not None:
        rows, end = _next_in_rooms(connection, _find_rooms(connection, room), after_id, bound), bound
    else:
        rows, end = _next_of_kinds(connection, after_id, bound, public=public, direct=direct)
    taken = rows[: max(1, _count_affordable(connection, rows))]
    if len(taken) < len(rows) or len(rows) == PIECE:
        end = taken[-1][0]
    if taken:
        fulltext.remove(connection, taken)
        values = {"ids": [row[0] for row in taken]}
        for statement in _PASS_OVER:
            connection.run(statement, values)
    return Purged(len(taken), end, more=end < bound)


def _last_before(connection: Connection, before: str) -> int:
    ((last,),) = connection.run("SELECT chat_last_before(%s)", (before,)).fetchall()
    return int(last)


def _find_rooms(connection: Connection, name: str) -> list[int]:
    """Returns the rooms of that name: those that are gone, too. Raises UnknownRoom if there never was any."""
    room_ids = [room_id for (room_id,) in connection.run("SELECT id FROM room WHERE name = %s", (name,)).fetchall()]
    if not room_ids:
        raise UnknownRoom(name)
    return room_ids


def _next_of_kinds(
    connection: Connection, after_id: int, bound: int, *, public: bool, direct: bool
) -> tuple[list[_Row], int]:
    """Returns the next messages to remove, at most a piece, and up to which id was looked."""
    ((first,),) = connection.run("SELECT min(id) FROM message WHERE id > %s", (after_id,)).fetchall()
    if first is None or first > bound:
        return [], bound
    end = min(bound, first + _WINDOW)
    values = {"first": first, "end": end, "public": public, "direct": direct}
    return connection.run(_OF_KINDS, values).fetchall(), end


def _next_in_rooms(connection: Connection, room_ids: Sequence[int], after_id: int, bound: int) -> list[_Row]:
    """As `_next_of_kinds`, of these rooms only."""
    return connection.run(_IN_ROOMS, {"rooms": room_ids, "after": after_id, "bound": bound}).fetchall()


def _count_affordable(connection: Connection, rows: Sequence[_Row]) -> int:
    """Returns how many of the messages may be removed at once, by the work that each makes."""
    characters = members = 0
    of_room: dict[int, int] = {}
    room_ids = list({row[3] for row in rows if row[3] is not None})
    if room_ids:
        counted = connection.run("SELECT id, members FROM room WHERE id = ANY (%s::bigint[])", (room_ids,))
        of_room = dict(counted.fetchall())
    rooms: set[int] = set()
    for number, (*_, room_id, body) in enumerate(rows):
        characters += len(body)
        if room_id is not None and room_id not in rooms:
            rooms.add(room_id)
            members += of_room[room_id]
        if characters > PIECE_CHARACTERS or (members > PIECE_MEMBERS and len(rooms) > 1):
            return number
    return len(rows)


def count_older(connection: Connection, before: str, *, public: bool, direct: bool, room: str | None = None) -> int:
    """As `AccountStorage.count_older`."""
    values: dict[str, object] = {"bound": _last_before(connection, before), "public": public, "direct": direct}
    which = "CASE WHEN recipient_id IS NULL THEN %(public)s ELSE %(direct)s END"
    if room is not None:
        which = "room_id = ANY (%(rooms)s::bigint[])"
        values["rooms"] = _find_rooms(connection, room)
    counted = connection.run(f"SELECT count(*) FROM message WHERE id <= %(bound)s AND {which}", values)  # noqa: S608
    ((count,),) = counted.fetchall()
    return int(count)
