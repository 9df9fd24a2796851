"""The outbox's contract and the delivery thread's, over real loopback connections.

The delivery thread stands still until the test says `go`: till then the test may do that thread's work, step by step.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from service import delivery as module
from service.delivery import Delivery, Outbox
from service.transport import Stream
from tests.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW: Final = b"bye slow\n"
FILLER: Final = b"f" * 600_000 + b"\n"  # more than the small buffers of a connection here take
SMALL_BUFFER: Final = 4_096  # bytes; the kernel makes some more of it


class StillDelivery(Delivery):
    """A delivery that is started, but whose thread waits within its first action until `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.push: Callable[[], None] = lambda: None
        self._stands, self._may_go = threading.Event(), threading.Event()
        self.start(self._push)
        self.post(self._stand_still)
        assert self._stands.wait(PATIENCE)

    def _push(self) -> None:
        self.push()

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


class Peer:
    """A client of the delivery: its outbox, its stream, and the socket at the other end."""

    def __init__(self, delivery: StillDelivery) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # Both buffers are small, so that a client that does not read is noticed soon.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
            self.socket = socket.socket()
            self.socket.settimeout(PATIENCE)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            self.socket.connect(listener.getsockname())
            self.stream = Stream(*listener.accept())
        self.outbox = delivery.open_outbox(self.stream, SLOW)
        self.notes: list[Any] = []
        self.outbox.on_written = self.notes.append

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


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Iterator[StillDelivery]:
    """A delivery whose bound is handy, and that cuts nobody off by time; at the end it closes all that is open."""
    monkeypatch.setattr(module, "OUTBOX_BYTES", 1 << 20)
    monkeypatch.setattr(module, "LINGER", 3_600.0)
    delivery = StillDelivery()
    yield delivery
    delivery.go()
    delivery.stop(0)


@pytest.fixture
def connect(delivery: StillDelivery) -> Iterator[Callable[[], Peer]]:
    """Makes clients, whose ends are closed when the test is over."""
    peers: list[Peer] = []

    def make() -> Peer:
        peers.append(Peer(delivery))
        return peers[-1]

    yield make
    for peer in peers:
        peer.socket.close()


@pytest.fixture
def peer(connect: Callable[[], Peer]) -> Peer:
    """One client."""
    return connect()


# -- order ------------------------------------------------------------------------------------------------------------
def test_lines_keep_the_order_of_their_posting(delivery: StillDelivery, peer: Peer) -> None:
    """Replies, posted lines and those handed over by the writer go out in the order in which they came."""
    lines = [b"line %d\n" % number for number in range(3_000)]
    delivery.go()
    for place in range(0, len(lines), 3):
        peer.outbox.reply(lines[place])
        delivery.post(peer.outbox.append, lines[place + 1])
        delivery.hand_over([(peer.outbox.append, lines[place + 2])])
    assert peer.read(sum(map(len, lines))) == b"".join(lines)


def test_actions_run_in_the_order_of_their_posting(delivery: StillDelivery) -> None:
    """All that one thread posts runs in its order, on the delivery thread; `run` returns when its action is done."""
    ran: list[object] = []
    delivery.go()
    for number in range(100):
        delivery.post(ran.append, number)
    delivery.hand_over([(ran.append, number) for number in range(100, 200)])
    delivery.run(lambda _: ran.append(threading.current_thread().name))
    assert ran == [*range(200), "chat-delivery"]


def test_order_holds_through_a_full_kernel(delivery: StillDelivery, peer: Peer) -> None:
    """Lines that come while earlier ones wait are sent after them, whole."""
    lines = [b"%d\n" % number * 50 for number in range(200)]
    peer.block()
    for line in lines:
        peer.outbox.append(line)
        peer.outbox.flush()
    delivery.go()
    assert peer.read(len(FILLER)) == FILLER
    assert peer.read(sum(map(len, lines))) == b"".join(lines)


# -- never blocks, bounded, closes with a last word -------------------------------------------------------------------
def test_who_does_not_read_holds_up_nobody(delivery: StillDelivery, connect: Callable[[], Peer]) -> None:
    """While one client reads nothing, another one gets its lines."""
    deaf, other = connect(), connect()
    delivery.go()
    delivery.post(deaf.outbox.append, FILLER)
    for number in range(100):
        line = b"%d\n" % number
        delivery.post(deaf.outbox.append, line)
        delivery.post(other.outbox.append, line)
        assert other.read(len(line)) == line


@pytest.mark.parametrize(
    ("filler", "is_whole"), [(FILLER, True), (b"\n" * 600_000, False)], ids=["within a line", "between lines"]
)
def test_who_stops_reading_is_told_so_in_a_last_whole_line(
    delivery: StillDelivery, peer: Peer, filler: bytes, *, is_whole: bool
) -> None:
    """On overflow the line that is half sent is finished, what waits is dropped, and `bye slow` is the last line."""
    peer.block(filler)
    for _ in range(3):
        peer.outbox.append(b"x" * 300_000 + b"\n")
    assert peer.outbox.closing
    peer.outbox.append(b"too late\n")
    delivery.go()
    received = peer.read_to_end()
    assert received.endswith(b"\n" + SLOW)
    rest = received.removesuffix(SLOW)
    assert rest == filler if is_whole else not rest.strip(b"\n")


@pytest.mark.parametrize("taken", range(19))
def test_framing_and_notes_survive_an_overflow_at_any_byte(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Wherever the kernel stopped, the client gets whole lines and the last word; the notes are theirs."""
    lines, send = [b"first\n", b"second\n", b"third\n"], peer.stream.send
    with monkeypatch.context() as torn:
        torn.setattr(peer.stream, "send", lambda data: send(data[:taken]) if taken else 0)
        for line in lines:
            peer.outbox.append(line, line)
        peer.outbox.flush()
        torn.setattr(module, "OUTBOX_BYTES", 20)
        peer.outbox.append(b"x" * 20 + b"\n", "dropped")
    delivery.go()
    begun = [line for place, line in enumerate(lines) if len(b"".join(lines[:place])) < taken]
    assert peer.read_to_end() == b"".join(begun) + SLOW
    delivery.settle()
    assert peer.notes == begun


def test_the_bound_is_exact(delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many bytes as the bound may wait; one more is an overflow."""
    monkeypatch.setattr(module, "OUTBOX_BYTES", peer.block() + 100)
    verdicts = []
    for size in (60, 40, 1):
        peer.outbox.append(b"x" * (size - 1) + b"\n")
        verdicts.append(peer.outbox.closing)
    assert verdicts == [False, False, True]
    delivery.go()
    assert peer.read_to_end() == FILLER + SLOW


def test_a_burst_makes_nobody_slow_who_reads(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that were committed together are offered to the kernel before anybody is called slow for them."""
    monkeypatch.setattr(module, "OUTBOX_BYTES", 1_000)
    lines = [b"line %02d\n" % number * 5 for number in range(50)]
    delivery.hand_over([(peer.outbox.append, line) for line in lines])
    delivery.go()
    delivery.flushed()
    peer.outbox.reply(b"the end\n")
    received = b""
    while not received.endswith((b"the end\n", SLOW)):
        received += peer.read(1)
    assert received == b"".join(lines) + b"the end\n"


def test_one_line_over_the_bound_is_sent_to_who_reads(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message longer than the bound, which settings allow, cuts nobody off who has nothing unread."""
    monkeypatch.setattr(module, "OUTBOX_BYTES", 100)
    delivery.go()
    peer.outbox.reply(b"x" * 500 + b"\n")
    peer.outbox.reply(b"the end\n")
    assert peer.read(4) == b"xxxx"
    assert peer.read(497 + 8).endswith(b"x\nthe end\n")


# -- state ------------------------------------------------------------------------------------------------------------
def test_only_the_newest_state_is_sent(delivery: StillDelivery, peer: Peer) -> None:
    """States that come before a flush are one, after the lines that came with them."""
    for number in range(5):
        peer.outbox.replace_state(b"state %d\n" % number)
        peer.outbox.append(b"line %d\n" % number)
    delivery.go()
    expected = b"line 0\nline 1\nline 2\nline 3\nline 4\nstate 4\n"
    assert peer.read(len(expected)) == expected


@pytest.mark.parametrize("flushes", [0, 1], ids=["full", "writable now and then"])
def test_a_blocked_client_gets_only_the_newest_state(delivery: StillDelivery, peer: Peer, flushes: int) -> None:
    """However many states come while a client has lines unread, it gets the last one; the others take no memory."""
    waiting = peer.block()
    for number in range(100):
        peer.outbox.replace_state(b"state %02d\n" % number)
        for _ in range(flushes):
            peer.outbox.flush()  # as when the kernel could take a little more
    assert peer.outbox._waiting <= waiting
    delivery.go()
    peer.outbox.reply(b"the end\n")
    assert peer.read(len(FILLER)) == FILLER
    received = b""
    while not (b"the end\n" in received and b"state 99\n" in received):
        received += peer.read(1)
    assert sorted(received.splitlines()) == [b"state 99", b"the end"]


def test_a_closing_outbox_sends_no_state(delivery: StillDelivery, peer: Peer) -> None:
    """After the last word comes nothing, also not a state that waited."""
    peer.outbox.replace_state(b"old\n")
    peer.outbox.finish(b"bye\n")
    peer.outbox.replace_state(b"new\n")
    delivery.go()
    assert peer.read_to_end() == b"bye\n"


# -- notes ------------------------------------------------------------------------------------------------------------
def test_notes_come_for_lines_that_were_written_whole(delivery: StillDelivery, peer: Peer) -> None:
    """A note is given once the kernel has all of its line, in order; a line without one gives none."""
    peer.outbox.append(b"first\n", 1)
    peer.outbox.append(b"plain\n")
    peer.outbox.append(b"second\n", (2, ()))
    peer.outbox.flush()
    assert peer.notes == [1, (2, ())]
    peer.outbox.append(FILLER, 3)
    peer.outbox.append(b"fourth\n", 4)
    peer.outbox.flush()
    assert peer.notes == [1, (2, ())]
    delivery.go()
    peer.read(len(b"first\nplain\nsecond\n" + FILLER + b"fourth\n"))
    delivery.settle()
    assert peer.notes == [1, (2, ()), 3, 4]


def test_no_note_comes_for_what_was_dropped(delivery: StillDelivery, peer: Peer) -> None:
    """On overflow the half-sent line's note still comes when it is whole; those of dropped lines do not."""
    peer.outbox.append(FILLER, "half")
    peer.outbox.flush()
    for number in range(5):
        peer.outbox.append(b"x" * 200_000 + b"\n", number)
    assert peer.outbox.closing
    delivery.go()
    assert peer.read_to_end() == FILLER + SLOW
    delivery.flushed()
    assert peer.notes == ["half"]


def test_no_note_comes_for_what_was_not_sent(delivery: StillDelivery, peer: Peer) -> None:
    """A connection that breaks leaves its unsent lines unnoted."""
    peer.outbox.append(FILLER, "half")
    peer.outbox.append(b"line\n", "unsent")
    peer.outbox.flush()
    peer.reset()
    peer.outbox.flush()
    delivery.go()
    delivery.flushed()
    assert peer.notes == []


# -- the end ----------------------------------------------------------------------------------------------------------
def test_finish_ends_the_sending_side_after_the_last_line(delivery: StillDelivery, peer: Peer) -> None:
    """What was appended before goes out, then the last line, then an end; the client may still speak."""
    peer.outbox.append(b"line\n")
    peer.outbox.finish(b"bye\n")
    peer.outbox.finish(b"bye again\n")
    peer.outbox.append(b"too late\n")
    delivery.go()
    assert peer.read_to_end() == b"line\nbye\n"
    peer.socket.sendall(b"ok\n")
    assert peer.stream.receive() == b"ok\n"


def test_finish_without_a_last_line_just_ends(delivery: StillDelivery, peer: Peer) -> None:
    """An outbox that never had a line ends its side all the same."""
    peer.outbox.finish()
    delivery.go()
    assert peer.read_to_end() == b""


@pytest.mark.parametrize("blocked", [False, True])
def test_who_lingers_is_cut_off(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, *, blocked: bool
) -> None:
    """A peer that neither ends its side nor takes its last lines wakes its receiving thread after a while."""
    monkeypatch.setattr(module, "LINGER", 0.05)
    if blocked:
        peer.block()
    peer.outbox.finish(b"bye\n")
    delivery.go()
    assert peer.stream.receive() == b""
    delivery.flushed()
    with pytest.raises(OSError, match="Broken pipe"):
        peer.stream.send(b"x")


def test_release_closes_the_descriptor(delivery: StillDelivery, peer: Peer) -> None:
    """Once the receiving thread is done and all is sent, the descriptor is given back, and nobody waits for it."""
    delivery.go()
    delivery.run(peer.outbox.append, b"line\n")
    delivery.run(lambda _: peer.outbox.release())
    delivery.flushed()
    assert peer.stream.fileno() == -1
    assert peer.read_to_end() == b"line\n"
    delivery.stop(3_600)


def test_release_keeps_the_descriptor_until_all_is_sent(delivery: StillDelivery, peer: Peer) -> None:
    """What a client has still to read is sent after the end of its receiving thread, too."""
    peer.block()
    peer.outbox.release()
    delivery.go()
    delivery.flushed()
    assert peer.stream.fileno() != -1
    assert peer.read_to_end() == FILLER
    delivery.flushed()
    assert peer.stream.fileno() == -1


def test_the_descriptor_stays_while_the_receiving_thread_uses_it(delivery: StillDelivery, peer: Peer) -> None:
    """A finished outbox leaves the stream open until it is released: its number must not become another's."""
    peer.outbox.finish(b"bye\n")
    delivery.go()
    assert peer.read_to_end() == b"bye\n"
    delivery.flushed()
    assert peer.stream.fileno() != -1
    delivery.run(lambda _: peer.outbox.release())
    assert peer.stream.fileno() == -1


@pytest.mark.parametrize("blocked", [False, True])
def test_a_peer_that_is_gone_is_given_up(delivery: StillDelivery, peer: Peer, *, blocked: bool) -> None:
    """After a reset nothing is kept, further lines are dropped, and a release closes at once."""
    if blocked:
        peer.block()
    peer.reset()
    delivery.go()
    delivery.run(peer.outbox.append, b"anyone?\n")
    delivery.flushed()
    delivery.flushed()  # a blocked one is found by the selector
    assert peer.outbox.closing
    assert peer.outbox._waiting == 0
    delivery.run(peer.outbox.append, b"still there?\n")
    delivery.run(lambda _: peer.outbox.release())
    assert peer.stream.fileno() == -1


# -- slowing a client down --------------------------------------------------------------------------------------------
def test_who_leaves_too_much_unread_is_waited_for(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection thread waits until the client has read enough of its replies, and then goes on."""
    reader = threading.Thread(target=peer.read, args=(len(FILLER),))
    peer.outbox._room = room = Noticed(lambda: reader.start() if reader.ident is None else None)
    monkeypatch.setattr(module, "OUTBOX_PAUSE_BYTES", 1_000)
    delivery.go()
    peer.outbox.reply(FILLER)
    peer.outbox.wait_for_room()
    assert room.waits
    assert peer.outbox._waiting <= 1_000
    reader.join()


def test_replies_that_the_delivery_has_not_taken_count(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still on its way to the delivery thread is unread as well; within the bound nobody waits."""
    peer.outbox._room = room = Noticed(delivery.go)
    monkeypatch.setattr(module, "OUTBOX_PAUSE_BYTES", 10)
    peer.outbox.reply(b"ten bytes\n")
    peer.outbox.wait_for_room()
    assert room.waits == 0
    peer.outbox.reply(b"\n")
    peer.outbox.wait_for_room()
    assert room.waits
    assert peer.read(11) == b"ten bytes\n\n"


@pytest.mark.parametrize("ending", ["stop_waiting", "finish", "give_up"])
def test_an_end_ends_the_wait_for_room(peer: Peer, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Nobody waits for a client whose connection ends, or in a service that stops, before it or during it."""
    monkeypatch.setattr(module, "OUTBOX_PAUSE_BYTES", 1_000)
    peer.outbox._room = room = Noticed(getattr(peer.outbox, ending))
    peer.block()
    peer.outbox.wait_for_room()
    assert room.waits == 1
    peer.outbox.wait_for_room()
    assert room.waits == 1


def test_the_writer_waits_while_too_much_is_queued(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who hands over more than the queue's bound goes on only when the delivery thread has caught up."""
    monkeypatch.setattr(module, "DELIVERY_QUEUE", 5)
    monkeypatch.setattr(module, "_ALIVE_CHECK", 3_600.0)  # it must be woken, not find out by itself
    ran: list[int] = []
    delivery._room = room = Noticed(delivery.go)
    delivery.hand_over([(ran.append, number) for number in range(5)])
    assert (room.waits, ran) == (0, [])
    delivery.hand_over([(ran.append, 5)])
    assert room.waits
    delivery.settle()
    assert ran == [*range(6)]


# -- state for everyone -----------------------------------------------------------------------------------------------
def test_announcements_within_the_pace_are_one_push(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a push the next one waits for the pace, however often the state changes; without a change there is none."""
    monkeypatch.setattr(module, "USERS_PACE", 3_600.0)
    pushes: list[str] = []
    delivery.push = lambda: pushes.append(threading.current_thread().name)
    delivery.go()
    delivery.flushed()
    assert pushes == []
    for _ in range(50):
        delivery.announce()
        delivery.flushed()
    assert pushes == ["chat-delivery"]


def test_the_last_change_is_always_pushed(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last announcement is followed by a push, also when it came just after another one, and pushes are paced."""
    monkeypatch.setattr(module, "USERS_PACE", 0.02)
    states, pushes, arrived = [0], list[float](), threading.Event()

    def push() -> None:
        pushes.append(time.monotonic())
        if states[-1] == 200:
            arrived.set()

    delivery.push = push
    delivery.go()
    for state in range(1, 201):
        states.append(state)
        delivery.announce()
        delivery.settle()
    assert arrived.wait(PATIENCE)
    delivery.settle()
    assert len(pushes) <= 2 + (pushes[-1] - pushes[0]) / 0.02


def test_a_push_that_raises_is_not_the_last(
    delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing push is logged; the next change is pushed all the same."""
    monkeypatch.setattr(module, "USERS_PACE", 0.0)
    tries = threading.Semaphore(0)

    def push() -> None:
        tries.release()
        raise RuntimeError("no list today")

    delivery.push = push
    delivery.go()
    for _ in range(2):
        delivery.announce()
        assert tries.acquire(timeout=PATIENCE)
    delivery.flushed()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["no list today"] * 2


# -- the thread -------------------------------------------------------------------------------------------------------
def test_an_action_that_raises_does_not_stop_the_thread(
    delivery: StillDelivery, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing action is logged, and the next ones run; who waits for it with `run` goes on."""

    def fail(_: object) -> None:
        raise RuntimeError("a bug")

    delivery.go()
    delivery.post(fail)
    delivery.run(fail)
    delivery.hand_over([(fail, None), (peer.outbox.append, b"line\n")])
    assert peer.read(5) == b"line\n"
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a bug"] * 3


def test_stop_ends_the_thread_when_the_last_outbox_is_closed(
    delivery: StillDelivery, connect: Callable[[], Peer]
) -> None:
    """With time to spare, each client gets its last lines, and the thread ends when the last stream is closed."""
    peers = [connect() for _ in range(3)]
    readers = [threading.Thread(target=peer.read_to_end) for peer in peers]
    delivery.go()
    for peer, reader in zip(peers, readers, strict=True):
        delivery.post(peer.outbox.append, FILLER)
        delivery.post(peer.outbox.finish, b"bye\n")
        delivery.post(Outbox.release, peer.outbox)
        reader.start()
    delivery.stop(PATIENCE)
    for reader in readers:
        reader.join()
    assert [peer.stream.fileno() for peer in peers] == [-1] * 3
    assert "chat-delivery" not in {thread.name for thread in threading.enumerate()}


def test_stop_ends_the_thread_when_its_time_is_over(delivery: StillDelivery, connect: Callable[[], Peer]) -> None:
    """Clients that do not go are cut off at the end of the time, and no descriptor stays open."""
    idle, deaf = connect(), connect()
    deaf.block()
    delivery.go()
    delivery.stop(0.05)
    assert (idle.stream.fileno(), deaf.stream.fileno()) == (-1, -1)
    assert idle.read_to_end() == b""
    assert "chat-delivery" not in {thread.name for thread in threading.enumerate()}


def test_run_after_the_end_returns(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes too late does not wait for a thread that is gone."""
    monkeypatch.setattr(module, "_ALIVE_CHECK", 0.01)
    delivery.go()
    delivery.stop(0)
    delivery.settle()
    delivery.announce()
