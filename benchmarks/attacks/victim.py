"""Those who suffer, a process of their own: four people, a thread and an address each, who time what they do.

What is asked and not yet answered at the end counts with the time that it has taken by then.
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

SENDING: Final = 0.1  # seconds from one message to the next
READING_PAGES: Final = 0.3  # seconds from one page to the next
LOGGING_IN: Final = 0.4  # seconds from one login to the next
PACE: Final = 2_000_000  # bytes a second that the honest reader takes, as over a slow line
TICK: Final = 0.05  # seconds between two looks of that reader
TEXT: Final = "0" + "x" * 99  # begins as no word does that a search asks for


class Times(NamedTuple):
    """What was measured of one kind, in milliseconds, in the order in which it was asked."""

    times: list[float]
    is_cut_short: bool  # the last one had no answer yet


class Suffered(NamedTuple):
    """All that was measured."""

    acks: Times
    pages: Times
    logins: Times
    cut_off: dict[str, int]  # times that the service closed an honest connection, by whose it was


class Series:
    """Times of one kind: of what was answered while it counted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at: float | None = None
        self._times: list[float] = []

    def time(self, work: Callable[[], object]) -> None:
        """Does it. Raises Over."""
        self._asked_at = time.perf_counter()
        work()
        now = time.perf_counter()
        if now >= self._clock.counts_from:
            self._times.append((now - self._asked_at) * 1e3)
        self._asked_at = None

    def result(self) -> Times:
        """After the end."""
        if self._asked_at is None or self._asked_at >= self._clock.end:
            return Times(self._times, is_cut_short=False)
        return Times([*self._times, (self._clock.end - self._asked_at) * 1e3], is_cut_short=True)


class Sufferers:
    """The four at work."""

    def __init__(self, plan: Plan) -> None:
        self._clock = Clock()
        self._parties = {who: Party(plan, who, self._clock) for who in ADDRESSES}
        self._acks, self._pages, self._logins = (Series(self._clock) for _ in range(3))
        works = (self._send, self._read_pages, self._log_in, self._read_slowly)
        self._threads = [threading.Thread(target=self._work, args=(work,), name=work.__name__) for work in works]

    def start(self) -> None:
        """All but one are in once this is over."""
        for who in NAMES:
            self._parties[who].enter()
        for thread in self._threads:
            thread.start()

    def measure(self, seconds: float) -> Suffered:
        """What happens from now on counts."""
        now = time.perf_counter()
        self._clock.counts_from, self._clock.end = now, now + seconds
        time.sleep(seconds)
        self.end()
        cut_off = {who: party.cut_off for who, party in self._parties.items() if party.cut_off}
        results = (self._acks.result(), self._pages.result(), self._logins.result())
        return Suffered(*results, cut_off)

    def end(self) -> None:
        """Ends the time, and drops all connections. May be called twice."""
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
            credit = min(credit + PACE * TICK, PACE * TICK)  # what was not used is not saved up
            while credit >= 1 and (left := min(due - time.perf_counter(), self._clock.left())) > 0:
                try:
                    credit -= len(party.receive(left, int(credit)))
                except OSError:
                    party.come_back()
            self._clock.pause(max(0.0, due - time.perf_counter()))
            due = max(due, time.perf_counter() - TICK)


def suffer(plan: Plan, control: Connection) -> None:
    """Says at `control` that all are in; measures for the seconds that come there, and sends Suffered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it closes `control` then
    sufferers = Sufferers(plan)
    try:
        sufferers.start()
        with suppress(EOFError, ConnectionError):  # nobody wants to know any more
            control.send("in")
            if control.poll(MOST_SECONDS):
                control.send(sufferers.measure(control.recv()))
    finally:
        sufferers.end()
