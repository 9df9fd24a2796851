"""A client over a WebSocket, as the same stream of bytes that plain TCP and TLS give: lines, in text messages.

The library reads the request and what comes; what is sent is framed here. It uses no asyncio, starts no threads, and
knows no HTTP beyond the one request.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from websockets.frames import BINARY, CONT, TEXT, CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from service.errors import PeerError
from service.net.frames import Cutter, Message, read_texts
from service.net.transport import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.net.frames import Framer
    from service.net.tls import Charge

FRAGMENTS: Final = 256  # frames of one message: proxies cut some, and each costs 10 us however short it is
PONGS: Final = 64  # that wait to be sent, the newest; RFC 6455, section 5.5.3: the last would do

_PIECE_BYTES: Final = 4_096  # parsed at once: at most 683 frames, which are charged before
_PONG_HEAD: Final = 0x8A
_CLOSE: Final = b"\x88\x02" + CloseCode.NORMAL_CLOSURE.to_bytes(2, "big")
_SWITCHING: Final = 101  # the status of a request that is granted

_quiet: Final = logging.getLogger("websockets.chat")  # the library tells of every connection
_quiet.propagate = False
_quiet.setLevel(logging.CRITICAL)
_quiet.addHandler(logging.NullHandler())


class UpgradeRefused(Exception):  # noqa: N818 (an answer, no fault)
    """A request that opens no WebSocket; `str()` is one line for the peer, `status` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class MessageLimits(NamedTuple):
    """The limits of one message."""

    size: int  # bytes; `expect` changes it
    fragments: int = FRAGMENTS


