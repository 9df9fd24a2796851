"""WebSocket streams: what comes, as a table of frames; what goes out, at every byte of a send; the outbox on them."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.protocol import Protocol

from service.delivery.run import Note
from service.delivery.send_buffer import SEND_BYTES, SendBuffer
from service.errors import PeerError
from service.net.frames import Framer
from service.net.transport import Stream
from service.net.websocket import FRAGMENTS, PONGS, MessageLimits, UpgradeRefused, WebSocketStream
from tests.support.delivery import FILLER, SLOW, Peer, StillDelivery, with_limits
from tests.support.frames import (
    ACCEPTED,
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    REQUEST,
    TEXT,
    closing,
    frames_of,
    masked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.net.tls import Charge

LIMIT: Final = 2_000  # bytes of a message here
ALL: Final = 1 << 30  # room for whatever is sent
EURO: Final = "€".encode()


class Kernel(Stream):
    """Stands in for the inner stream: gives what the test lets come, and takes as much as it has room for."""

    def __init__(self, *incoming: bytes, way: str = "plain") -> None:  # no super: there is no socket
        self.peer = "192.0.2.1:4711"
        self.incoming = list(incoming)
        self.sends: list[bytes] = []
        self.room = ALL
        self.encrypted = 0
        self.ended: list[str] = []
        self._way = way

    @property
    def sent(self) -> bytes:
        return b"".join(self.sends)

    def receive(self, charge: Charge | None = None) -> bytes:
        data = self.incoming.pop(0) if self.incoming else b""
        if data and charge is not None:
            charge(len(data), 0)
        return data

    def send(self, data: bytes | memoryview) -> int:
        taken = bytes(data[: self.room])
        self.sends.append(taken)
        self.room -= len(taken)
        return len(taken)

    @property
    def sealed(self) -> int:
        return self.encrypted

    @property
    def way(self) -> str:
        return self._way

    def end_sending(self) -> bool:
        self.ended.append("sending")
        return True

    def fileno(self) -> int:
        return 4711

    def cut(self) -> None:
        self.ended.append("cut")

    def close(self) -> None:
        self.ended.append("closed")

    def send_at_once(self) -> None:
        self.ended.append("Nagle")


def at_once(function: Callable[[Any], None]) -> None:
    """The sending thread, where the test is all threads."""
    function(None)


def open_over(
    inner: Stream, *, request: bytes = REQUEST, rest: bytes = b"", answered: bool = True, **more: Any
) -> WebSocketStream:
    """Returns the stream of a client whose request was granted, and, unless told otherwise, answered."""
    given: dict[str, Any] = {"framer": Framer(), "post": at_once, "limits": MessageLimits(LIMIT)} | more
    stream = WebSocketStream.accept(inner, request, rest, **given)
    if answered:
        stream._send_pongs()
        if isinstance(inner, Kernel):
            inner.sends.clear()
    return stream


def receive_all(stream: WebSocketStream, charge: Charge | None = None) -> tuple[bytes, str | None]:
    """Returns what was received up to the end, and the code of the fault."""
    received, fault = b"", None
    while True:
        try:
            data = stream.receive(charge)
        except PeerError as error:
            fault = (fault or "") + error.code if error.fatal else "not fatal"
        else:
            if not data:
                return received, fault
            received += data


# -- the request ------------------------------------------------------------------------------------------------------
def test_the_answer_goes_before_the_first_message_and_with_it() -> None:
    """A granted request is answered by the first send, so that until then it can be refused; Nagle holds up nothing."""
    inner = Kernel()
    stream = open_over(inner, answered=False)
    assert inner.sends == []
    assert stream.send(b"hello\n") == 6
    (sent,) = inner.sends
    head, _, rest = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert ACCEPTED in head
    assert b"Extensions" not in head
    assert frames_of(rest) == [(TEXT, b"hello\n")]


@pytest.mark.parametrize("room", [0, 1, 100])
def test_an_answer_that_does_not_fit_goes_on_later(room: int) -> None:
    """A kernel that is full from the start delays the answer and the first message, and tears neither."""
    inner = Kernel()
    stream = open_over(inner, answered=False)
    inner.room = room
    assert stream.send(b"hello\n") == 0
    inner.room = ALL
    assert stream.send(memoryview(b"hello\n")) == 6
    assert frames_of(inner.sent.partition(b"\r\n\r\n")[2]) == [(TEXT, b"hello\n")]


def test_what_comes_with_the_request_is_received_first_and_charged() -> None:
    """A client that does not wait for the answer loses nothing and gets nothing for free."""
    inner, charged = Kernel(masked(TEXT, b"two")), list[tuple[int, int]]()
    stream = open_over(inner, rest=masked(TEXT, b"one"))
    assert receive_all(stream, lambda *cost: charged.append(cost)) == (b"one\ntwo\n", None)
    assert charged == [(9, 0), (9, 0)]


def test_what_a_request_said_is_not_kept() -> None:
    """Its fields may be long, and the connection may last for weeks."""
    inners = [Kernel() for _ in range(20)]
    long = REQUEST.replace(b"Host:", b"X: " + b"x" * 8_000 + b"\r\nHost:")
    tracemalloc.start()
    streams = [open_over(inner, request=long) for inner in inners]
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 8_000 * len(streams)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"GET", b"POST", 405),
        (b"HTTP/1.1", b"HTTP/1.0", 505),
        (b"HTTP/1.1", b"HTTP/2", 400),
        (b"Upgrade: websocket", b"Upgrade: h2c", 426),
        (b"Connection: Upgrade", b"Connection: close", 426),
        (b"-Version: 13", b"-Version: 8", 400),
        (b"-Key: dGhlIHNhbXBsZSBub25jZQ==", b"-Key: short", 400),
        (b"Host:", b"Content-Length: 4\r\nHost:", 400),
        (b"Host: localhost", b"Host: " + b"x" * 9_000, 400),
        (b"/chat", b"/" + b"x" * 9_000, 400),
        (b"Host: localhost\r\n", b"X: y\r\n" * 200, 400),
        (b"\r\n\r\n", b"\r\n", 400),
    ],
)
def test_other_requests_are_refused_with_a_status(old: bytes, new: bytes, status: int) -> None:
    """Nothing is sent; who asked gets the status and a line from whoever reads requests."""
    inner = Kernel()
    with pytest.raises(UpgradeRefused, match="WebSocket: ") as refused:
        WebSocketStream.accept(
            inner, REQUEST.replace(old, new), framer=Framer(), post=at_once, limits=MessageLimits(LIMIT)
        )
    assert refused.value.status == status
    assert "\n" not in str(refused.value)
    assert inner.sends == []


# -- what comes -------------------------------------------------------------------------------------------------------
RECEIVED: Final = {
    "a text": (masked(TEXT, b"hi"), b"hi\n"),
    "a text with its LF": (masked(TEXT, b"hi\n"), b"hi\n"),
    "several lines": (masked(TEXT, b"one\r\ntwo"), b"one\r\ntwo\n"),
    "an empty text": (masked(TEXT), b"\n"),
    "several messages": (masked(TEXT, b"one") + masked(TEXT, b"two"), b"one\ntwo\n"),
    "fragments": (masked(TEXT, b"o", fin=False) + masked(CONT, b"n", fin=False) + masked(CONT, b"e"), b"one\n"),
    "empty fragments": (masked(TEXT, fin=False) + masked(CONT, fin=False) + masked(CONT, b"x"), b"x\n"),
    "a ping between fragments": (masked(TEXT, b"o", fin=False) + masked(PING) + masked(CONT, b"ne"), b"one\n"),
    "a pong that nobody asked for": (masked(PONG, b"x") + masked(TEXT, b"hi"), b"hi\n"),
    "half a character at a border": (masked(TEXT, EURO[:1], fin=False) + masked(CONT, EURO[1:]), EURO + b"\n"),
    "as many bytes as may be": (masked(TEXT, b"x" * LIMIT), b"x" * LIMIT + b"\n"),
    "as many in fragments": (masked(TEXT, b"x", fin=False) + masked(CONT, b"x" * (LIMIT - 1)), b"x" * LIMIT + b"\n"),
    "as many fragments as may be": (
        masked(TEXT, b"x", fin=False) + masked(CONT, fin=False) * (FRAGMENTS - 2) + masked(CONT),
        b"x\n",
    ),
}
REFUSED: Final = {
    "binary data": (masked(BINARY, b"x"), 1003, "bad_request"),
    "a fragment of binary data": (masked(BINARY, b"x", fin=False), 1003, "bad_request"),
    "half a character at the end": (masked(TEXT, EURO[:2]), 1007, "bad_request"),
    "half a character at the last fragment's end": (
        masked(TEXT, EURO[:1], fin=False) + masked(CONT, EURO[1:2]),
        1007,
        "bad_request",
    ),
    "no UTF-8 in a fragment": (masked(TEXT, b"\xff", fin=False), 1007, "bad_request"),
    "a surrogate": (masked(TEXT, b"\xed\xa0\x80"), 1007, "bad_request"),
    "a byte too many": (masked(TEXT, b"x" * (LIMIT + 1)), 1009, "line_too_long"),
    "a byte too many in fragments": (masked(TEXT, b"x", fin=False) + masked(CONT, b"x" * LIMIT), 1009, "line_too_long"),
    "a length beyond all bounds": (b"\x81\xff" + b"\x7f" + b"\xff" * 7, 1009, "line_too_long"),
    "a fragment too many": (
        masked(TEXT, b"x", fin=False) + masked(CONT, fin=False) * FRAGMENTS,
        1009,
        "line_too_long",
    ),
    "no mask": (b"\x81\x02hi", 1002, "bad_request"),
    "a reserved bit": (masked(TEXT, b"x", rsv=4), 1002, "bad_request"),
    "an unknown opcode": (masked(3, b"x"), 1002, "bad_request"),
    "a continuation of nothing": (masked(CONT, b"x"), 1002, "bad_request"),
    "a text within fragments": (masked(TEXT, b"x", fin=False) + masked(TEXT, b"x"), 1002, "bad_request"),
    "a long ping": (masked(PING, b"x" * 126), 1002, "bad_request"),
    "a fragmented ping": (masked(PING, b"x", fin=False), 1002, "bad_request"),
    "a Close with half a code": (masked(CLOSE, b"\x03"), 1002, "bad_request"),
    "a Close with a code that must not be sent": (masked(CLOSE, closing(1005)), 1002, "bad_request"),
    "a Close whose reason is not UTF-8": (masked(CLOSE, closing(1000, b"\xff")), 1007, "bad_request"),
}
WAYS: Final[dict[str, Callable[[bytes], list[bytes]]]] = {
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[place : place + 1] for place in range(len(data))],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", RECEIVED)
def test_messages_become_lines(case: str, way: str) -> None:
    """However its frames are cut, a message is whole bytes with a LF at the end; another one may follow it."""
    sent, expected = RECEIVED[case]
    for trailing, more in ((b"", b""), (masked(TEXT, b"more"), b"more\n")):
        stream = open_over(Kernel(*WAYS[way](sent + trailing)))
        assert receive_all(stream) == (expected + more, None)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", REFUSED)
def test_who_breaks_a_rule_is_told_and_closed(case: str, way: str) -> None:
    """What came before it is received; then comes the fault, once, and nothing that follows; the Close has the code."""
    sent, status, code = REFUSED[case]
    for trailing in (b"", masked(TEXT, b"more") * 3, masked(CLOSE, closing(1000))):
        inner = Kernel(masked(TEXT, b"first"), *WAYS[way](sent + trailing))
        stream = open_over(inner)
        assert receive_all(stream) == (b"first\n", code)
        assert stream.send(b"error\n") == 6
        assert stream.end_sending()
        said, close = frames_of(inner.sent)
        assert said == (TEXT, b"error\n")
        assert close[0] == CLOSE
        assert close[1][:2] == closing(status)
        assert inner.ended == ["sending"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("payload", [b"", closing(1000), closing(1001, b"going away"), closing(4711)])
def test_a_close_is_the_end_and_is_echoed(payload: bytes, way: str) -> None:
    """What came before it is received, nothing after it; what waits is still sent before the Close goes back."""
    inner = Kernel(*WAYS[way](masked(TEXT, b"last") + masked(CLOSE, payload) + masked(TEXT, b"too late")))
    stream = open_over(inner)
    assert receive_all(stream) == (b"last\n", None)
    assert stream.send(b"ack\n") == 4
    stream.end_sending()
    assert frames_of(inner.sent) == [(TEXT, b"ack\n"), (CLOSE, payload)]


def test_fragments_of_binary_data_that_follow_are_not_looked_at() -> None:
    """A rule that was broken is told, not one that is broken after it in the same piece."""
    stream = open_over(Kernel(masked(BINARY, b"x", fin=False) + masked(CONT, b"x") + masked(TEXT, b"\xff")))
    with pytest.raises(PeerError, match="send text"):
        stream.receive()


def test_an_end_without_a_close_is_an_end() -> None:
    """A connection that is lost in the middle of a message ends, without the message."""
    inner = Kernel(masked(TEXT, b"one"), masked(TEXT, b"two", fin=False), masked(CONT, b"three")[:-1])
    assert receive_all(open_over(inner)) == (b"one\n", None)


def test_the_limit_follows_the_login() -> None:
    """Before the login a message may be shorter than after it."""
    inner = Kernel(masked(TEXT, b"x" * LIMIT), masked(TEXT, b"x" * (LIMIT + 1)), masked(TEXT, b"x" * (LIMIT + 2)))
    stream = open_over(inner)
    assert len(stream.receive()) == LIMIT + 1
    stream.expect(LIMIT + 1)
    assert len(stream.receive()) == LIMIT + 2
    with pytest.raises(PeerError, match=f"at most {LIMIT + 1} bytes"):
        stream.receive()


def test_a_flood_of_frames_is_charged_piece_by_piece_before_it_is_received() -> None:
    """Frames cost, even empty ones, and no more than a few hundred are looked at on credit."""
    charged: list[tuple[int, int]] = []
    flood = masked(PONG) * 1_024 + masked(TEXT, b"done")  # a frame of 6 bytes each
    stream = open_over(Kernel(flood))
    assert stream.receive(lambda *cost: charged.append(cost)) == b"done\n"
    assert charged[0] == (len(flood), 0)
    pieces = [frames for _, frames in charged[1:]]
    assert len(pieces) == len(flood) // 4_096 + 1
    assert pieces == [682, 342]  # a piece ends within a frame


def test_a_bug_in_the_library_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not expect itself is no fault of the client's: it goes on as the error that it is."""

    def fail(*_: object) -> None:
        raise LookupError("a bug")

    stream = open_over(Kernel(masked(PING)))
    monkeypatch.setattr(Protocol, "recv_frame", fail)
    with pytest.raises(LookupError, match="a bug"):
        stream.receive()


