"""The space for more messages: the database's size and its maximum, and the free space on its disk."""

from __future__ import annotations

import logging
import math
import os
import time
from typing import TYPE_CHECKING, Final, Literal

from service.errors import StorageFull, StorageUnavailable
from service.storage.records import Sizes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

_log: Final = logging.getLogger("chat.storage")
_MEGA: Final = 1_000_000
_INTERVAL: Final = 0.1  # seconds between two measurements; at most 20 MB of messages are stored in it
_WARNING: Final = 0.1  # of --max-db: with less left the log warns; of --keep-free so much beyond it
_MARGIN: Final = 0.1  # of that share: so much more must be left before a better level is reported
_Level = Literal["enough", "low", "full"]
_NEWS: Final = {  # the log line for each new level, with the megabytes and the limit
    "enough": ("there is space for messages again: %d MB %s", logging.INFO),
    "low": (
        "%d MB are left for messages %s; then no more are stored. Make space, or set another limit",
        logging.WARNING,
    ),
    "full": ("no more messages are stored: %d MB are left %s. Make space, or set another limit", logging.ERROR),
}


class Space:
    """The remaining space. Belongs to the writer thread."""

    def __init__(self, path: Path, max_db: int, keep_free: int, interval: float = _INTERVAL) -> None:
        """`max_db` and `keep_free` are those of `open_storage`; `interval`: seconds between two measurements."""
        self._folder = path.parent
        self._max_db = max_db
        self._keep_free = keep_free
        self._interval = interval
        self._level: _Level = "enough"
        self._full: StorageFull | None = None
        self._next_at = 0.0 if max_db or keep_free else math.inf  # monotonic

    def check(self, connection: sqlite3.Connection) -> StorageFull | None:
        """Returns why no messages may be stored; None if they may. Measures once per interval; logs a new level."""
        now = time.monotonic()
        if now >= self._next_at:
            self._next_at = now + self._interval
            self._look(connection)
        return self._full

    def _look(self, connection: sqlite3.Connection) -> None:
        share, left, limit = min(self._measure(connection))
        level = self._level
        self._level = self._judge(share)
        self._full = StorageFull(f"no space is left for messages {limit}") if self._level == "full" else None
        if self._level != level:
            text, number = _NEWS[self._level]
            _log.log(number, text, max(0, left) // _MEGA, limit)

    def _judge(self, share: float) -> _Level:
        """Returns the level for a `share` of the space at which the log warns.

        A better level needs _MARGIN more. Otherwise the files of other programs, which come and go, would make the log
        repeat itself.
        """
        if share <= (_MARGIN if self._level == "full" else 0):
            return "full"
        return "low" if share <= (1 if self._level == "enough" else 1 + _MARGIN) else "enough"

    def _measure(self, connection: sqlite3.Connection) -> Iterator[tuple[float, int, str]]:
        """Yields what is left of each limit, as a share of that at which the log warns and in bytes, and its name."""
        if self._keep_free:
            try:
                disk = os.statvfs(self._folder)
            except OSError as error:
                raise StorageUnavailable(
                    f"cannot ask for the free space of {self._folder}: {error.strerror}"
                ) from error
            left = disk.f_bavail * disk.f_frsize - self._keep_free
            yield left / self._keep_free, left, f"above --keep-free {self._keep_free // _MEGA}M"
        if self._max_db:
            left = self._max_db - _used(connection)
            yield left / (self._max_db * _WARNING), left, f"within --max-db {self._max_db // _MEGA}M"


def measure_files(path: Path) -> Sizes:
    """Measures a database's files, and what is free beside them; what cannot be measured is 0.

    It opens none: closing it would drop SQLite's locks.
    """
    try:
        disk = os.statvfs(path.parent)
        free = disk.f_bavail * disk.f_frsize
    except OSError:
        free = 0
    return Sizes(_size_of(path), _size_of(path.with_name(f"{path.name}-wal")), free)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _used(connection: sqlite3.Connection) -> int:
    """Returns the bytes of the database's pages, without free pages."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)
