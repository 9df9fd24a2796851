"""Clients that connect and drop, by the thousand: what the service gave them comes back."""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.support.doors import at
from tests.support.helpers import PATIENCE, Process

if TYPE_CHECKING:
    from tests.support.doors import Door

BATCH: Final = 250  # clients at once
BATCHES: Final = {"json": 20, "tls": 5, "web": 14}
GROWTH: Final = {"json": 1, "web": 2}  # KiB at most for each client that has come since then
WARM: Final = {"json": 9, "tls": 4, "web": 5}  # of them; until then the heap grows
HALF: Final = b'{"command":"login","username":"' + b"x" * 4_000
HALF_SHAKE: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100
HALF_HEAD: Final = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * 4_000
PAGE: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE: Final = (
    b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
HALF_FRAME: Final = b"\x01\xfe\x10\x00mask" + b"x" * 2_000  # of 4,096 bytes, the first of a text
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")


class Usage(NamedTuple):
    """What a process holds; memory in KiB."""

    threads: int
    descriptors: int
    memory: int


def usage(pid: int) -> Usage:
    """What the process holds now."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return Usage(int(status["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["VmRSS"].split()[0]))


def usage_at_rest(pid: int, rest: Usage | None = None) -> Usage:
    """What it holds once its threads and descriptors are as many as at rest."""
    deadline, pause = time.monotonic() + PATIENCE, Event()
    while (
        (now := usage(pid)) and rest is not None and (now.threads, now.descriptors) != (rest.threads, rest.descriptors)
    ):
        assert time.monotonic() < deadline, (now, rest)
        pause.wait(0.01)
    return now


Way = Callable[[socket.socket], None]


def drop(wire: socket.socket) -> None:
    """Nothing but a connect."""


def send_half(half: bytes) -> Way:
    """Part of what a client of that door begins with."""
    return lambda wire: wire.sendall(half)


def reset(begin: bytes) -> Way:
    """Something, and unread answers, so that the kernel sends a reset."""

    def behave(wire: socket.socket) -> None:
        wire.sendall(begin)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    return behave


def await_answer(ask: bytes, more: bytes = b"") -> Way:
    """Something, and then more when there is an answer."""

    def behave(wire: socket.socket) -> None:
        wire.sendall(ask)
        if wire.recv(4_096):
            wire.sendall(more)

    return behave


def stall(wire: socket.socket) -> None:
    """Half a line, and then nothing until the service has enough of it."""
    wire.sendall(HALF)
    while wire.recv(4_096):
        pass


WAYS: Final[dict[str, tuple[Way, ...]]] = {
    "json": (drop, send_half(HALF), reset(b'{"command":"ping"}\n' + HALF)),
    "tls": (drop, send_half(HALF_SHAKE), reset(HALF_SHAKE)),
    "web": (
        drop,
        send_half(HALF_HEAD),
        reset(HALF_HEAD),
        await_answer(PAGE),
        send_half(PAGE),
        await_answer(UPGRADE, HALF_FRAME),
        reset(UPGRADE + HALF_FRAME),
    ),
}


def storm(port: int, ways: tuple[Way, ...]) -> None:
    """One batch of clients, in equal parts of each way. A port may cut some of them off, as they are so many."""
    with ExitStack() as stack:
        wires = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(BATCH)]
        for way in ways:
            for number, wire in enumerate(wires):
                if ways[number % len(ways)] is way:
                    with suppress(ConnectionError):
                        way(wire)
                    wire.close()


@at("streams")
def test_thousands_of_connects_leave_nothing_behind(door: Door, tmp_path: Path) -> None:
    """Threads, descriptors and memory are back after them all; one that is logged in is answered all along."""
    batches, warm_from, ways = BATCHES[door.name], WARM[door.name], WAYS[door.name]
    with (
        Process(tmp_path, "--login-timeout", "0.5", *door.options) as service,
        door.enter(service, "alice") as alice,
    ):
        assert service.program.stderr is not None
        fcntl.fcntl(service.program.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)  # the log of it all, which nobody reads
        pid = service.program.pid
        alice.read_until_pong()
        rest = usage_at_rest(pid)
        for number in range(batches):
            storm(door.port(service), (*ways, *([stall] if number % 8 == 0 and door.name == "json" else [])))
            assert alice.ask("ping")["type"] == "pong"
            if number == warm_from:
                warm = usage_at_rest(pid, rest)
        if door.name == "tls":
            return  # what OpenSSL had lies in the heaps of so many threads, which settle only after 40,000 clients
        more = usage_at_rest(pid, rest).memory - warm.memory
        assert more < (batches - warm_from - 1) * BATCH * GROWTH[door.name]