def test_the_library_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its lines tell of each connection and of what it said; the service has its own."""
    caplog.set_level(logging.DEBUG)
    stream = open_over(Kernel(masked(TEXT, b"secret") + masked(3)))
    receive_all(stream)
    assert caplog.records == []


FRAMES: Final = st.builds(
    masked,
    st.sampled_from([TEXT, TEXT, CONT, PING, BINARY, CLOSE]),
    st.sampled_from([b"", b"hi", EURO, EURO[:1], EURO[1:], b"x" * 125, b"x" * 126, b"x" * LIMIT, b"x" * (LIMIT + 1)]),
    fin=st.sampled_from([True, True, False]),
)


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(1, 300), max_size=9))
def test_it_is_the_same_however_the_bytes_come(frames: list[bytes], steps: list[int]) -> None:
    """Whole texts are read by a shorter way, which must tell nothing else than the library's."""
    rest = b"".join(frames)
    whole = Kernel(*filter(None, [rest]))
    parts = []
    for step in [*steps, len(rest)]:
        parts.append(rest[:step])
        rest = rest[step:]
    slow, single = Kernel(*filter(None, parts)), Kernel(*WAYS["byte by byte"](b"".join(frames)))
    results = []
    for inner in (whole, slow, single):
        stream = open_over(inner)
        results.append((receive_all(stream), stream.end_sending(), inner.sent))
    assert results[0] == results[1] == results[2]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_bytes_break_it(pieces: list[bytes]) -> None:
    """Whatever comes, it is messages, one fault, or the end."""
    received, fault = receive_all(open_over(Kernel(*filter(None, pieces))))
    assert received == b"" or received.endswith(b"\n")
    assert fault in {None, "bad_request", "line_too_long"}


