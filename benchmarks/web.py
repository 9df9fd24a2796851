"""The cells web100 and web1000: clients on WebSocket, beside as many that speak plainly.

The two kinds are measured in turn, each time with a service of their own. The generator makes its frames by hand, and
of what comes it counts the line ends: of some 10,000 one is a byte of a frame's length.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.cells import RUNS, Cell, Target, medians
from benchmarks.load import TEXT, Span, talk
from benchmarks.peers import Chat

if TYPE_CHECKING:
    from benchmarks.peers import Peer

_NO_MASK: Final = bytes(4)  # all zero, so that the masked bytes are the bytes; one that lasts makes a poor attack only


class WebChat(Chat):
    """This service, whose clients come to the web port."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        super().__init__(folder, "--web-port", str(port))
        self.await_line("page at")
        self.port = port

    def entry(self, name: str) -> bytes:
        request = (
            f"GET /chat HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        return request.encode() + _frame(super().entry(name))

    def public(self, text: str, room: str = "") -> bytes:
        return _frame(super().public(text, room))


def _frame(payload: bytes) -> bytes:
    """Returns a text message of at most 65,535 bytes."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + _NO_MASK + payload


def beside_plain(count: int, senders: int, in_flight: int, span: Span, runs: int = RUNS) -> dict[str, float]:
    """Returns the figures of clients on WebSocket, and how some compare with those of plain ones."""
    measured: dict[type[Chat], list[dict[str, float]]] = {Chat: [], WebChat: []}
    for _ in range(runs):
        for kind, figures in measured.items():
            with tempfile.TemporaryDirectory() as folder:
                peer = kind(Path(folder))
                try:
                    figures.append(_measure(peer, count, senders, in_flight, span))
                finally:
                    peer.stop()
    plain, web = map(medians, measured.values())
    return web | {
        "CPU / plain": web["CPU s/million"] / plain["CPU s/million"],
        "RSS KiB more": web["RSS KiB/client"] - plain["RSS KiB/client"],
    }


def _measure(peer: Peer, count: int, senders: int, in_flight: int, span: Span) -> dict[str, float]:
    before = peer.memory()
    clients, message = peer.log_in(count), peer.public(TEXT)
    memory = {"RSS KiB/client": (peer.memory() - before) / count}
    return talk(peer, clients, senders, in_flight, span, lambda _, number: message * number) | memory


def make_cells(span: Span) -> dict[str, Cell]:
    """Returns all cells; each measures for the time of `span`."""
    return {f"web{count}": _make_cell(count, span) for count in (100, 1000)}


def _make_cell(count: int, span: Span) -> Cell:
    return Cell(
        f"{count:,} clients on WebSocket, 10 send, 16 in flight each, beside plain ones",
        lambda _: beside_plain(count, 10, 16, span),
        targets=(Target("CPU / plain", "<=", 1.25), Target("RSS KiB more", "<=", 12)),
    )


CELLS: Final = make_cells(Span())
