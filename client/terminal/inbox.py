"""Lines that wait for the screen, put there from any thread. Decides no text, and knows no screen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from client.text import Line

MOST_WAITING: Final = 1 << 18  # characters; while as many wait, no more is read from the server


class Inbox:
    """Other threads only add lines, and `wake` the main one, which takes them."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` runs on any thread, once until the lines are looked at."""
        self._wake = wake
        self._lock = threading.Lock()  # guards what follows
        self._lines: list[Line] = []
        self._size = 0  # characters in _lines
        self._is_closed = False
        self._is_called = False  # the main thread is to look
        self._taken = threading.Condition(self._lock)

    def put(self, lines: Sequence[Line]) -> None:
        """Adds lines; none: the main thread looks all the same. From any thread; only the main one never waits."""
        with self._lock:
            if threading.current_thread() is not threading.main_thread():
                # A flood comes no faster than it can be shown, and the keyboard gets its turn.
                self._taken.wait_for(lambda: self._size < MOST_WAITING or self._is_closed)
            self._lines += lines
            self._size += sum(len(line.text) for line in lines)
            was_called, self._is_called = self._is_called, True  # a flood of what has no lines queues no calls
        if not was_called:
            self._wake()

    def look(self) -> tuple[list[Line], bool]:
        """What waits, and whether no more is read before it is taken."""
        with self._lock:
            self._is_called = False
            return list(self._lines), self._size >= MOST_WAITING

    def take(self) -> list[Line]:
        """What waits, which waits no longer."""
        with self._lock:
            self._is_called = False
            lines, self._lines, self._size = self._lines, [], 0
            self._taken.notify_all()
        return lines

    def close(self) -> None:
        """From here on nobody waits in `put`."""
        with self._lock:
            self._is_closed = True
            self._taken.notify_all()