# -- pongs ------------------------------------------------------------------------------------------------------------
def test_pings_are_answered_in_order() -> None:
    """Each ping gets its own bytes back, also in the middle of a message."""
    inner = Kernel(masked(PING, b"1"), masked(TEXT, b"o", fin=False) + masked(PING, b"2") + masked(PING, b"3"))
    receive_all(open_over(inner))
    assert frames_of(inner.sent) == [(PONG, b"1"), (PONG, b"2"), (PONG, b"3")]


def test_of_a_flood_of_pings_the_newest_are_answered() -> None:
    """A client that sends pings and reads nothing costs a bounded number of pongs."""
    inner = Kernel(*[masked(PING, b"%03d" % number) for number in range(PONGS + 5)])
    stream = open_over(inner, post=lambda _: None)  # as while the sending thread has other work
    receive_all(stream)
    stream.send(b"hi\n")
    assert frames_of(inner.sent) == [*((PONG, b"%03d" % number) for number in range(5, PONGS + 5)), (TEXT, b"hi\n")]


def test_pongs_that_the_kernel_does_not_take_are_no_more() -> None:
    """Who sends pings and reads nothing has the newest of them waiting, and what had begun before."""
    inner = Kernel(*[masked(PING, b"%03d" % number) for number in range(3 * PONGS)])
    stream = open_over(inner)
    inner.room = 3
    receive_all(stream)
    assert len(stream._unsent) + sum(map(len, stream._pongs)) <= (PONGS + 1) * 5  # bytes of each
    inner.room = ALL
    stream.send(b"hi\n")
    frames = frames_of(inner.sent)
    assert frames[0] == (PONG, b"000")
    assert frames[-2:] == [(PONG, b"%03d" % (3 * PONGS - 1)), (TEXT, b"hi\n")]


