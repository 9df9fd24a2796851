"""Statements that remove old messages, rows and all, a piece at a time. None begins or ends a transaction.

All that is derived from the messages follows in the same transaction: the counts, the members' markers, the search
indexes, the eras, the lists of direct messages. Their nonces are forgotten, so a retry that is older may be stored
anew. Ids are never given again: they follow the sequence.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from service.storage.records import Purged, UnknownRoom
from service.storage.sqlite import erasure, fulltext, markers, posting, talks, unread
from service.storage.statements import operators

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

PIECE: Final = 40  # messages removed at once: 2 to 4 ms, most of it for the search index
PIECE_CHARACTERS: Final = 32_000  # of their texts, but one message at least: 3 ms, as the index looks at each word
PIECE_MEMBERS: Final = 10_000  # of their rooms, whose markers are looked at, but one room at least: 1 ms
_WINDOW: Final = 4_096  # ids looked at for them: the others may be of the kind that is kept

_Row = tuple[int, int, "int | None", "int | None", str]  # of a message: id, sender, recipient, room, text


def purge_some(
    connection: sqlite3.Connection, before: str, after_id: int, *, public: bool, direct: bool, room: str | None = None
) -> Purged:
    """As `AccountStorage.purge_some`."""
    bound = operators.last_before(connection, before)
    if room is not None:
        rows, end = _next_in_rooms(connection, find_rooms(connection, room), after_id, bound)
    else:
        rows, end = _next_of_kinds(connection, after_id, bound, public=public, direct=direct)
    taken = rows[: max(1, _count_affordable(connection, rows))]
    if len(taken) < len(rows) or len(rows) == PIECE:
        end = taken[-1][0]
    if taken:
        _remove(connection, taken, after_id)
    return Purged(len(taken), end, more=end < bound)


def find_rooms(connection: sqlite3.Connection, name: str) -> list[int]:
    """Returns the rooms of that name: those that are gone, too. Raises UnknownRoom if there never was any."""
    room_ids = [room_id for (room_id,) in connection.execute("SELECT id FROM room WHERE name = ?", (name,)).fetchall()]
    if not room_ids:
        raise UnknownRoom(name)
    return room_ids


def _next_of_kinds(
    connection: sqlite3.Connection, after_id: int, bound: int, *, public: bool, direct: bool
) -> tuple[list[_Row], int]:
    """Returns the next messages to remove, at most a piece, and up to which id was looked."""
    (first,) = connection.execute("SELECT min(id) FROM message WHERE id > ?", (after_id,)).fetchone()
    if first is None or first > bound:
        return [], bound
    end = min(bound, first + _WINDOW)
    rows = connection.execute(
        "SELECT id, sender_id, recipient_id, room_id, body FROM message WHERE id >= :first AND id <= :end "
        "AND CASE WHEN recipient_id IS NULL THEN :public ELSE :direct END ORDER BY id LIMIT :piece",
        {"first": first, "end": end, "public": public, "direct": direct, "piece": PIECE},
    ).fetchall()
    return rows, end


def _next_in_rooms(
    connection: sqlite3.Connection, room_ids: Sequence[int], after_id: int, bound: int
) -> tuple[list[_Row], int]:
    """As `_next_of_kinds`, of these rooms only."""
    found: list[_Row] = []
    for room_id in room_ids:
        found += connection.execute(
            "SELECT id, sender_id, recipient_id, room_id, body FROM message INDEXED BY message_room "
            "WHERE room_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
            (room_id, after_id, bound, PIECE),
        ).fetchall()
    return sorted(found)[:PIECE], bound


def _count_affordable(connection: sqlite3.Connection, rows: Sequence[_Row]) -> int:
    """Returns how many of the messages may be removed at once, by the work that each makes."""
    characters = members = 0
    rooms: set[int] = set()
    for number, (*_, room_id, body) in enumerate(rows):
        characters += len(body)
        if room_id is not None and room_id not in rooms:
            rooms.add(room_id)
            members += connection.execute("SELECT members FROM room WHERE id = ?", (room_id,)).fetchone()[0]
        if characters > PIECE_CHARACTERS or (members > PIECE_MEMBERS and len(rooms) > 1):
            return number
    return len(rows)


def _remove(connection: sqlite3.Connection, rows: Sequence[_Row], after_id: int) -> None:
    ids = [row[0] for row in rows]
    fulltext.remove(connection, rows, keep_place=False)
    unread.discount(connection, Counter((row[0], row[1]) for row in rows if row[2] is None and row[3] is None))
    markers.pass_over(
        connection, [(room_id, sender_id, number) for number, sender_id, _, room_id, _ in rows if room_id]
    )
    talks.forget(connection, [(number, sender_id, to) for number, sender_id, to, _, _ in rows if to is not None])
    connection.execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    posting.forget_eras(connection, ids[0], ids[-1])
    erasure.demand(connection, ids[0], ids[-1], after_id)


def count_older(
    connection: sqlite3.Connection, before: str, *, public: bool, direct: bool, room: str | None = None
) -> int:
    """As `AccountStorage.count_older`."""
    bound = operators.last_before(connection, before)
    if room is not None:
        count = "SELECT count(*) FROM message INDEXED BY message_room WHERE room_id = ? AND id <= ?"
        room_ids = find_rooms(connection, room)
        return sum(connection.execute(count, (room_id, bound)).fetchone()[0] for room_id in room_ids)
    (of_all,) = connection.execute("SELECT count(*) FROM message WHERE id <= ?", (bound,)).fetchone()
    (of_direct,) = connection.execute(
        "SELECT count(*) FROM message INDEXED BY message_talk WHERE recipient_id IS NOT NULL AND id <= ?", (bound,)
    ).fetchone()
    return int((of_all - of_direct) * public + of_direct * direct)
