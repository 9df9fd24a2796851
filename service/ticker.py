"""The timer thread: calls functions at intervals of wall-clock time. Does not know what they do."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from service.clock import utcnow

if TYPE_CHECKING:
    from collections.abc import Callable

_log: Final = logging.getLogger("chat.ticker")


@dataclass(slots=True)
class _Task:
    interval: timedelta
    function: Callable[[], object]
    last: datetime


class Ticker:
    """Owns the thread `chat-ticker`. It logs a function that raises, and calls it again when it is due again."""

    def __init__(self) -> None:
        self._tasks: list[_Task] = []
        self._condition = threading.Condition()
        self._stopping = self._poked = False
        self._thread = threading.Thread(target=self._run, name="chat-ticker")

    def every(self, seconds: float, function: Callable[[], object]) -> None:
        """Calls `function` every so many `seconds`. For use before `start`."""
        self._tasks.append(_Task(timedelta(seconds=seconds), function, utcnow()))

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        """Makes the thread look at the clock now, such as after a test has moved it."""
        with self._condition:
            self._poked = True
            self._condition.notify_all()

    def stop(self) -> None:
        """Ends the thread after its current function."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join()

    def run_due(self) -> float:
        """Calls each function that is due, once however late; returns the seconds until the next is due."""
        for task in self._tasks:
            now = utcnow()
            # If the clock was set back, a task must not wait that much longer.
            if not timedelta(0) <= now - task.last < task.interval:
                task.last = now
                try:
                    task.function()
                except Exception:  # noqa: BLE001 (logged; the other tasks go on)
                    _log.exception("a timed task failed: %s", task.function)
        now = utcnow()
        return min(((task.last + task.interval - now).total_seconds() for task in self._tasks), default=60.0)

    def _run(self) -> None:
        while self._wait(self.run_due()):
            pass

    def _wait(self, seconds: float) -> bool:
        """Sleeps until the next task is due or `poke`; returns False once stopped."""
        with self._condition:
            if not self._stopping and not self._poked:
                self._condition.wait(max(0.0, seconds))
            self._poked = False
            return not self._stopping
