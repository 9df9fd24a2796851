"""The cell bare50: what bare Python threads achieve in direct50. It is an upper bound for the service there.

As a program (python -m benchmarks.bare) this is a relay with the service's threads and nothing else: a receiving thread
for each client, one thread that takes what they have gathered, one that sends an ack and the message. It does not
decode, check or store lines.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.cells import Cell
from benchmarks.load import Span, ping_pong
from benchmarks.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Mapping

# As long as the service's time.
_TIME: Final = b'"time":"2026-11-21T09:30:00.123Z"'
_ACK: Final = b'{"type":"ack","command":"dm","id":1234567,%s,"to":"user10","status":"delivered"}\n' % _TIME
_DIRECT: Final = b'{"type":"direct","id":1234567,%s,"from":"user11","to":"user10","message":"%s"}\n' % (
    _TIME,
    b"x" * 100,
)


class Relay:
    """Passes each line to the sender's partner. Clients are paired in the order of their connections."""

    def __init__(self) -> None:
        self._clients: list[socket.socket] = []
        self._received: deque[tuple[int, int]] = deque()  # (client, number of lines)
        self._gathered: deque[list[tuple[int, int]]] = deque()
        self._arrived = threading.Condition()
        self._handed_over = threading.Event()

    def run(self) -> None:
        """Runs until the process is ended."""
        for work in (self._gather, self._deliver):
            threading.Thread(target=work, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
            sys.stderr.write(f"listening on {listener.getsockname()[1]},\n")
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients.append(client)
                threading.Thread(target=self._receive, args=(len(self._clients) - 1, client), daemon=True).start()

    def _receive(self, number: int, client: socket.socket) -> None:
        client.send(b"in\n" if client.recv(4096) else b"")
        while data := client.recv(4096):
            with self._arrived:
                self._received.append((number, data.count(b"\n")))
                self._arrived.notify()

    def _gather(self) -> None:
        while True:
            with self._arrived:
                while not self._received:
                    self._arrived.wait()
                batch = list(self._received)
                self._received.clear()
            self._gathered.append(batch)
            self._handed_over.set()

    def _deliver(self) -> None:
        while self._handed_over.wait():
            self._handed_over.clear()
            while self._gathered:
                for number, lines in self._gathered.popleft():
                    self._clients[number].send(_ACK * lines)
                    self._clients[number ^ 1].send(_DIRECT * lines)


class Bare(Peer):
    """The relay as a program under test."""

    name = "chat"  # shown in the column of the Python program
    entered = b"in"
    ack = b'"type":"ack"'
    direct = b'"type":"direct"'

    def __init__(self, folder: Path) -> None:
        super().__init__([sys.executable, "-m", "benchmarks.bare"], folder / "bare.log")
        self.port = int(self.await_line(r"listening on (\d+),")[1])

    def entry(self, name: str) -> bytes:
        """Returns any line; the relay needs no login."""
        return name.encode() + b"\n"

    def private(self, to: str, text: str) -> bytes:
        """Returns a line as long as the service's command."""
        return f'{{"command": "dm", "to": "{to}", "message": "{text}"}}\n'.encode()


def _measure(_: Peer | None) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        relay = Bare(Path(folder))
        try:
            return ping_pong(relay, 50, Span())
        finally:
            relay.stop()


CELLS: Final[dict[str, Cell]] = {
    "bare50": Cell("direct50 with bare threads: nothing decoded, nothing stored", _measure)
}

if __name__ == "__main__":
    Relay().run()