@pytest.mark.parametrize("room", range(9))
def test_a_pong_goes_between_messages_never_into_one(room: int) -> None:
    """A ping that comes while a message is half sent is answered after it, wherever that half ends."""
    inner = Kernel(masked(PING, b"?"))
    stream = open_over(inner)
    inner.room = room
    taken = stream.send(b"hello\n")
    stream.receive()
    inner.room = ALL
    if not taken:
        stream.send(b"hello\n")
    stream._send_pongs()
    frames = frames_of(inner.sent)
    assert sorted(frames) == [(TEXT, b"hello\n"), (PONG, b"?")]
    assert frames[-1] == (PONG, b"?") or not room


@pytest.mark.parametrize("room", range(4))
def test_a_pong_that_does_not_fit_goes_before_the_next_message(room: int) -> None:
    """A half-sent pong is finished first."""
    inner = Kernel(masked(PING, b"?"))
    stream = open_over(inner)
    inner.room = room
    stream.receive()
    inner.room = ALL
    stream.send(b"hello\n")
    assert frames_of(inner.sent) == [(PONG, b"?"), (TEXT, b"hello\n")]


def test_a_pong_for_a_client_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sending thread finds out at its next send; until then nothing fails."""

    def fail(_: object) -> int:
        raise BrokenPipeError

    inner = Kernel(masked(PING))
    stream = open_over(inner)
    monkeypatch.setattr(stream, "_send_inner", fail)
    assert stream.receive() == b""
    with pytest.raises(BrokenPipeError):
        stream.send(b"x\n")


# -- what goes out ----------------------------------------------------------------------------------------------------
def test_what_goes_to_many_is_framed_once() -> None:
    """Clients that are sent the same bytes object get the same frame."""
    framer, inners = Framer(), [Kernel(), Kernel()]
    streams = [open_over(inner, framer=framer) for inner in inners]
    line = b"line\n"
    frames = []
    for data in (line, b"line 2\n", line):
        frames.append(framer.frame(data))
        for stream in streams:
            stream.send(data)
        assert framer.frame(data) is frames[-1]
    assert inners[0].sends == inners[1].sends == frames


@pytest.mark.parametrize("encrypted", [0, 1], ids=["plain", "TLS"])
@pytest.mark.parametrize("room", range(15))
def test_a_message_counts_as_sent_when_its_frame_is(room: int, encrypted: int) -> None:
    """Until the kernel has the last byte, no byte counts, and all are sealed once the frame has begun."""
    inner, data = Kernel(), b"one\ntwo\nthree\n"  # 14 bytes behind 2 of the head
    stream = open_over(inner)
    inner.room, inner.encrypted = room, encrypted
    assert stream.send(data) == 0
    assert stream.sealed == (14 if room or encrypted else 0)
    inner.encrypted = 0
    for _ in range(room, 16):
        inner.room = 1
        taken = stream.send(data)
    assert taken == 14
    assert stream.sealed == 0
    assert frames_of(inner.sent) == [(TEXT, data)]


@pytest.mark.parametrize("room", range(1, 17))
def test_notes_tell_of_whole_frames_only(room: int) -> None:
    """A line that the kernel has is not shown before the rest of its message: its note waits for that, too."""
    inner, buffer, notes = Kernel(), SendBuffer(), list[Note]()
    stream = open_over(inner)
    buffer.add(b"one\n", Note(1))
    buffer.add(b"two\nthree\n", Note(3))
    inner.room = room
    buffer.send(stream.send)
    buffer.tell_written(notes.append)
    assert notes == ([Note(1), Note(3)] if room == 16 else [])
    buffer.cut(stream.sealed)
    buffer.add(b"last\n")
    inner.room = ALL
    buffer.send(stream.send)
    buffer.tell_written(notes.append)
    assert notes == [Note(1), Note(3)]
    assert frames_of(inner.sent) == [(TEXT, b"one\ntwo\nthree\n"), (TEXT, b"last\n")]


@pytest.mark.parametrize("room", range(4))
def test_the_close_waits_for_space(room: int) -> None:
    """A kernel that is full gets the Close later, whole, and the inner stream ends after it."""
    inner = Kernel()
    stream = open_over(inner)
    inner.room = room
    assert not stream.end_sending()
    assert inner.ended == []
    inner.room = ALL
    assert stream.end_sending()
    assert inner.ended == ["sending"]
    assert frames_of(inner.sent) == [(CLOSE, closing(1000))]


def test_after_the_close_nothing_is_sent() -> None:
    """A ping that comes after it is not answered."""
    inner = Kernel(masked(PING), masked(CLOSE, closing(1000)))
    stream = open_over(inner)
    stream.end_sending()
    assert receive_all(stream) == (b"", None)
    assert frames_of(inner.sent) == [(CLOSE, closing(1000))]


def test_the_rest_is_the_inner_streams() -> None:
    """Its descriptor, its peer, its ends; only the way has another name."""
    inner = Kernel()
    stream = open_over(inner)
    stream.handshake()
    stream.send_at_once()
    stream.cut()
    stream.close()
    assert inner.ended == ["Nagle", "cut", "closed"]
    assert (stream.fileno(), stream.peer) == (4711, "192.0.2.1:4711")
    assert [open_over(Kernel(way=way)).way for way in ("plain", "TLS")] == ["WebSocket", "WebSocket in TLS"]


# -- the outbox on it -------------------------------------------------------------------------------------------------
class Narrow:
    """Stands before the sends of a stream, and takes so many bytes in all."""

    def __init__(self, send: Callable[[bytes | memoryview], int], room: int) -> None:
        self._send = send
        self._room = room

    def __call__(self, data: bytes | memoryview) -> int:
        sent = self._send(data[: self._room]) if self._room else 0
        self._room -= sent
        return sent


@pytest.fixture
def client(delivery: StillDelivery) -> Peer:
    """A client of the delivery over a WebSocket, which was answered."""
    peer = delivery.connect(lambda *ends: open_over(Stream(*ends), post=delivery.post))
    while b"\r\n\r\n" not in (answer := peer.socket.recv(1_000, socket.MSG_PEEK)):
        pass
    assert len(peer.read(len(answer))) == len(answer)
    return peer


@with_limits(outbox_bytes=20)
@pytest.mark.parametrize("room", range(21))
def test_an_overflow_at_any_byte_leaves_whole_frames(
    delivery: StillDelivery, client: Peer, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """A frame that has begun is finished, then comes the last word, then the Close; the notes are of whole frames."""
    lines = [b"first\n", b"second\n", b"third\n"]  # 19 bytes
    with monkeypatch.context() as torn:
        torn.setattr(client.stream, "_send_inner", Narrow(client.stream._send_inner, room))  # type: ignore[attr-defined]
        for number, line in enumerate(lines, start=1):
            client.append(line, Note(number, (number,)))
        client.outbox.flush()
        client.append(b"x" * 20 + b"\n", Note(9, (9,)))
    delivery.go()
    begun = [(TEXT, b"".join(lines))] if room else []
    assert frames_of(client.read_to_end()) == [*begun, (TEXT, SLOW), (CLOSE, closing(1000))]
    delivery.settle()
    assert client.told == (Note(3, (1, 2, 3)) if room else Note(0, ()))


@pytest.mark.parametrize("room", range(4))
def test_a_close_that_does_not_fit_is_sent_when_the_client_reads(
    delivery: StillDelivery, client: Peer, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """The last frame may fill the kernel to the last byte: the Close follows when there is space again."""
    with monkeypatch.context() as torn:
        narrow = Narrow(client.stream._send_inner, 7 + room)  # type: ignore[attr-defined]
        torn.setattr(client.stream, "_send_inner", narrow)
        client.finish(b"last\n")
        client.outbox.flush()
    delivery.go()
    assert frames_of(client.read_to_end()) == [(TEXT, b"last\n"), (CLOSE, closing(1000))]


def test_who_reads_slowly_gets_whole_frames_in_order(delivery: StillDelivery, client: Peer) -> None:
    """Lines that wait are one message; pings that come meanwhile are answered between messages."""
    client.block()
    for number in range(3):
        client.append(b"line %d\n" % number)
    client.socket.sendall(masked(PING, b"?") + masked(CLOSE))
    assert client.stream.receive() == b""
    client.finish()
    delivery.go()
    *frames, close = frames_of(client.read_to_end())
    assert close == (CLOSE, b"")
    assert [frame for frame in frames if frame[0] == TEXT] == [(TEXT, FILLER), (TEXT, b"line 0\nline 1\nline 2\n")]
    assert (PONG, b"?") in frames


def test_who_stops_reading_is_told_so_in_a_last_frame(delivery: StillDelivery, client: Peer) -> None:
    """On overflow what has not begun is dropped, and `bye slow` is the last message."""
    client.block()
    for _ in range(3):
        client.append(b"x" * 300_000 + b"\n")
    assert client.outbox.closing
    delivery.go()
    assert frames_of(client.read_to_end()) == [(TEXT, FILLER), (TEXT, SLOW), (CLOSE, closing(1000))]


@with_limits(outbox_bytes=100, send_bytes=50)
def test_a_line_longer_than_all_bounds_is_one_message(delivery: StillDelivery, client: Peer) -> None:
    """As over the other streams, a client that has nothing unread is sent it."""
    long = b"x" * (SEND_BYTES + 70_000) + b"\n"
    delivery.go()
    client.reply(long)
    delivery.flushed()
    assert frames_of(client.read(10 + len(long))) == [(TEXT, long)]


def test_pongs_are_the_sending_threads(delivery: StillDelivery, client: Peer) -> None:
    """The thread that receives sends nothing itself."""
    client.socket.sendall(masked(PING, b"?"))
    receiver = threading.Thread(target=client.stream.receive)
    receiver.start()
    delivery.go()
    assert frames_of(client.read(3)) == [(PONG, b"?")]
    client.socket.shutdown(socket.SHUT_WR)
    receiver.join()
