"""The attacker's connections: many in one thread, each driven by a script. Knows no attack.

A script is a generator that yields what it waits for. All sockets are non-blocking: while the service does not accept
its data, a script waits at no cost. All addresses are this machine's own (127.0.0.0/8).
"""

from __future__ import annotations

import errno
import heapq
import itertools
import json
import select
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

SERVICE: Final = "127.0.0.1"
READ: Final = 1 << 18  # bytes of one receive
RETRY: Final = 0.2  # seconds that a connection waits after a refusal or cut-off
LOOK: Final = 0.2  # seconds: the longest wait for an event
_BIND_ADDRESS_NO_PORT: Final = 24  # Linux's number: bind leaves the choice of the port to connect


class Gone(Exception):  # noqa: N818 (an event, not an error)
    """The service has closed or refused the connection."""


class Wait(NamedTuple):
    """What a script waits for: one of these events on its socket, or so many seconds."""

    events: int = 0
    seconds: float = 0.0


READABLE: Final = Wait(select.EPOLLIN)
WRITABLE: Final = Wait(select.EPOLLOUT)
EITHER: Final = Wait(select.EPOLLIN | select.EPOLLOUT)
Script = "Generator[Wait, None, None]"


class Tally:
    """The attacker's success, in the unit of its attack."""

    def __init__(self) -> None:
        self.done = 0.0
        self.refused = 0  # connections refused or cut off, and commands refused by a limit


class Ground(NamedTuple):
    """The target of the attack."""

    port: int
    tokens: Sequence[str]  # one of each of the attacker's accounts
    folder: Path  # for the attacker's files


class Link:
    """A sequence of connections from one address."""

    def __init__(self, ground: Ground, number: int, address: str, tally: Tally) -> None:
        self.ground = ground
        self.number = number
        self.tally = tally
        self._address = address
        self._rest = b""  # of an incomplete line
        self._refs = itertools.count()
        self.socket: socket.socket | None = None

    def fileno(self) -> int:
        return self._open_socket().fileno()

    def _open_socket(self) -> socket.socket:
        assert self.socket is not None
        return self.socket

    def open(self) -> Generator[Wait, None, None]:
        """Connects. Raises OSError."""
        self._rest = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)  # noqa: FBT003 (its only parameter)
        self.socket.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((self._address, 0))
        code = self.socket.connect_ex((SERVICE, self.ground.port))
        if code == errno.EINPROGRESS:
            yield WRITABLE
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "no connection")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def token(self) -> str:
        """That of its account."""
        return self.ground.tokens[self.number % len(self.ground.tokens)]

    def close(self) -> None:
        """Drops the connection, if there is one."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def try_send(self, data: bytes | memoryview) -> int:
        """Returns how many of the bytes the kernel takes now. Raises OSError."""
        try:
            return self._open_socket().send(data)
        except BlockingIOError:
            return 0

    def try_receive(self) -> bytes:
        """Returns pending input, maybe none. Raises Gone, OSError."""
        try:
            data = self._open_socket().recv(READ)
        except BlockingIOError:
            return b""
        if not data:
            raise Gone
        return data

    def send(self, data: bytes) -> Generator[Wait, None, None]:
        """Sends all bytes."""
        rest = memoryview(data)
        while rest := rest[self.try_send(rest) :]:
            yield WRITABLE

    def receive(self) -> Generator[Wait, None, bytes]:
        """Returns the next input."""
        while not (data := self.try_receive()):
            yield READABLE
        return data

    def read_line(self, mark: bytes) -> Generator[Wait, None, bytes]:
        """Returns the next line with the mark; drops the lines before it."""
        while True:
            whole, _, self._rest = self._rest.rpartition(b"\n")
            found = whole.find(mark) if whole else -1
            if found >= 0:
                start = whole.rfind(b"\n", 0, found) + 1
                line, _, after = whole[start:].partition(b"\n")
                self._rest = after + b"\n" + self._rest if after else self._rest
                return line
            self._rest += yield from self.receive()

    def greet(self) -> Generator[Wait, None, None]:
        """Waits for the greeting. Raises Gone if another line comes instead."""
        if b'"type":"hello"' not in (yield from self.read_line(b"")):
            raise Gone

    def ask(self, command: str, **fields: Any) -> Generator[Wait, None, bytes]:
        """Sends a command; returns the line that answers it."""
        ref = f"r{next(self._refs)}"
        yield from self.send(json.dumps({"command": command, "ref": ref, **fields}).encode() + b"\n")
        return (yield from self.read_line(b'"ref":"%s"' % ref.encode()))

    def enter(self, *, rooms: bool = False) -> Generator[Wait, None, None]:
        """Logs in to its account, with or without `rooms`. Raises Gone on a refusal."""
        yield from self.greet()
        reply = yield from self.ask("resume", token=self.token, confirm=True, rooms=rooms)
        if b'"type":"login_ok"' not in reply:
            raise Gone


def persist(link: Link, behave: Callable[[Link], Generator[Wait, None, None]]) -> Generator[Wait, None, None]:
    """Connects and behaves, again and again; pauses after a refusal."""
    while True:
        pause = 0.0
        try:
            yield from link.open()
            yield from behave(link)
        except (Gone, OSError):
            link.tally.refused += 1
            pause = RETRY
        link.close()
        yield Wait(seconds=pause)


class Crew:
    """Runs the scripts of links until `stop` has input or is closed, or the time is over."""

    def __init__(self, scripts: Iterable[tuple[Link, Generator[Wait, None, None]]], stop: int) -> None:
        self._ready = deque(scripts)
        self._stop = stop
        self._poll = select.epoll()
        self._poll.register(stop, select.EPOLLIN)
        self._waiting: dict[int, tuple[Link, Generator[Wait, None, None]]] = {}  # by descriptor
        self._sleeping: list[tuple[float, int, tuple[Link, Generator[Wait, None, None]]]] = []  # a heap
        self._count = itertools.count()  # so that the heap never compares scripts

    def run(self, seconds: float) -> None:
        """Runs for at most so many seconds. The connections stay open."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            while self._sleeping and self._sleeping[0][0] <= now:
                self._ready.append(heapq.heappop(self._sleeping)[2])
            for _ in range(len(self._ready)):
                self._advance(self._ready.popleft())
            pause = self._sleeping[0][0] - now if self._sleeping else LOOK
            for descriptor, _ in self._poll.poll(0 if self._ready else min(max(pause, 0.0), LOOK)):
                if descriptor == self._stop:
                    return
                self._ready.append(self._waiting.pop(descriptor))

    def _advance(self, task: tuple[Link, Generator[Wait, None, None]]) -> None:
        link, script = task
        wait = next(script, None)
        if wait is None:
            link.close()
        elif wait.events:
            descriptor = link.fileno()
            self._waiting[descriptor] = task
            try:
                self._poll.modify(descriptor, wait.events | select.EPOLLONESHOT)
            except FileNotFoundError:  # a new socket: the kernel has forgotten the closed one
                self._poll.register(descriptor, wait.events | select.EPOLLONESHOT)
        else:
            heapq.heappush(self._sleeping, (time.monotonic() + wait.seconds, next(self._count), task))

    def close(self) -> None:
        """Drops all connections."""
        for link, script in [*self._ready, *self._waiting.values(), *(task for _, _, task in self._sleeping)]:
            script.close()
            link.close()
        self._poll.close()
