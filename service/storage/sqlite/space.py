"""Whether there is space for more messages: the largest size of a database, and what is to stay free on its disk."""

from __future__ import annotations

import logging
import math
import os
import time
from typing import TYPE_CHECKING, Final, Literal

from service.errors import StorageFull, StorageUnavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

_log: Final = logging.getLogger("chat.storage")
_MEGA: Final = 1_000_000
_INTERVAL: Final = 0.1  # seconds between two looks; 20 MB of messages are stored meanwhile at most
_WARNING: Final = 0.1  # of --max-db that is left when the log says so; of --keep-free it is as much again
_MARGIN: Final = 0.1  # of that, so much more has to be left until better is said: at an edge it comes and goes
_Level = Literal["enough", "low", "full"]
_NEWS: Final = {  # what is said of each level when it is reached, with the megabytes and the limit
    "enough": ("there is space for messages again: %d MB of %s", logging.INFO),
    "low": (
        "%d MB are left for messages of %s; then no more are stored. Make space, or set another limit",
        logging.WARNING,
    ),
    "full": ("no more messages are stored: %d MB are left of %s. Make space, or set another limit", logging.ERROR),
}


class Space:
    """What is left, in bytes. Belongs to the writer thread."""

    def __init__(self, path: Path, max_db: int, keep_free: int, interval: float = _INTERVAL) -> None:
        """`max_db`: bytes that the database may use; `keep_free`: bytes to be left on its disk; 0 for no such limit.

        `interval`: seconds between two looks.
        """
        self._folder = path.parent
        self._max_db = max_db
        self._keep_free = keep_free
        self._interval = interval
        self._level: _Level = "enough"
        self._full: StorageFull | None = None
        self._next_at = 0.0 if max_db or keep_free else math.inf  # monotonic

    def check(self, connection: sqlite3.Connection) -> StorageFull | None:
        """Why no more messages are to be stored; None if they are. Looks once in an interval; logs what is new."""
        now = time.monotonic()
        if now >= self._next_at:
            self._next_at = now + self._interval
            self._look(connection)
        return self._full

    def _look(self, connection: sqlite3.Connection) -> None:
        share, left, limit = min(self._measure(connection))
        level = self._level
        self._level = self._judge(share)
        self._full = StorageFull(f"the database has used up {limit}") if self._level == "full" else None
        if self._level != level:
            text, number = _NEWS[self._level]
            _log.log(number, text, max(0, left) // _MEGA, limit)

    def _judge(self, share: float) -> _Level:
        """The level for what is left, in parts of that at which the log warns; a better one is reached a little later.

        Else the files of other programs, which come and go, would have the log say the same again and again.
        """
        if share <= (_MARGIN if self._level == "full" else 0):
            return "full"
        return "low" if share <= (1 if self._level == "enough" else 1 + _MARGIN) else "enough"

    def _measure(self, connection: sqlite3.Connection) -> Iterator[tuple[float, int, str]]:
        """For each limit what is left: in parts of that at which the log warns, in bytes, and of what."""
        if self._keep_free:
            try:
                disk = os.statvfs(self._folder)
            except OSError as error:
                raise StorageUnavailable(
                    f"cannot ask for the free space of {self._folder}: {error.strerror}"
                ) from error
            left = disk.f_bavail * disk.f_frsize - self._keep_free
            yield left / self._keep_free, left, f"its disk but for --keep-free {self._keep_free // _MEGA}M"
        if self._max_db:
            left = self._max_db - _used(connection)
            yield left / (self._max_db * _WARNING), left, f"--max-db {self._max_db // _MEGA}M"


def _used(connection: sqlite3.Connection) -> int:
    """Bytes of the database's pages, without those that are free to be used again."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)
