"""What the writer thread waits at: writes in its queue, what the database's socket brings, or a time."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading

_ALL: Final = 1_024  # bytes; each is a notify


class Bell:
    """The queue's `Arrivals`. Every wait may have been for something else than a write."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._hears, self._rings = os.pipe()
        for end in (self._hears, self._rings):
            os.set_blocking(end, False)
        self._is_closed = False
        self.socket = -1  # the database's; -1 without one
        self.is_rung_by_socket = False  # whether there was something to read in the last wait

    def wait(self, timeout: float | None = None) -> bool:
        """Waits without the lock for a notify or the socket, at most so many seconds; returns False."""
        waited = select.poll()
        waited.register(self._hears, select.POLLIN)
        if self.socket >= 0:
            waited.register(self.socket, select.POLLIN)
        self._lock.release()
        try:
            ready = waited.poll(None if timeout is None else max(0, round(timeout * 1000)))
            self.is_rung_by_socket = any(end == self.socket for end, _ in ready)
            with suppress(BlockingIOError):
                os.read(self._hears, _ALL)
        finally:
            self._lock.acquire()
        return False

    def notify(self) -> None:
        """Ends the wait. Does not wait itself: a full pipe has enough in it."""
        if not self._is_closed:
            with suppress(BlockingIOError):
                os.write(self._rings, b"!")

    def close(self) -> None:
        """Gives its descriptors back, once. Call it with the lock held, as `notify`."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._hears)
            os.close(self._rings)
