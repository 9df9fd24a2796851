"""Removes from the file what was deleted: old copies in pages, words in the search indexes, and the -wal.

SQLite overwrites with zeros what it frees (secure_delete), with three exceptions. A page may have old copies of rows
between its cells, where rows were moved to another page, such as when a direct message grew as it was seen. A search
index has a word until its segments are merged. And the -wal has earlier forms of pages until it is emptied. The table
erasure holds what is to be done, so that a restart forgets nothing. All is done in pieces of a few milliseconds of the
writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import Erasure
from service.storage.sqlite import fulltext

if TYPE_CHECKING:
    import sqlite3

PIECE_PAGES: Final = 12  # of an index, merged at once: 2 ms
PIECE_ROWS: Final = 16  # the most whose deletion one rewriting serves
# Rows on each side that are rewritten with a deleted one, so that the page with its old copies is freed, and its
# neighbours are. Old copies are found in a row's own page and in the next one only: rows move by one page.
AROUND_ROWS: Final = 64  # of 150 bytes: 2 pages and a half
_AROUND_BYTES: Final = 12_288  # 3 pages; longer rows are fewer
_ROW_BYTES: Final = 100  # of a row, without its text, at most
_LONG_ROW: Final = 489  # bytes; of a row that fills more than a page at least so many stand in the table's page
_INDEXES: Final = ("message_search", "direct_search")


def demand(connection: sqlite3.Connection, first_id: int, last_id: int, after_id: int | None = None) -> None:
    """Notes that messages with these ids were deleted, whose texts are to be removed from the file.

    If those up to `after_id` were deleted as well, and wait, these are added to them.
    """
    added = connection.execute(
        "UPDATE erasure SET last_id = ? WHERE place = 'message' AND last_id = ?", (last_id, after_id)
    ).rowcount
    if not added:
        connection.execute(
            "INSERT INTO erasure (place, first_id, last_id) VALUES ('message', ?, ?)", (first_id, last_id)
        )
    for index in _INDEXES:
        _want(connection, index)


def _want(connection: sqlite3.Connection, place: str) -> None:
    connection.execute("INSERT OR IGNORE INTO erasure (place) VALUES (?)", (place,))


def find_pending(connection: sqlite3.Connection) -> Erasure:
    (pending,) = connection.execute("SELECT count(*) FROM erasure").fetchone()
    first = connection.execute("SELECT place FROM erasure ORDER BY id LIMIT 1").fetchone()
    return Erasure(pending, wal_is_next=first == ("wal",))


def erase_some(connection: sqlite3.Connection) -> Erasure:
    """Does the next piece, but for the -wal; returns what is left."""
    row = connection.execute(
        "SELECT id, place, begun, first_id, last_id FROM erasure WHERE place <> 'wal' ORDER BY id LIMIT 1"
    ).fetchone()
    if row is not None:
        number, place, begun, first, last = row
        if place in _INDEXES:
            is_done = _merge(connection, number, place, begun=begun)
        else:
            is_done = _rewrite(connection, number, first, last)
        if is_done:
            connection.execute("DELETE FROM erasure WHERE id = ?", (number,))
            _want(connection, "wal")  # behind all that waits now
    return find_pending(connection)


def note_emptied(connection: sqlite3.Connection) -> Erasure:
    """Notes that the -wal was emptied while that was next; returns what is left."""
    connection.execute("DELETE FROM erasure WHERE place = 'wal'")
    return find_pending(connection)


def _merge(connection: sqlite3.Connection, number: int, index: str, *, begun: bool) -> bool:
    """Merges a piece of an index; returns whether the index is merged.

    A merge that is under way goes on to its end. What is deleted meanwhile has a row of its own in the table, which
    begins another one.
    """
    if not begun:
        connection.execute("UPDATE erasure SET begun = 1 WHERE id = ?", (number,))
    return not fulltext.merge_some(connection, index, PIECE_PAGES, begin=not begun)


def _rewrite(connection: sqlite3.Connection, number: int, first: int, last: int) -> bool:
    """Takes rows out of the table and puts them back, so that their pages are freed; returns whether `last` is done.

    What else was deleted among the next rows is served by this as well.
    """
    inside = connection.execute("SELECT id FROM message WHERE id >= ? ORDER BY id LIMIT ?", (first, PIECE_ROWS))
    end = max((row_id for (row_id,) in inside.fetchall()), default=last)
    (through,) = connection.execute(
        "SELECT max(min(last_id, :end)) FROM erasure WHERE place = 'message' AND first_id BETWEEN :first AND :end",
        {"first": first, "end": max(first, end)},
    ).fetchone()
    below = _neighbours(connection, "id < ? ORDER BY id DESC", first)
    above = _neighbours(connection, "id > ? ORDER BY id", through)
    low, high = min(below, default=first), max(above, default=through)
    cursor = connection.execute("SELECT * FROM message WHERE id >= ? AND id <= ? ORDER BY id", (low, high))
    rows, places = cursor.fetchall(), ", ".join("?" * len(cursor.description))
    connection.execute("DELETE FROM message WHERE id >= ? AND id <= ?", (low, high))
    connection.executemany(f"INSERT INTO message VALUES ({places})", rows)  # noqa: S608
    connection.execute(
        "DELETE FROM erasure WHERE place = 'message' AND first_id >= ? AND last_id <= ? AND id <> ?",
        (first, through, number),
    )
    connection.execute("UPDATE erasure SET first_id = ? WHERE id = ?", (through + 1, number))
    return bool(through >= last)


def _neighbours(connection: sqlite3.Connection, condition: str, message_id: int) -> list[int]:
    """Returns the ids of the rows next to an id: as many as fill some pages."""
    near: list[int] = []
    size = 0
    for row_id, length in connection.execute(
        f"SELECT id, length(body) FROM message WHERE {condition} LIMIT {AROUND_ROWS}",  # noqa: S608
        (message_id,),
    ).fetchall():
        if size >= _AROUND_BYTES:
            break
        near.append(row_id)
        size += min(length + _ROW_BYTES, _LONG_ROW)
    return near
