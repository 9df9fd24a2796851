"""The writer's upkeep: what it does between the writes, a piece at a time. Has no statement of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.sqlite import erasure, fulltext
from service.storage.sqlite.writer import Due

if TYPE_CHECKING:
    import sqlite3


class ChatUpkeep:
    """Erases what was deleted, and in idle moments fills the search indexes."""

    def do_piece(self, connection: sqlite3.Connection, *, idle: bool) -> Due:
        left = erasure.erase_some(connection)
        return Due(idle and fulltext.index_some(connection), soon=left.pending > 0, wal=left.wal_is_next)

    def note_emptied(self, connection: sqlite3.Connection) -> bool:
        return erasure.note_emptied(connection).pending > 0
