"""The timer: what is due by the wall clock, which the tests move by hand."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from service.ticker import Ticker
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory


@pytest.mark.parametrize(
    ("seconds", "calls", "until_next"),
    [
        (0, 0, 30),
        (29.999, 0, 0.001),
        (30, 1, 30),
        (45, 1, 30),
        (86_400 * 365, 1, 30),
        (-1, 1, 30),
        (-3_600, 1, 30),
    ],
)
def test_task_is_called_once_when_due(
    clock: FrozenDateTimeFactory, seconds: float, calls: int, until_next: float
) -> None:
    """A task is called when its time has come, not before, once however late, and at once if the clock was set back."""
    ticker, called = Ticker(), list[str]()
    ticker.every(30, lambda: called.append("x"))
    clock.tick(timedelta(seconds=seconds))
    assert ticker.run_due() == pytest.approx(until_next)
    assert len(called) == calls
    ticker.run_due()
    assert len(called) == calls


def test_clock_set_back_puts_no_task_off(clock: FrozenDateTimeFactory) -> None:
    """After the clock went back an hour, a task keeps its interval by the new time."""
    ticker, called = Ticker(), list[str]()
    ticker.every(30, lambda: called.append("x"))
    clock.tick(timedelta(hours=-1))
    ticker.run_due()
    clock.tick(timedelta(seconds=29))
    ticker.run_due()
    assert len(called) == 1
    clock.tick(timedelta(seconds=1))
    ticker.run_due()
    assert len(called) == 2


def test_each_task_has_its_own_interval(clock: FrozenDateTimeFactory) -> None:
    """Tasks do not wait for each other; the time to the next call is that of the nearest."""
    ticker, called = Ticker(), list[int]()
    ticker.every(2, lambda: called.append(2))
    ticker.every(5, lambda: called.append(5))
    waits = []
    for _ in range(6):
        clock.tick(timedelta(seconds=1))
        waits.append(ticker.run_due())
    assert called == [2, 2, 5, 2]
    assert waits == [1, 2, 1, 1, 1, 2]


def test_a_task_that_raises_is_called_again(clock: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture) -> None:
    """An exception is logged, keeps no other task from its call, and the task is called again when it is due again."""
    ticker, called = Ticker(), list[str]()

    def fail() -> None:
        called.append("bad")
        raise RuntimeError("no luck today")

    ticker.every(10, fail)
    ticker.every(10, lambda: called.append("good"))
    for _ in range(2):
        clock.tick(timedelta(seconds=10))
        ticker.run_due()
    assert called == ["bad", "good"] * 2
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["no luck today"] * 2


def test_without_tasks_there_is_something_to_wait_for() -> None:
    """A ticker with nothing to do looks again after some time, and does not spin."""
    assert Ticker().run_due() > 1


def test_poke_makes_the_thread_look_at_the_clock(clock: FrozenDateTimeFactory) -> None:
    """A thread that would sleep for an hour calls what is due as soon as it is poked, time after time."""
    ticker, called = Ticker(), threading.Semaphore(0)
    ticker.every(3_600, called.release)
    ticker.start()
    try:
        for _ in range(3):
            clock.tick(timedelta(hours=1))
            ticker.poke()
            assert called.acquire(timeout=PATIENCE)
    finally:
        ticker.stop()
    assert not called.acquire(blocking=False)


def test_a_poke_that_comes_before_the_wait_is_not_lost() -> None:
    """A thread that is poked just before it would sleep does not sleep."""
    ticker = Ticker()
    ticker.poke()
    assert ticker._wait(3_600)


def test_the_thread_calls_what_is_due_by_itself() -> None:
    """Nobody needs to poke: the thread wakes when the time has come, again and again."""
    ticker, called = Ticker(), threading.Semaphore(0)
    ticker.every(0.001, called.release)
    ticker.start()
    try:
        assert all(called.acquire(timeout=PATIENCE) for _ in range(3))
    finally:
        ticker.stop()


def test_stop_joins_a_thread_that_would_sleep_for_hours() -> None:
    """After `stop` the thread is gone, and calls nothing more."""
    ticker = Ticker()
    ticker.every(86_400, lambda: None)
    ticker.start()
    assert "chat-ticker" in {thread.name for thread in threading.enumerate()}
    ticker.stop()
    assert "chat-ticker" not in {thread.name for thread in threading.enumerate()}


def test_stop_waits_for_the_function_that_runs() -> None:
    """The function that the thread is in comes to its end before `stop` returns."""
    ticker, entered, may_end, log = Ticker(), threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        entered.set()
        assert may_end.wait(PATIENCE)
        log.append("worked")

    ticker.every(0.001, work)
    ticker.start()
    assert entered.wait(PATIENCE)

    def stop() -> None:
        ticker.stop()
        log.append("stopped")

    stopper = threading.Thread(target=stop)
    stopper.start()
    may_end.set()
    stopper.join()
    assert log[-1] == "stopped"
    assert "worked" in log
