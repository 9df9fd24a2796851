"""What the writer thread waits at: writes in its queue, what the database's socket brings, or a time."""

from __future__ import annotations

import math
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
        self._socket = -1
        self._waits = select.poll()
        self._waits.register(self._hears, select.POLLIN)
        self.is_rung_by_socket = False  # whether there was something to read in the last wait

    def watch(self, socket: int) -> None:
        """Waits from now on for this socket, too, in place of another; -1 is none."""
        if self._socket >= 0:
            self._waits.unregister(self._socket)
        self._socket = socket
        if socket >= 0:
            self._waits.register(socket, select.POLLIN)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits without the lock for a notify or the socket, at most so many seconds; returns False."""
        self._lock.release()
        try:
            ready = [end for end, _ in self._waits.poll(None if timeout is None else math.ceil(timeout * 1000))]
            self.is_rung_by_socket = self._socket in ready
            if self._hears in ready:
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