class WebSocketStream(Stream):
    """One client over a WebSocket, which lies on a plain or TLS stream.

    A peer's message is bytes with a LF at the end, whether it sent one or not. Each send is one message to it. The
    protocol and what comes belong to the receiving thread, what goes out to the sending thread; between them are the
    pongs, and the Close that answers the peer's.
    """

    _takes_binary = False

    def __init__(  # no super: the inner stream has the socket
        self,
        inner: Stream,
        protocol: ServerProtocol,
        *,
        framer: Framer,
        post: Callable[[Callable[[Any], None]], None],
        limits: MessageLimits,
    ) -> None:
        """`protocol` is open. `post` has a function run on the sending thread."""
        self.peer = inner.peer
        self._inner = inner
        # Of the receiving thread.
        self._protocol = protocol
        self._post = post
        self._fragments = limits.fragments
        self._rest = b""  # what came with the request
        self._unparsed: bytes | memoryview = b""  # received
        self._cutter = Cutter()
        self._message: Message | None = None  # that has begun
        self._fault: PeerError | None = None  # to be told
        self._is_over = False  # what comes from now on is dropped
        self._has_left = False  # the peer has sent its Close
        # Of both.
        self._pongs = deque[bytes](maxlen=PONGS)
        self._close = _CLOSE
        # Of the sending thread.
        self._framer = framer
        self._send_inner = inner.send
        self._unsent: bytes | memoryview = b""  # has begun, or comes before all else
        self._owed = 0  # bytes of payload in it, none of which counts as sent yet
        self._is_ending = False
        self.expect(limits.size)

    @classmethod
    def accept(
        cls,
        inner: Stream,
        head: bytes,
        rest: bytes = b"",
        *,
        framer: Framer,
        post: Callable[[Callable[[Any], None]], None],
        limits: MessageLimits,
    ) -> Self:
        """Returns the stream of a request, whose bytes are `head`; what came after it is `rest`.

        Sends nothing: the answer goes before the first message. Raises UpgradeRefused.
        """
        handshake = ServerProtocol(logger=_quiet)
        handshake.receive_data(head)
        request = next(iter(handshake.events_received()), None)
        if not isinstance(request, Request):
            raise UpgradeRefused(400, f"this is no request for a WebSocket: {handshake.handshake_exc}")
        response = handshake.accept(request)
        if response.status_code != _SWITCHING:
            raise UpgradeRefused(response.status_code, f"this opens no WebSocket: {handshake.handshake_exc}")
        # Another one for what follows, as that one keeps the request.
        protocol = ServerProtocol(state=State.OPEN, logger=_quiet)
        stream = cls(inner, protocol, framer=framer, post=post, limits=limits)
        stream._rest = rest
        stream._unsent = response.serialize()
        return stream

    def handshake(self) -> None:
        """Nothing is left to do: the request was granted."""

    def expect(self, limit: int) -> None:
        """From now on a message may have so many bytes. For the receiving thread."""
        self._limit = self._protocol.max_message_size = limit

    # -- receiving ----------------------------------------------------------------------------------------------------
    def receive(self, charge: Charge | None = None) -> bytes:
        """Waits for messages and returns them; empty at the end, or after the peer's Close. For the receiving thread.

        `charge` is called with bytes and TLS records as by the inner stream, and with the frames, before they are
        looked at. Raises PeerError once when the peer breaks a rule; what follows is dropped.
        """
        while True:
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            if self._has_left:
                return b""
            data = self._unparsed or self._receive_some(charge)
            if not data:
                return b""
            self._unparsed = memoryview(data)[_PIECE_BYTES:] if len(data) > _PIECE_BYTES else b""
            if self._is_over:
                self._unparsed = b""
            elif received := self._parse(bytes(data[:_PIECE_BYTES]), charge):
                return received

    def _receive_some(self, charge: Charge | None) -> bytes:
        rest, self._rest = self._rest, b""
        if not rest:
            return self._inner.receive(charge)
        if charge is not None:
            charge(len(rest), 0)
        return rest

    def _parse(self, piece: bytes, charge: Charge | None) -> bytes:
        """Returns the messages that end in this piece, one after the other."""
        cutter, protocol = self._cutter, self._protocol
        is_between = self._message is None and not cutter.is_within_frame
        texts, end = read_texts(piece, self._limit) if is_between else ([], 0)
        parts = cutter.cut(piece[end:]) if end < len(piece) else []
        if charge is not None and len(texts) + len(parts) > 1:
            charge(0, len(texts) + len(parts) - 1)  # the first was charged as what was received
        lines = [self._complete(text, is_text=True) for text in texts]
        for part in parts:
            protocol.receive_data(part)
            for frame in protocol.events_received():
                if isinstance(frame, Frame) and frame.opcode in {TEXT, BINARY, CONT}:
                    lines.append(self._take(frame))  # noqa: PERF401 (reads worse as a comprehension)
            if answers := protocol.data_to_send():
                self._answer(answers)
            if self._is_over:
                break
        if self._pongs:
            self._post(self._send_pongs)
        return b"".join(lines)

    def _take(self, frame: Frame) -> bytes:
        """Returns the message that ends with this frame, if it does."""
        message = self._message
        if message is None:
            if frame.opcode is BINARY and not self._takes_binary:
                self._fail(CloseCode.UNSUPPORTED_DATA, "send text, not binary data")
                return b""
            message = self._message = Message(is_text=frame.opcode is TEXT)
        elif len(message.parts) == self._fragments:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"a message comes in at most {self._fragments} frames")
            return b""
        try:
            message.add(bytes(frame.data), is_last=frame.fin)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "a text message must be UTF-8")
            return b""
        if not frame.fin:
            return b""
        self._message = None
        return self._complete(b"".join(message.parts), is_text=message.is_text)

    def _complete(self, data: bytes, *, is_text: bool) -> bytes:  # noqa: ARG002 (others take binary data)
        """Returns a message as lines."""
        return data if data.endswith(b"\n") else data + b"\n"

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._is_over = True
        self._protocol.fail(code, reason)

    def _answer(self, answers: list[bytes]) -> None:
        """Has sent what the protocol answers: pongs, and at last a Close."""
        for answer in answers:
            if not answer:  # the end
                self._end()
            elif answer[0] == _PONG_HEAD:
                self._pongs.append(answer)
            else:
                self._close = answer

    def _end(self) -> None:
        """Takes note of the peer's Close, or of the rule that it broke."""
        self._is_over = True
        self._message = None
        protocol = self._protocol
        close, cause = protocol.close_sent, protocol.parser_exc
        assert close is not None  # noqa: S101 (the protocol has just sent it)
        if close.code == CloseCode.INTERNAL_ERROR and cause is not None:
            raise cause  # a bug of the library's
        if protocol.close_rcvd_then_sent:
            self._has_left = True
        elif close.code == CloseCode.MESSAGE_TOO_BIG:
            limit = protocol.max_message_size
            words = f"a message has at most {limit} bytes here, in at most {self._fragments} frames"
            self._fault = PeerError("line_too_long", words, fatal=True)
        else:
            self._fault = PeerError("bad_request", f"WebSocket: {close.reason}", fatal=True)

    # -- sending ------------------------------------------------------------------------------------------------------
    def send_at_once(self) -> None:
        self._inner.send_at_once()

    def send(self, data: bytes | memoryview) -> int:
        """Sends one message without waiting; returns its size once the kernel has all of it. For the sending thread.

        Until then it returns 0, and `sealed` says whether the message has begun: its reader gets all of it or nothing.
        """
        if self._owed:
            if not self._flush():
                return 0
            taken, self._owed = self._owed, 0
            self._send_pongs()
            return taken
        frame = self._framer.frame(data)
        sealed = 0
        if self._unsent or self._pongs:
            frame = self._take_control() + frame  # in one go: Nagle's algorithm would hold back the second
            sealed = len(data)
        sent = self._send_inner(frame)
        if sent == len(frame):
            return len(data)
        if sealed or sent or self._inner.sealed:
            self._unsent, self._owed = memoryview(frame)[sent:], len(data)
        return 0

    @property
    def sealed(self) -> int:
        return self._owed

    def _take_control(self) -> bytes:
        """Returns what comes before the next message."""
        pongs = [self._pongs.popleft() for _ in range(len(self._pongs))]
        control, self._unsent = b"".join((self._unsent, *pongs)), b""
        return control

    def _send_pongs(self, _: Any = None) -> None:
        """Sends them between two messages; what does not fit goes before the next."""
        if self._owed or self._is_ending:
            return
        with suppress(OSError):  # gone; the next send finds out
            if self._flush():  # else they stay where only the newest do
                self._unsent = self._take_control()
                self._flush()

    def _flush(self) -> bool:
        """Sends what has begun; returns whether the kernel has all of it."""
        if self._unsent:
            sent = self._send_inner(self._unsent)
            self._unsent = memoryview(self._unsent)[sent:] if sent < len(self._unsent) else b""
        return not self._unsent

    def end_sending(self) -> bool:
        """Sends the Close, after all that was sent, and ends the inner stream. For the sending thread.

        Returns False if the kernel is full: then it is to be called again.
        """
        if not self._is_ending:
            self._is_ending = True
            self._unsent = self._take_control() + self._close
        with suppress(OSError):  # gone already
            if not self._flush():
                return False
        return self._inner.end_sending()

    # -- the inner stream's -------------------------------------------------------------------------------------------
    @property
    def way(self) -> str:
        """How the bytes travel: ``WebSocket`` or ``WebSocket in TLS``. For any thread."""
        return "WebSocket in TLS" if self._inner.way == "TLS" else "WebSocket"

    def fileno(self) -> int:
        return self._inner.fileno()

    def cut(self) -> None:
        self._inner.cut()

    def close(self) -> None:
        self._inner.close()
