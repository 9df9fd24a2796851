"""What was written to clients that do not confirm: noted in memory, stored in batches, so that it counts as seen.

Notes come from the delivery thread and must cost it little. They are stored by the ticker, and those of one user at
their login and logout and before a page of missed messages. A crash in between only shows a message twice.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from service.clock import format_time, utcnow
from service.config import RECEIPTS_BATCH
from service.delivery.run import Note
from service.errors import StorageUnavailable
from service.storage.sqlite import messages, users

if TYPE_CHECKING:
    import sqlite3

    from service.storage.sqlite.engine import Storage, Write


class Receipts:
    """The notes of all users, until they are stored."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._public: dict[int, int] = {}  # user id: the newest public id written to it
        self._direct: dict[int, list[int]] = {}  # user id: direct ids written to it
        self._direct_count = 0  # of these, since the last flush
        self._expected: Counter[int] = Counter()  # user id: their open outboxes that notes come from

    def expect(self, user_id: int) -> None:
        """Counts one more outbox in that notes of the user may come from."""
        with self._lock:
            self._expected[user_id] += 1

    def expect_no_more(self, user_id: int) -> None:
        """Counts one out: its last note is taken."""
        with self._lock:
            self._expected[user_id] -= 1
            if not self._expected[user_id]:
                del self._expected[user_id]

    def are_expected(self, user_id: int) -> bool:
        """Whether something may have been read by the user that is not noted yet."""
        return user_id in self._expected

    def note(self, user_id: int, note: Note) -> None:
        """Takes down that a line was written whole to one of the user's sessions."""
        public_id, direct_ids = note.public_id, note.direct_ids
        with self._lock:
            if public_id > self._public.get(user_id, 0):
                self._public[user_id] = public_id
            if direct_ids:
                self._direct.setdefault(user_id, []).extend(direct_ids)
                self._direct_count += len(direct_ids)

    def store(self, user_id: int) -> Write | None:
        """Submits the notes of one user; None if there are none. What cannot be stored is noted again."""
        with self._lock:
            public, direct = self._public.pop(user_id, 0), self._direct.pop(user_id, [])
        return self._submit([(user_id, public, direct)]) if public or direct else None

    def flush(self) -> Write | None:
        """Submits the notes of all users, as `store` does, and gives the last write.

        They go in pieces, so that other writes come between: after a public message there is one for everybody online.
        """
        with self._lock:
            public, self._public = self._public, {}
            direct, self._direct = self._direct, {}
            self._direct_count = 0
        write: Write | None = None
        piece: list[_Shown] = []
        size = 0
        for user_id in public.keys() | direct.keys():
            piece.append((user_id, public.get(user_id, 0), direct.get(user_id, [])))
            size += 1 + len(piece[-1][2])
            if size >= RECEIPTS_BATCH:
                write = self._submit(piece)
                piece, size = [], 0
        return self._submit(piece) if piece else write

    def flush_many(self) -> None:
        """Flushes if many direct messages are noted: while few are missed, the index of these is a few pages."""
        if self._direct_count >= RECEIPTS_BATCH:
            self.flush()

    def _submit(self, piece: list[_Shown]) -> Write:
        def keep(outcome: object) -> None:
            if isinstance(outcome, StorageUnavailable):
                for user_id, public_id, direct_ids in piece:
                    self.note(user_id, Note(public_id, direct_ids))

        return self._storage.submit(_store, piece, format_time(utcnow()), then=keep)


_Shown = tuple[int, int, list[int]]  # user id, the newest public id or 0, direct ids


def _store(connection: sqlite3.Connection, piece: list[_Shown], now: str) -> None:
    markers: dict[int, list[int]] = {}  # nearly always one: everybody has been sent the same
    for user_id, public_id, direct_ids in piece:
        if public_id:
            markers.setdefault(public_id, []).append(user_id)
        if direct_ids:
            messages.mark_seen(connection, user_id, direct_ids, now)
    for public_id, user_ids in markers.items():
        users.move_read_markers(connection, user_ids, public_id)
