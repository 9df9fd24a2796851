"""The victims, a process of their own: four users, each with a thread and an address, measure what they do.

A request without an answer at the end counts with the time that it has taken by then.
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.attacks.party import ADDRESSES, MOST_SECONDS, NAMES, Clock, Over, Party
from benchmarks.attacks.scripts import VICTIM

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from benchmarks.attacks.party import Plan

SENDING: Final = 0.1  # seconds between two messages
READING_PAGES: Final = 0.3  # seconds between two pages
LOGGING_IN: Final = 0.4  # seconds between two logins
PACE: Final = 2_000_000  # bytes a second that the slow reader takes
TICK: Final = 0.05  # seconds between two reads of the slow reader
TEXT: Final = "0" + "x" * 99  # begins as no searched word does


class Times(NamedTuple):
    """The measurements of one kind, in milliseconds, in the order of the requests."""

    times: list[float]
    is_cut_short: bool  # whether the last request had no answer yet


class Suffered(NamedTuple):
    """All measurements."""

    acks: Times
    pages: Times
    logins: Times
    cut_off: dict[str, int]  # how often the service closed an honest connection, by its user


class Series:
    """The times of one kind: of answers within the measured time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at: float | None = None
        self._times: list[float] = []

    def time(self, work: Callable[[], object]) -> None:
        """Does the work and measures it. Raises Over."""
        self._asked_at = time.perf_counter()
        work()
        now = time.perf_counter()
        if now >= self._clock.counts_from:
            self._times.append((now - self._asked_at) * 1e3)
        self._asked_at = None

    def result(self) -> Times:
        """Returns the times, after the end."""
        if self._asked_at is None or self._asked_at >= self._clock.end:
            return Times(self._times, is_cut_short=False)
        return Times([*self._times, (self._clock.end - self._asked_at) * 1e3], is_cut_short=True)


class Sufferers:
    """The four users at work."""

    def __init__(self, plan: Plan) -> None:
        self._clock = Clock()
        self._parties = {who: Party(plan, who, self._clock) for who in ADDRESSES}
        self._acks, self._pages, self._logins = (Series(self._clock) for _ in range(3))
        works = (self._send, self._read_pages, self._log_in, self._read_slowly)
        self._threads = [threading.Thread(target=self._work, args=(work,), name=work.__name__) for work in works]

    def start(self) -> None:
        """Logs all but one in before it returns."""
        for who in NAMES:
            self._parties[who].enter()
        for thread in self._threads:
            thread.start()

    def measure(self, seconds: float) -> Suffered:
        """Measures for so many seconds from now."""
        now = time.perf_counter()
        self._clock.counts_from, self._clock.end = now, now + seconds
        time.sleep(seconds)
        self.end()
        cut_off = {who: party.cut_off for who, party in self._parties.items() if party.cut_off}
        results = (self._acks.result(), self._pages.result(), self._logins.result())
        return Suffered(*results, cut_off)

    def end(self) -> None:
        """Ends the time, and drops all connections. Idempotent."""
        self._clock.end = min(self._clock.end, time.perf_counter())
        for party in self._parties.values():
            party.cut()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for party in self._parties.values():
            party.close()

    def _work(self, work: Callable[[], None]) -> None:
        with suppress(Over):
            while True:
                work()

    def _send(self) -> None:
        party, due = self._parties[VICTIM], time.perf_counter()
        for number in itertools.count():
            party.drop_until(due)
            self._acks.time(partial(party.ask, "pm", message=TEXT, nonce=f"v{number}"))
            due = max(due + SENDING, time.perf_counter())

    def _read_pages(self) -> None:
        party, due = self._parties["bea"], time.perf_counter()
        while True:
            party.drop_until(due)
            self._pages.time(partial(party.ask, "history", limit=50))
            due = max(due + READING_PAGES, time.perf_counter())

    def _log_in(self) -> None:
        party = self._parties["elsewhere"]
        self._logins.time(party.enter_by_password)
        party.close()
        self._clock.pause(LOGGING_IN)

    def _read_slowly(self) -> None:
        party = self._parties["carl"]
        due, credit = time.perf_counter(), 0.0
        while True:
            due += TICK
            credit = min(credit + PACE * TICK, PACE * TICK)  # unused credit is not saved
            while credit >= 1 and (left := min(due - time.perf_counter(), self._clock.left())) > 0:
                try:
                    credit -= len(party.receive(left, int(credit)))
                except OSError:
                    party.come_back()
            self._clock.pause(max(0.0, due - time.perf_counter()))
            due = max(due, time.perf_counter() - TICK)


def suffer(plan: Plan, control: Connection) -> None:
    """Reports on `control` that all are logged in; measures for the seconds received there, and sends Suffered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it then closes `control`
    sufferers = Sufferers(plan)
    try:
        sufferers.start()
        with suppress(EOFError, ConnectionError):  # the other process has gone
            control.send("in")
            if control.poll(MOST_SECONDS):
                control.send(sufferers.measure(control.recv()))
    finally:
        sufferers.end()
