"""Statements that remove old messages, rows and all, a piece at a time. None begins or ends a transaction.

All that is derived from the messages follows in the same transaction: the counts, the search indexes, the eras. Their
nonces are forgotten, so a retry that is older may be stored anew. Ids are never given again: they follow the sequence.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from service.storage.records import Purged
from service.storage.sqlite import erasure, fulltext, messages, operators, unread

if TYPE_CHECKING:
    import sqlite3

PIECE: Final = 40  # messages removed at once: 2 to 4 ms, most of it for the search index
PIECE_CHARACTERS: Final = 32_000  # of their texts, but one message at least: 3 ms, as the index looks at each word
_WINDOW: Final = 4_096  # ids looked at for them: the others may be of the kind that is kept


def purge_some(connection: sqlite3.Connection, before: str, after_id: int, *, public: bool, direct: bool) -> Purged:
    """As `AccountStorage.purge_some`."""
    bound = operators.last_before(connection, before)
    (first,) = connection.execute("SELECT min(id) FROM message WHERE id > ?", (after_id,)).fetchone()
    if first is None or first > bound:
        return Purged(0, bound, more=False)
    end = min(bound, first + _WINDOW)
    rows = connection.execute(
        "SELECT id, sender_id, recipient_id, body FROM message WHERE id >= :first AND id <= :end "
        "AND CASE WHEN recipient_id IS NULL THEN :public ELSE :direct END ORDER BY id LIMIT :piece",
        {"first": first, "end": end, "public": public, "direct": direct, "piece": PIECE},
    ).fetchall()
    sizes = accumulate(len(row[3]) for row in rows)
    taken = rows[: max(1, sum(size <= PIECE_CHARACTERS for size in sizes))]
    if len(rows) == PIECE or len(taken) < len(rows):
        end = taken[-1][0]
    if taken:
        _remove(connection, taken, after_id)
    return Purged(len(taken), end, more=end < bound)


def _remove(connection: sqlite3.Connection, rows: list[tuple[int, int, int | None, str]], after_id: int) -> None:
    ids = [row[0] for row in rows]
    fulltext.remove(connection, rows, keep_place=False)
    unread.discount(connection, Counter((row[0], row[1]) for row in rows if row[2] is None))
    connection.execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    messages.forget_eras(connection, ids[0], ids[-1])
    erasure.demand(connection, ids[0], ids[-1], after_id)


def count_older(connection: sqlite3.Connection, before: str, *, public: bool, direct: bool) -> int:
    """As `AccountStorage.count_older`."""
    bound = operators.last_before(connection, before)
    (of_public,) = connection.execute(
        "SELECT count(*) FROM message INDEXED BY message_public WHERE recipient_id IS NULL AND id <= ?", (bound,)
    ).fetchone()
    (of_all,) = connection.execute("SELECT count(*) FROM message WHERE id <= ?", (bound,)).fetchone()
    return int(of_public * public + (of_all - of_public) * direct)
