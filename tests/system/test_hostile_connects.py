"""Clients that connect and drop, by the thousand: what the service gave them comes back."""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.support.helpers import PATIENCE, Process, enter

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH: Final = 250  # clients at once
BATCHES: Final = 20
WARM: Final = 9  # of them; until then the heap grows
HALF: Final = b'{"command":"login","username":"' + b"x" * 4_000
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


def drop(wire: socket.socket) -> None:
    """Nothing but a connect."""


def drop_half(wire: socket.socket) -> None:
    """Half a line."""
    wire.sendall(HALF)


def reset_half(wire: socket.socket) -> None:
    """Half a line, and unread answers, so that the kernel sends a reset."""
    wire.sendall(b'{"command":"ping"}\n' + HALF)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def stall(wire: socket.socket) -> None:
    """Half a line, and then nothing until the service has enough of it."""
    wire.sendall(HALF)
    while wire.recv(4_096):
        pass


def storm(port: int, ways: tuple[Callable[[socket.socket], None], ...]) -> None:
    """One batch of clients, in equal parts of each way."""
    with ExitStack() as stack:
        wires = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(BATCH)]
        for way in ways:
            for number, wire in enumerate(wires):
                if ways[number % len(ways)] is way:
                    way(wire)
                    wire.close()


def test_thousands_of_connects_leave_nothing_behind(tmp_path: Path) -> None:
    """Threads, descriptors and memory are back after 5,000 clients; one that is logged in is answered all along."""
    with (
        Process(tmp_path, "--login-timeout", "0.5") as service,
        enter(service.port, "alice") as alice,
    ):
        assert service.program.stderr is not None
        fcntl.fcntl(service.program.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)  # the log of it all, which nobody reads
        pid = service.program.pid
        alice.read_until_pong()
        rest = usage_at_rest(pid)
        for number in range(BATCHES):
            storm(service.port, (drop, drop_half, reset_half, *([stall] if number % 8 == 0 else [])))
            assert alice.ask("ping")["type"] == "pong"
            if number == WARM:
                warm = usage_at_rest(pid, rest)
        more = usage_at_rest(pid, rest).memory - warm.memory
        assert more < (BATCHES - WARM - 1) * BATCH  # a KiB for each that has come since
