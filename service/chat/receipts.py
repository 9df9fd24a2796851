"""Notes which lines were written to clients that do not confirm, so that their messages count as seen.

Notes come from the delivery thread and must cost it little. They stay in memory until the ticker stores them in
batches. A user's notes are also stored at each login and logout, and before a page of missed messages. After a crash in
between, messages are only shown twice.
"""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from service.clock import format_time, utcnow
from service.delivery.run import Note
from service.errors import StorageUnavailable
from service.storage.records import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.contract import Storage, Write

BATCH: Final = 500  # notes stored in one write of some 2 ms; other writes come between


class Receipts:
    """The notes of all users, until they are stored."""

    def __init__(self, storage: Storage, batch: int = BATCH) -> None:
        """`batch`: how many notes one write stores."""
        self._storage = storage
        self._batch = batch
        self._lock = threading.Lock()
        self._public: dict[int, int] = {}  # user id: the newest public id written to the user
        self._direct: dict[int, list[int]] = {}  # user id: direct ids written to the user
        self._direct_count = 0  # how many direct ids since the last flush
        self._expected: Counter[int] = Counter()  # user id: the user's open outboxes that send notes

    def expect(self, user_id: int) -> None:
        """Counts one more outbox that may send notes of the user."""
        with self._lock:
            self._expected[user_id] += 1

    def expect_no_more(self, user_id: int) -> None:
        """Counts one outbox less, after its last note."""
        with self._lock:
            self._expected[user_id] -= 1
            if not self._expected[user_id]:
                del self._expected[user_id]

    def are_expected(self, user_id: int) -> bool:
        """Returns whether the user may have read something that is not noted yet."""
        return user_id in self._expected

    def note(self, user_id: int, note: Note) -> None:
        """Notes that a line was written completely to one of the user's sessions."""
        public_id, direct_ids = note.public_id, note.direct_ids
        with self._lock:
            if public_id > self._public.get(user_id, 0):
                self._public[user_id] = public_id
            if direct_ids:
                self._direct.setdefault(user_id, []).extend(direct_ids)
                self._direct_count += len(direct_ids)

    def store(self, user_id: int) -> Write[None] | None:
        """Submits the notes of one user; None if there are none. A failed note is noted again."""
        with self._lock:
            public, direct = self._public.pop(user_id, 0), self._direct.pop(user_id, [])
        return self._submit([Shown(user_id, public, direct)]) if public or direct else None

    def flush(self) -> Write[None] | None:
        """Submits the notes of all users, as `store` does; returns the last write.

        They are split into pieces, so that other writes come between: a public message adds a note for each user
        online.
        """
        with self._lock:
            public, self._public = self._public, {}
            direct, self._direct = self._direct, {}
            self._direct_count = 0
        write: Write[None] | None = None
        piece: list[Shown] = []
        size = 0
        for user_id in public.keys() | direct.keys():
            piece.append(Shown(user_id, public.get(user_id, 0), direct.get(user_id, [])))
            size += 1 + len(piece[-1].direct_ids)
            if size >= self._batch:
                write = self._submit(piece)
                piece, size = [], 0
        return self._submit(piece) if piece else write

    def flush_many(self) -> None:
        """Flushes if many direct messages are noted: while few are missed, their index has few pages."""
        if self._direct_count >= self._batch:
            self.flush()

    def _submit(self, piece: Sequence[Shown]) -> Write[None]:
        return self._storage.store_receipts(piece, format_time(utcnow()), refused=partial(self._note_again, piece))

    def _note_again(self, piece: Sequence[Shown], error: Exception) -> None:
        """Notes again after a failure of the storage, but not after a bug, which would only repeat itself."""
        if isinstance(error, StorageUnavailable):
            for user_id, public_id, direct_ids in piece:
                self.note(user_id, Note(public_id, direct_ids))
