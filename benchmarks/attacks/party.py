"""Somebody honest, with an address and a connection, who comes again when it is cut off. Times nothing."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.attacks.links import RETRY, SERVICE
from benchmarks.attacks.scripts import PASSWORD, VICTIM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ADDRESSES: Final = {VICTIM: "127.0.0.3", "bea": "127.0.0.4", "elsewhere": "127.0.0.5", "carl": "127.0.0.6"}
NAMES: Final = (VICTIM, "bea", "carl")  # their accounts; elsewhere the victim logs in by password
CONNECTING: Final = 5.0  # seconds until another try
LOOK: Final = 0.25  # seconds: the longest wait between two looks at the clock
READ: Final = 1 << 18  # bytes
MOST_SECONDS: Final = 60.0  # all ends by itself then


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
        self._enter(partial(self.ask_once, "login", username=VICTIM, password=PASSWORD, confirm=True))

    def _enter(self, ask: Callable[[], bytes]) -> None:
        while True:
            with suppress(OSError):
                self.connect()
                if b'"type":"login_ok"' in ask():
                    return
            self._clock.pause(RETRY)

    def ask(self, command: str, **fields: Any) -> None:
        """Asks until there is an answer that is no error, on another connection where one is cut off. Raises Over."""
        while True:
            try:
                if b'"type":"error"' not in self.ask_once(command, **fields):
                    return
            except OSError:
                self.come_back()
            else:
                self._clock.pause(RETRY)

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
