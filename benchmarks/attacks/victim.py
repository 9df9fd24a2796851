"""Those who suffer, a process of their own: four people, a thread and an address each, who time what they do.

What is asked and not yet answered at the end counts with the time that it has taken by then.
"""

from __future__ import annotations

import itertools
import json
import signal
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.attacks.links import RETRY, SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

ADDRESSES: Final = {"victim": "127.0.0.3", "bea": "127.0.0.4", "elsewhere": "127.0.0.5", "carl": "127.0.0.6"}
NAMES: Final = ("victim", "bea", "carl")  # their accounts; elsewhere the victim logs in by password
PASSWORD: Final = "password"
SENDING: Final = 0.1  # seconds from one message to the next
READING_PAGES: Final = 0.3  # seconds from one page to the next
LOGGING_IN: Final = 0.4  # seconds from one login to the next
PACE: Final = 2_000_000  # bytes a second that the honest reader takes, as over a slow line
TICK: Final = 0.05  # seconds between two looks of that reader
CONNECTING: Final = 5.0  # seconds until another try
LOOK: Final = 0.25  # seconds: the longest wait between two looks at the clock
READ: Final = 1 << 18  # bytes
TEXT: Final = "0" + "x" * 99  # begins as no word does that a search asks for
MOST_SECONDS: Final = 60.0  # ends by itself then


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


class Plan(NamedTuple):
    """Where the service is."""

    port: int
    tokens: Mapping[str, str]  # by name
    certificate: str  # a file; empty without TLS


class Over(Exception):  # noqa: N818 (nothing is wrong)
    """The time is up."""


class Clock:
    """What part of the time counts."""

    def __init__(self) -> None:
        self.counts_from = float("inf")
        self.end = time.perf_counter() + MOST_SECONDS

    def left(self) -> float:
        """Seconds. Raises Over."""
        if (left := self.end - time.perf_counter()) <= 0:
            raise Over
        return left

    def pause(self, seconds: float) -> None:
        """Sleeps so long, or until the end."""
        time.sleep(min(seconds, self.left()))


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


class Party:
    """Somebody with a connection. What is not an answer is read and dropped."""

    def __init__(self, plan: Plan, who: str, clock: Clock) -> None:
        self._plan, self._who, self._clock = plan, who, clock
        self._tls: ssl.SSLContext | None = None
        if plan.certificate:
            self._tls = ssl.create_default_context(cafile=plan.certificate)
        self._socket: socket.socket | None = None
        self._rest = b""  # of a line whose end has not come
        self._refs = itertools.count()
        self.cut_off = 0

    def connect(self) -> None:
        """Raises OSError."""
        self.close()
        self._rest = b""
        source = (ADDRESSES[self._who], 0)
        seconds = min(self._clock.left(), CONNECTING)
        self._socket = socket.create_connection((SERVICE, self._plan.port), seconds, source)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self._socket = self._tls.wrap_socket(self._socket, server_hostname=SERVICE)

    def enter(self) -> None:
        """Is logged in by token, however long it takes. Raises Over."""
        self._enter(partial(self.ask_once, "resume", token=self._plan.tokens[self._who], confirm=True))

    def enter_by_password(self) -> None:
        """The same as the victim, by password."""
        self._enter(partial(self.ask_once, "login", username="victim", password=PASSWORD, confirm=True))

    def _enter(self, ask: Callable[[], bytes]) -> None:
        while True:
            with suppress(OSError):
                self.connect()
                if b'"type":"login_ok"' in ask():
                    return
            self._clock.pause(RETRY)

    def ask(self, command: str, **fields: Any) -> None:
        """Asks until there is an answer, on another connection where one is cut off. Raises Over."""
        while True:
            try:
                self.ask_once(command, **fields)
            except OSError:
                self.come_back()
            else:
                return

    def come_back(self) -> None:
        """After the connection was cut off. Raises Over."""
        self._clock.left()  # at the end they are cut off from here
        self.cut_off += 1
        self.enter()

    def ask_once(self, command: str, **fields: Any) -> bytes:
        """The line that answers. Raises Over, OSError if the connection ends before."""
        assert self._socket is not None
        ref = f"r{next(self._refs)}"
        self._set_timeout(self._clock.left())
        self._socket.sendall(json.dumps({"command": command, "ref": ref, **fields}).encode() + b"\n")
        mark = b'"ref":"%s"' % ref.encode()
        while True:
            for line in self._lines(self._clock.left()):
                if mark in line:
                    return line

    def _lines(self, seconds: float) -> Iterator[bytes]:
        """The lines of the next receive, which waits so long at most: whole ones, but only those with a `ref`."""
        self._rest += self.receive(seconds)
        whole, _, self._rest = self._rest.rpartition(b"\n")
        return (line for line in whole.split(b"\n") if b'"ref":' in line)

    def receive(self, seconds: float, most: int = READ) -> bytes:
        """What comes next; nothing if that takes longer. Raises OSError at the end."""
        assert self._socket is not None
        self._set_timeout(min(seconds, LOOK))
        try:
            data = self._socket.recv(most)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionError("closed by the service")
        return data

    def _set_timeout(self, seconds: float) -> None:
        assert self._socket is not None
        self._socket.settimeout(max(seconds, 0.001))  # 0 would not wait at all

    def drop_until(self, moment: float) -> None:
        """Reads and drops what comes until then. Raises Over."""
        while (left := min(moment - time.perf_counter(), self._clock.left())) > 0:
            try:
                self._lines(left)
            except OSError:
                self.come_back()

    def cut(self) -> None:
        """Ends whatever waits for this connection. From any thread."""
        if (connected := self._socket) is not None:
            with suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)  # SSLSocket's own is not for another thread

    def close(self) -> None:
        """Drops the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


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
        party, due = self._parties["victim"], time.perf_counter()
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
