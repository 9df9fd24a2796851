"""Shared parts of the delivery's tests: a delivery whose thread stands still, clients, and events with their bytes.

The delivery thread stands still until the test calls `go`. Until then the test may do that thread's work, step by step.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from service.delivery.loop import Delivery
from service.delivery.outbox import Limits
from service.delivery.run import Note
from service.delivery.snapshot import Snapshot, SnapshotPush
from service.net.transport import Stream
from service.wire.protocol import ByeReply, Event
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.wire.codec import Codec
    from service.wire.protocol import AnyCommand, Row

SLOW: Final = b"bye slow\n"
FILLER: Final = b"f" * 600_000 + b"\n"  # more than a connection's small buffers hold here
SMALL_BUFFER: Final = 4_096  # bytes; the kernel rounds it up
BOUND: Final = 1 << 20  # bytes: the limit of an outbox


class Line(Event):
    """An event that holds its own bytes."""

    text: bytes


class Plain:
    """A codec for `Line` and `bye` events."""

    def encode(self, event: Event, /) -> bytes:
        if isinstance(event, ByeReply):
            return b"bye %b\n" % event.reason.encode()
        assert isinstance(event, Line)
        return event.text

    def decode(self, _line: bytes, /) -> AnyCommand:
        """Never called here."""
        raise NotImplementedError

    def size(self, _row: Row, /) -> NoReturn:
        """Never called here."""
        raise NotImplementedError


class Toy(Plain):
    """A second codec, which keeps the lines that it has encoded."""

    def __init__(self, prefix: bytes = b"toy ") -> None:
        self.made: list[bytes] = []
        self._prefix = prefix

    def encode(self, event: Event, /) -> bytes:
        """Returns the line, after the prefix."""
        line = self._prefix + super().encode(event)
        self.made.append(line)
        return line


PLAIN: Final = Plain()


class StillDelivery(Delivery):
    """A delivery whose thread waits in its first action until `go`."""

    def __init__(self, **limits: Any) -> None:
        self.snapshot: Callable[[], bytes] = lambda: b""
        self.changes: Callable[[], bytes] = lambda: b""
        self.peers: list[Peer] = []
        self._stands, self._may_go = threading.Event(), threading.Event()
        more: dict[str, Any] = {"linger": 3_600.0} | limits
        of_outboxes = {"outbox_bytes": BOUND} | {name: more.pop(name) for name in Limits._fields if name in more}
        pace = more.pop("pace", None)
        push = None if pace is None else SnapshotPush(pace_min=pace, pace=pace)
        super().__init__(
            lambda: Snapshot(Line(self.snapshot()), Line(self.changes())),
            Line(b"broken\n"),
            limits=Limits(**of_outboxes),
            push=push,
            **more,
        )
        self.post(self._stand_still)
        assert self._stands.wait(PATIENCE)

    def _stand_still(self, _: object) -> None:
        self._stands.set()
        self._may_go.wait(PATIENCE)

    def go(self) -> None:
        """Lets the thread work. Idempotent."""
        self._may_go.set()

    def flushed(self) -> None:
        """Returns when all posted work is done and sent, as far as possible."""
        self.settle()
        self.settle()  # it runs in a later round, and so after the sends of the first

    def connect(
        self, make_stream: Callable[..., Stream] = Stream, *, codec: Codec = PLAIN, confirms: bool = False
    ) -> Peer:
        """Returns a new client, whose end is closed after the test. A client that confirms gets no notes."""
        self.peers.append(Peer(self, make_stream, codec, confirms=confirms))
        return self.peers[-1]

    def connect_in_room(self, count: int, *room_ids: int, codec: Codec = PLAIN) -> list[Peer]:
        """Returns `count` new clients that know rooms, and are in these."""
        peers = [self.connect(codec=codec, confirms=True) for _ in range(count)]
        for peer in peers:
            self.join(peer.outbox, rooms=True)
            for room_id in room_ids:
                self.enter_room(room_id, peer.outbox)
        return peers

    def connect_members(self, count: int, codec: Codec = PLAIN) -> list[Peer]:
        """Returns `count` new clients that get what is for everyone."""
        peers = [self.connect(codec=codec) for _ in range(count)]
        for peer in peers:
            self.join(peer.outbox)
        return peers

    def say(self, sender: Peer | None, public_id: int) -> None:
        """Sends `line_of(public_id)` to all but the sender, who gets `ack_of(public_id)`."""
        if sender is None:
            self.broadcast(Line(line_of(public_id)), public_id)
        else:
            self.broadcast(Line(line_of(public_id)), public_id, sender.outbox, Line(ack_of(public_id)))

    def say_in(self, room_id: int, sender: Peer | None, number: int) -> None:
        """Sends `line_of(number)` to those in the room but the sender, who gets `ack_of(number)`."""
        if sender is None:
            self.broadcast_to(room_id, Line(line_of(number)))
        else:
            self.broadcast_to(room_id, Line(line_of(number)), sender.outbox, Line(ack_of(number)))


class Peer:
    """A client of the delivery: its outbox, its stream, and the socket at the other end."""

    def __init__(
        self, delivery: StillDelivery, make_stream: Callable[..., Stream], codec: Codec, *, confirms: bool
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # Both buffers are small, so that a client that does not read is noticed soon.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
            self.socket = socket.socket()
            self.socket.settimeout(PATIENCE)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            self.socket.connect(listener.getsockname())
            self.stream = make_stream(*listener.accept())
        self.outbox = delivery.open_outbox(self.stream, codec)
        self.notes: list[Note] = []
        if not confirms:
            self.outbox.report_written(self.notes.append)

    @property
    def told(self) -> Note:
        """Returns the sum of its notes: all that was written to it."""
        return sum_up(self.notes)

    def append(self, line: bytes, note: Note | None = None) -> None:
        """Adds a line to its outbox, on the delivery thread."""
        self.outbox.append(Line(line), note)

    def reply(self, line: bytes) -> None:
        """Sends it a line, from any thread."""
        self.outbox.reply(Line(line))

    def finish(self, line: bytes | None = None) -> None:
        """Ends its outbox with that line, on the delivery thread."""
        self.outbox.finish(*([] if line is None else [Line(line)]))

    def block(self, filler: bytes = FILLER) -> None:
        """Fills the kernel's buffers, so that some of these bytes wait in the outbox."""
        self.append(filler)
        self.outbox.flush()
        assert self.outbox.waiting

    def fill(self, left: int) -> bytes:
        """Fills the kernel's buffers and the outbox, up to `left` bytes; returns the filler."""
        self.block()
        more = b"m" * (BOUND - left - self.outbox.waiting - 1) + b"\n"
        self.append(more)
        return FILLER + more

    def read(self, size: int) -> bytes:
        """Reads exactly `size` bytes."""
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, data[-100:]
            data += more
        return data

    def read_to_end(self) -> bytes:
        """Reads all bytes until the service ends its side."""
        data = b""
        while more := self.socket.recv(1 << 20):
            data += more
        return data

    def reset(self) -> None:
        """Resets the connection, and returns when the service's side has noticed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        assert self.stream.receive() == b""


class Noticed(threading.Event):
    """An event that calls a function of the test just before a thread waits for it."""

    def __init__(self, before_wait: Callable[[], None]) -> None:
        super().__init__()
        self._before_wait = before_wait
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        self._before_wait()
        return super().wait(timeout)


@contextmanager
def still_delivery(**limits: Any) -> Iterator[StillDelivery]:
    """Yields a delivery with a small bound and no time limits; closes everything at the end.

    `limits` replace named arguments of Delivery, fields of Limits, and the `pace` of snapshots in seconds.
    """
    delivery = StillDelivery(**limits)
    try:
        yield delivery
    finally:
        for peer in delivery.peers:
            peer.socket.close()
        delivery.go()
        delivery.stop(0)


def finish_and_read(delivery: StillDelivery, peer: Peer) -> bytes:
    """Returns all bytes that the client got; finishes it on the way. What its notes say is known afterwards."""
    delivery.go()
    delivery.run(peer.finish)
    received = peer.read_to_end()
    delivery.settle()
    return received


def with_limits(**limits: Any) -> pytest.MarkDecorator:
    """Gives a test a `delivery` with other limits, as for `still_delivery`."""
    return pytest.mark.parametrize("delivery", [pytest.param(limits, id="limited")], indirect=True)


def line_of(public_id: int) -> bytes:
    """Returns the line that everyone gets."""
    return b"line %d\n" % public_id


def ack_of(public_id: int) -> bytes:
    """Returns the line that the sender gets instead."""
    return b"ack %d\n" % public_id


def sum_up(notes: Iterable[Note | None]) -> Note:
    """Returns the newest public id, or 0, and the direct ids in order."""
    given = [note for note in notes if note is not None]
    public_id = max((note.public_id for note in given), default=0)
    return Note(public_id, tuple(id_ for note in given for id_ in note.direct_ids))
