"""What the tests of the outbox and of the delivery share: a delivery that stands still, and clients of it.

The delivery thread stands still until the test says `go`: till then the test may do that thread's work, step by step.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from service.delivery import loop as delivery_module
from service.delivery import outbox as outbox_module
from service.delivery.loop import Delivery
from service.net.transport import Stream
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pytest

    from service.delivery.outbox import Note

SLOW: Final = b"bye slow\n"
FILLER: Final = b"f" * 600_000 + b"\n"  # more than the small buffers of a connection here take
SMALL_BUFFER: Final = 4_096  # bytes; the kernel makes some more of it


class StillDelivery(Delivery):
    """A delivery that is started, but whose thread waits within its first action until `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.state: Callable[[], bytes] = lambda: b""
        self.peers: list[Peer] = []
        self._stands, self._may_go = threading.Event(), threading.Event()
        self.start(self._ask_state)
        self.post(self._stand_still)
        assert self._stands.wait(PATIENCE)

    def _ask_state(self) -> bytes:
        return self.state()

    def _stand_still(self, _: object) -> None:
        self._stands.set()
        self._may_go.wait(PATIENCE)

    def go(self) -> None:
        """Lets the thread work; again and again does no harm."""
        self._may_go.set()

    def flushed(self) -> None:
        """Returns when all that was posted has run and was sent as far as possible."""
        self.settle()
        self.settle()  # runs in a later round than the first, and so after its sends

    def connect(self, make_stream: Callable[..., Stream] = Stream) -> Peer:
        """A new client, whose end is closed when the test is over."""
        self.peers.append(Peer(self, make_stream))
        return self.peers[-1]

    def connect_members(self, count: int) -> list[Peer]:
        """So many new clients that get what is for everyone."""
        peers = [self.connect() for _ in range(count)]
        for peer in peers:
            self.join(peer.outbox)
        return peers

    def say(self, sender: Peer, public_id: int) -> None:
        """Sends `line_of(public_id)` to everyone but the sender, who gets `ack_of(public_id)`."""
        self.broadcast(line_of(public_id), public_id, sender.outbox, ack_of(public_id))


class Peer:
    """A client of the delivery: its outbox, its stream, and the socket at the other end."""

    def __init__(self, delivery: StillDelivery, make_stream: Callable[..., Stream] = Stream) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # Both buffers are small, so that a client that does not read is noticed soon.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
            self.socket = socket.socket()
            self.socket.settimeout(PATIENCE)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            self.socket.connect(listener.getsockname())
            self.stream = make_stream(*listener.accept())
        self.outbox = delivery.open_outbox(self.stream, SLOW)
        self.notes: list[Note] = []
        self.outbox.on_written = self.notes.append

    @property
    def told(self) -> Note:
        """What all its notes together say was written to it."""
        return sum_up(self.notes)

    def block(self, filler: bytes = FILLER) -> int:
        """Fills the kernel's buffers; says how many bytes wait in the outbox."""
        self.outbox.append(filler)
        self.outbox.flush()
        assert self.outbox._waiting
        return self.outbox._waiting

    def read(self, size: int) -> bytes:
        """So many bytes."""
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, data[-100:]
            data += more
        return data

    def read_to_end(self) -> bytes:
        """All that comes until the service ends its side."""
        data = b""
        while more := self.socket.recv(1 << 20):
            data += more
        return data

    def reset(self) -> None:
        """Goes without a goodbye, and returns when the service's side knows."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        assert self.stream.receive() == b""


class Noticed(threading.Event):
    """An event that lets the test act just before somebody waits for it."""

    def __init__(self, before_wait: Callable[[], None]) -> None:
        super().__init__()
        self._before_wait = before_wait
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Waits, after the test's part."""
        self.waits += 1
        self._before_wait()
        return super().wait(timeout)


@contextmanager
def still_delivery(monkeypatch: pytest.MonkeyPatch) -> Iterator[StillDelivery]:
    """A delivery whose bound is handy, and that cuts nobody off by time; at the end it closes all that is open."""
    monkeypatch.setattr(outbox_module, "OUTBOX_BYTES", 1 << 20)
    monkeypatch.setattr(delivery_module, "LINGER", 3_600.0)
    delivery = StillDelivery()
    try:
        yield delivery
    finally:
        for peer in delivery.peers:
            peer.socket.close()
        delivery.go()
        delivery.stop(0)


def line_of(public_id: int) -> bytes:
    """What everyone gets."""
    return b"line %d\n" % public_id


def ack_of(public_id: int) -> bytes:
    """What its sender gets instead."""
    return b"ack %d\n" % public_id


def sum_up(notes: Iterable[Note | None]) -> Note:
    """The newest public id, or 0, and the direct ids in their order."""
    given = [note for note in notes if note is not None]
    return max((note[0] for note in given), default=0), tuple(id_ for note in given for id_ in note[1])
