"""An honest client with its own address, which reconnects after a cut-off. Takes no times."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.uri import parse_uri

from benchmarks.attacks.links import RETRY, SERVICE
from benchmarks.attacks.scripts import PASSWORD, VICTIM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ADDRESSES: Final = {VICTIM: "127.0.0.3", "bea": "127.0.0.4", "elsewhere": "127.0.0.5", "carl": "127.0.0.6"}
NAMES: Final = (VICTIM, "bea", "carl")  # the accounts; the victim also logs in elsewhere by password
CONNECTING: Final = 5.0  # seconds until the next attempt
LOOK: Final = 0.25  # seconds: the longest wait between two checks of the clock
READ: Final = 1 << 18  # bytes
MOST_SECONDS: Final = 60.0  # everything ends by then


class Plan(NamedTuple):
    """How to reach the service."""

    port: int
    tokens: Mapping[str, str]  # by name
    certificate: str  # a file's name; empty without TLS
    is_web: bool  # whether by WebSocket


class Over(Exception):  # noqa: N818 (nothing is wrong)
    """The time is up."""


class Clock:
    """The measured part of the time."""

    def __init__(self) -> None:
        self.counts_from = float("inf")
        self.end = time.perf_counter() + MOST_SECONDS

    def left(self) -> float:
        """Returns the remaining seconds. Raises Over."""
        if (left := self.end - time.perf_counter()) <= 0:
            raise Over
        return left

    def pause(self, seconds: float) -> None:
        """Sleeps so long, or until the end."""
        time.sleep(min(seconds, self.left()))


class Party:
    """An honest client. It reads and drops all input that is not an answer."""

    def __init__(self, plan: Plan, who: str, clock: Clock) -> None:
        self._plan, self._who, self._clock = plan, who, clock
        self._tls: ssl.SSLContext | None = None
        if plan.certificate:
            self._tls = ssl.create_default_context(cafile=plan.certificate)
        self._socket: socket.socket | None = None
        self._web: ClientProtocol | None = None
        self._rest = b""  # of an incomplete line
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
        if self._plan.is_web:
            self._upgrade()

    def _upgrade(self) -> None:
        """Raises OSError on a refusal."""
        web = self._web = ClientProtocol(parse_uri(f"ws://{SERVICE}:{self._plan.port}/chat"), max_size=None)
        web.send_request(web.connect())
        self._send(b"")
        while web.state is not State.OPEN:
            self._rest += self.receive(self._clock.left())
            if web.handshake_exc is not None:
                raise ConnectionError("refused")

    def _send(self, line: bytes) -> None:
        """Sends a line; if that is empty, what the WebSocket has to send by itself. Raises OSError."""
        assert self._socket is not None
        if self._web is not None:
            if line:
                self._web.send_text(line)
            line = b"".join(self._web.data_to_send())
        if line:
            self._socket.sendall(line)

    def enter(self) -> None:
        """Logs in by token, however long it takes. Raises Over."""
        self._enter(partial(self.ask_once, "resume", token=self._plan.tokens[self._who], rooms=True))

    def enter_by_password(self) -> None:
        """Logs in as the victim, by password."""
        self._enter(partial(self.ask_once, "login", username=VICTIM, password=PASSWORD, rooms=True))

    def _enter(self, ask: Callable[[], bytes]) -> None:
        while True:
            with suppress(OSError):
                self.connect()
                if b'"type":"login_ok"' in ask():
                    return
            self._clock.pause(RETRY)

    def ask(self, command: str, **fields: Any) -> None:
        """Asks until an answer is no error; reconnects after a cut-off. Raises Over."""
        while True:
            try:
                if b'"type":"error"' not in self.ask_once(command, **fields):
                    return
            except OSError:
                self.come_back()
            else:
                self._clock.pause(RETRY)

    def come_back(self) -> None:
        """Reconnects after a cut-off. Raises Over."""
        self._clock.left()  # at the end this process cuts them off itself
        self.cut_off += 1
        self.enter()

    def ask_once(self, command: str, **fields: Any) -> bytes:
        """Returns the answer's line. Raises Over, and OSError if the connection ends first."""
        assert self._socket is not None
        ref = f"r{next(self._refs)}"
        self._set_timeout(self._clock.left())
        self._send(json.dumps({"command": command, "ref": ref, **fields}).encode() + b"\n")
        mark = b'"ref":"%s"' % ref.encode()
        while True:
            for line in self._lines(self._clock.left()):
                if mark in line:
                    return line

    def _lines(self, seconds: float) -> Iterator[bytes]:
        """Yields the whole lines with a `ref` from the next receive, which waits at most so long."""
        self._rest += self.receive(seconds)
        whole, _, self._rest = self._rest.rpartition(b"\n")
        return (line for line in whole.split(b"\n") if b'"ref":' in line)

    def receive(self, seconds: float, most: int = READ) -> bytes:
        """Returns the next input; empty after so many seconds, or where it holds no line. Raises OSError at the end."""
        assert self._socket is not None
        self._set_timeout(min(seconds, LOOK))
        try:
            data = self._socket.recv(most)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionError("closed by the service")
        if self._web is None:
            return data
        self._web.receive_data(data)
        payload = b"".join(event.data for event in self._web.events_received() if _has_lines(event))
        self._send(b"")
        return payload

    def _set_timeout(self, seconds: float) -> None:
        assert self._socket is not None
        self._socket.settimeout(max(seconds, 0.001))  # 0 would not wait at all

    def drop_until(self, moment: float) -> None:
        """Reads and drops input until that moment. Raises Over."""
        while (left := min(moment - time.perf_counter(), self._clock.left())) > 0:
            try:
                self._lines(left)
            except OSError:
                self.come_back()

    def cut(self) -> None:
        """Ends all waits for this connection. For any thread."""
        if (connected := self._socket) is not None:
            with suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)  # SSLSocket's own shutdown is not thread-safe

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _has_lines(event: Event) -> TypeGuard[Frame]:
    return isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.CONT}
