"""service/storage/queue.py: order, bounds, and the end of what waits for a writer thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from service.errors import StorageUnavailable
from service.storage.queue import WriteQueue
from service.storage.writes import SqlWrite
from tests.support.helpers import call_back


class Worker(WriteQueue):
    """A queue whose thread is the test itself."""

    def __init__(self, **limits: Any) -> None:
        self.outcomes: list[Any] = []
        super().__init__(call_back, **limits)

    def queue(self, name: str, *, size: int = 1, may_wait: bool = True) -> SqlWrite[str]:
        write = SqlWrite[str](str, (name,), self.outcomes.append, self.outcomes.append, size=size)
        write.result = name
        self.submit(write, may_wait=may_wait)
        return write

    def take(self, timeout: float | None = 0.0) -> list[str] | None:
        batch = self._take(timeout)
        return None if batch is None else [write.arguments[0] for write in batch]


def test_a_batch_is_what_waits_up_to_its_bound() -> None:
    """Sizes count, and the write that reaches the bound is the batch's last."""
    worker = Worker(batch=3)
    for name, size in (("a", 2), ("b", 2), ("c", 1)):
        worker.queue(name, size=size)
    assert worker.queued == 5
    assert [worker.take(), worker.queued, worker.take(), worker.take()] == [["a", "b"], 1, ["c"], []]


def test_a_write_wakes_the_waiting_thread() -> None:
    """A wait without an end ends with the next write."""
    worker = Worker()
    late = threading.Timer(0.01, worker.queue, ["a"])
    late.start()
    assert worker.take(None) == ["a"]
    late.join()


def test_outcomes_follow_what_comes_before_them() -> None:
    """What others have done is handed over first, then each write's result or error, in order."""
    worker = Worker()
    for name in "ab":
        worker.queue(name)
    batch = worker._take(None) or []
    batch[0].error = error = StorageUnavailable("no")
    worker._finish(batch, [(worker.outcomes.append, "news")])
    assert worker.outcomes == ["news", error, "b"]
    worker.wait(batch[1])  # has ended


def test_a_full_queue_is_told_to_who_may_not_wait() -> None:
    """Others wait until a batch is taken."""
    worker = Worker(capacity=2)
    worker.queue("a", size=2)
    with pytest.raises(StorageUnavailable, match="too much waits"):
        worker.queue("b", may_wait=False)
    late = threading.Thread(target=worker.queue, args=("c",))
    late.start()
    assert worker.take() == ["a"]
    assert worker.take(None) == ["c"]
    late.join()


def test_a_closed_queue_is_emptied_and_takes_no_more() -> None:
    """What was queued is still to be done; what comes later fails at once."""
    worker = Worker()
    worker.queue("a")
    worker.close()
    assert str(worker.queue("b").error) == "the service is stopping"
    assert [worker.take(None), worker.take(None)] == [["a"], None]


def test_who_waits_is_released_when_the_thread_ends() -> None:
    """A thread that fails leaves no write without an end."""
    worker = Worker()
    taken = worker.queue("a")
    batch = worker._take(None) or []
    waiting = worker.queue("b")
    worker._abandon(batch)
    for write in (taken, waiting):
        worker.wait(write)
        assert isinstance(write.error, StorageUnavailable)


def test_what_is_waited_at_can_be_anothers() -> None:
    """The thread may wait for more than writes: a wait that nobody notified ends with an empty batch."""
    calls: list[str] = []

    class Arrivals:
        def __init__(self, lock: threading.Lock) -> None:
            assert not lock.locked()

        def wait(self, timeout: float | None = None) -> bool:
            calls.append(f"wait {timeout}")
            return False

        def notify(self) -> None:
            calls.append("notify")

    queue = WriteQueue(call_back, make_arrivals=Arrivals)
    assert queue._take(9.0) == []
    queue.submit(SqlWrite(str, ()))  # nobody waits
    assert calls == ["wait 9.0"]
