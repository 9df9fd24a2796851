"""The bounded queue of writes, and how their outcomes are handed over. Runs none: an engine's writer thread does.

Knows no engine and no write of the chat.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from service.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.storage.write import HandOver, Write
    from service.storage.writes import SqlWrite

QUEUE: Final = 10_000  # waiting messages and other writes; beyond it connection threads, and so their clients, wait
BATCH: Final = 1_000  # of these in one transaction: SQLite takes 2 ms; a larger batch gains nothing and delays acks


class Arrivals(Protocol):
    """Where the thread waits for writes. Both are called with the queue's lock held, as those of a Condition."""

    def wait(self, timeout: float | None = None) -> bool:
        """Waits without the lock, at most so many seconds; returns False if nobody notified it."""

    def notify(self) -> None: ...


class WriteQueue:
    """Writes that wait for one thread. `submit` and `wait` are for any thread, what stands below is for that one."""

    def __init__(
        self,
        hand_over: HandOver,
        capacity: int = QUEUE,
        batch: int = BATCH,
        make_arrivals: Callable[[threading.Lock], Arrivals] = threading.Condition,
    ) -> None:
        """`hand_over` gets the callbacks of ended writes, in order. `capacity` and `batch` are sums of sizes."""
        self._hand_over = hand_over
        self._capacity = capacity
        self._batch = batch
        self._lock = threading.Lock()
        self._arrived = make_arrivals(self._lock)
        self._space = threading.Condition(self._lock)
        self._queue: deque[SqlWrite[Any]] = deque()
        self._queued = 0  # the sum of their sizes
        self._idle = False  # whether the thread waits for a write and nobody has told it of one
        self._closing = False

    # -- from any thread ----------------------------------------------------------------------------------------------
    @property
    def queued(self) -> int:
        """The sum of the sizes of the waiting writes."""
        return self._queued

    def submit(self, write: SqlWrite[Any], *, may_wait: bool = True) -> None:
        """Queues a write; waits while the queue is full, or then raises StorageUnavailable unless it `may_wait`.

        After the end of the writer the write fails at once with StorageUnavailable.
        """
        with self._lock:
            while self._queued >= self._capacity and not self._closing:
                if not may_wait:
                    raise StorageUnavailable("too much waits to be stored")
                self._space.wait()
            if not self._closing:
                self._queue.append(write)
                self._queued += write.size
                if self._idle:  # a notify takes a microsecond even if no thread waits
                    self._idle = False
                    self._arrived.notify()
                return
        write.error = StorageUnavailable("the service is stopping")
        self._finish([write])

    def wait(self, write: Write[Any]) -> None:
        """Returns once the write has ended and its outcome is handed over."""
        with self._lock:
            finished = None if write.ended else write.waiting_event()
        if finished is not None:
            finished.wait()

    def close(self) -> None:
        """Refuses further writes; the thread ends after the queued ones."""
        with self._lock:
            self._closing = True
            self._arrived.notify()
            self._space.notify_all()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def _take(self, timeout: float | None) -> list[SqlWrite[Any]] | None:
        """Returns the waiting writes, at most a batch; None at the end.

        With a `timeout` in seconds: an empty list if nothing came in that time, or the wait had another end.
        """
        with self._lock:
            while not self._queue:
                if self._closing:
                    return None
                self._idle = True
                arrived = self._arrived.wait(timeout)
                self._idle = False
                if not arrived and timeout is not None:
                    break
            batch: list[SqlWrite[Any]] = []
            taken = 0
            while self._queue and taken < self._batch:
                batch.append(self._queue.popleft())
                taken += batch[-1].size
            self._queued -= taken
            self._space.notify_all()
            return batch

    def _finish(self, batch: Sequence[SqlWrite[Any]], before: Sequence[tuple[Callable[[Any], None], Any]] = ()) -> None:
        """Hands the outcomes of ended writes over, behind what else comes `before` them."""
        told = list(before)
        for write in batch:
            if write.error is None:
                if write.done is not None:
                    told.append((write.done, write.result))
            elif write.refused is not None:
                told.append((write.refused, write.error))
        self._hand_over(told)
        with self._lock:
            for write in batch:
                write.finish()

    def _abandon(self, batch: Sequence[SqlWrite[Any]]) -> None:
        """Ends the remaining writes as unavailable: each may or may not be stored, and clients send them again."""
        with self._lock:
            left = [write for write in (*batch, *self._queue) if not write.ended]
            self._queue.clear()
        for write in left:
            write.error = StorageUnavailable("the writer thread has ended")
        if left:
            self._finish(left)
