"""A write under way, and how it is followed to its end. Knows no engine, and no write of the chat.

The engine ends it; whoever waits for it asks the storage to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Done = Callable[[T], None] | None
Failed = Callable[[Exception], None] | None
HandOver = Callable[[Iterable[tuple[Callable[[Any], None], Any]]], None]


class Write(Generic[T]):
    """A write under way. After its commit `done` gets the result; without a result `refused` gets the error.

    The error is a Refused, a StorageUnavailable, or the exception of a bug. The storage's `hand_over` gets the pairs of
    a callback and its argument in the order of the writes. The caller may read `result` and `error` after
    `Storage.wait`: if `error` is None, `result` is set.
    """

    __slots__ = ("_finished", "done", "ended", "error", "refused", "result")
    result: T

    def __init__(self, done: Done[T], refused: Failed) -> None:
        self.done = done
        self.refused = refused
        self.error: Exception | None = None
        self.ended = False
        self._finished: threading.Event | None = None  # created for a waiting thread only: most writes have none

    def waiting_event(self) -> threading.Event:
        """Returns an event that is set once this write has ended. Call it with the engine's lock held."""
        if self._finished is None:
            self._finished = threading.Event()
        return self._finished

    def finish(self) -> None:
        """Marks the write as ended, after its outcome was handed over. Call it with the engine's lock held."""
        self.ended = True
        if self._finished is not None:
            self._finished.set()
