"""What was written to clients that do not confirm: noted in memory, stored in batches, so that it counts as seen.

Notes come from the delivery thread and must cost it little; they are stored by the ticker, at a login and at a logout,
and before a page of missed messages. A crash in between only shows a message twice.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from service.clock import format_time, utcnow
from service.errors import StorageUnavailable
from service.storage import messages, users

if TYPE_CHECKING:
    import sqlite3

    from service.outbox import Note
    from service.storage import Storage, Write


class Receipts:
    """The notes of all users, until they are stored."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._public: dict[int, int] = {}  # user id: the newest public id written to it
        self._direct: dict[int, list[int]] = {}  # user id: direct ids written to it

    def note(self, user_id: int, note: Note) -> None:
        """Takes down that a line was written whole to one of the user's sessions."""
        public_id, direct_ids = note
        with self._lock:
            if public_id > self._public.get(user_id, 0):
                self._public[user_id] = public_id
            if direct_ids:
                self._direct.setdefault(user_id, []).extend(direct_ids)

    def flush(self) -> Write | None:
        """Submits the notes of all users; None if there are none. What cannot be stored is noted again."""
        with self._lock:
            public, self._public = self._public, {}
            direct, self._direct = self._direct, {}
        if not public and not direct:
            return None

        def keep(outcome: object) -> None:
            if isinstance(outcome, StorageUnavailable):
                for user, message_id in public.items():
                    self.note(user, (message_id, ()))
                for user, message_ids in direct.items():
                    self.note(user, (0, message_ids))

        return self._storage.submit(_store, public, direct, format_time(utcnow()), then=keep)


def _store(connection: sqlite3.Connection, public: dict[int, int], direct: dict[int, list[int]], now: str) -> None:
    for user_id, message_id in public.items():
        users.move_read_marker(connection, user_id, message_id)
    for user_id, message_ids in direct.items():
        messages.mark_seen(connection, user_id, message_ids, now)
