"""Removes messages that are older than the operator wants, once a day. Tells nobody; only the ticker waits for it."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from service.clock import format_time, utcnow
from service.errors import StorageUnavailable

if TYPE_CHECKING:
    from service.config import Settings
    from service.storage.contract import Storage

PIECES: Final = 25  # one after the other; the ticker has other tasks, and these take 0.1 s. A thousand messages
_log: Final = logging.getLogger("chat.storage")


class Retention:
    """Belongs to the ticker's thread."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        days = {"public": settings.retention, "direct": settings.retention_direct}
        self._days = {kind: kept for kind, kept in days.items() if kept}
        self._storage = storage
        self._today = date.min
        self._left: list[str] = []  # the kinds that are not done today
        self._after_id = 0  # where the next piece of the first of them begins
        self._removed = 0

    def run_some(self) -> None:
        """Does some pieces, or nothing if all is done today. After a failure it goes on at the next call."""
        today = utcnow().date()
        if today != self._today:
            self._today, self._left, self._after_id = today, list(self._days), 0
        for _ in range(PIECES):
            if not self._left:
                return
            try:
                self._do_piece(self._left[0])
            except StorageUnavailable:
                return  # the storage has logged why

    def _do_piece(self, kind: str) -> None:
        midnight = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
        before = format_time(midnight - timedelta(days=self._days[kind]))
        storage = self._storage
        write = storage.purge_some(before, self._after_id, public=kind == "public", direct=kind == "direct")
        removed, self._after_id, more = storage.result(write)
        self._removed += removed
        if not more:
            if self._removed:
                _log.info("removed %d %s messages of before %s", self._removed, kind, before)
            del self._left[0]
            self._after_id = self._removed = 0
