"""One TCP connection to the service: connect, send commands, hand on events, end. The wire's text is never shown raw.

Any thread may send. One listener thread reads. It calls `on_event` for each event in the order of the wire, with the
command that the event answers, and in the end `on_end`, once. Nothing here reconnects or knows what an event means.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from client.net.features import Wishes, refusal, with_wishes
from client.net.probe import answers_in_tls
from client.net.trust import DowngradeError, Plain, Security, UntrustedError
from client.text import one_line
from service.errors import CommandError
from service.net.keepalive import keep_alive
from service.net.tls import RECEIVE_BYTES, NotTlsError, TlsChannel
from service.wire.framing import LineDecoder, Oversize
from service.wire.json_lines import decode_event, encode
from service.wire.limits import PROTOCOL_VERSION
from service.wire.protocol import (
    AnyCommand,
    AnyEvent,
    ByeReply,
    ErrorReply,
    Ex,
    HelloEvent,
    Login,
    Register,
    Reply,
    Resume,
)

CONNECT_TIMEOUT: Final = 10.0  # seconds to reach the server and be greeted; longer than three lost SYNs (1 + 2 + 4 s)
LEAVE_TIMEOUT: Final = 2.0  # seconds for the server to say bye; a user who leaves does not want to wait longer
_LINE_LIMIT: Final = 4 << 20  # bytes: a page of 200 long messages, or 100,000 names; more than that is an attack
_RANDOM_BYTES: Final = 8  # 64 random bits in a nonce: unique for one sender

_BYE: Final = {
    "shutdown": "The server is shutting down.",
    "slow": "The server closed the connection because this side took messages too slowly.",
    "kicked": "An operator or moderator ended this session. Start the client again to come back.",
    "password_changed": "The password was changed from elsewhere. Log in again with the new one.",
    "logout": "This session was logged out. Start the client again to come back.",
}

_FINAL: Final = frozenset({"kicked", "password_changed", "logout"})
_FAILED: Final = "The server closed the connection."

OnEvent = Callable[[AnyEvent, AnyCommand | None], None]


class CannotConnectError(Exception):
    """There is no chat at that address; `str()` says what to check. `is_final`: trying again would be of no use."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class ConnectionLostError(Exception):
    """The connection ended before the user left; `str()` says why. `is_final`: trying again would be of no use."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


OnEnd = Callable[[ConnectionLostError], None]


@dataclass(frozen=True, slots=True)
class Greeted:
    """A socket on which the server has said hello, and nobody listens yet: a `Connection` is made of it."""

    sock: socket.socket
    channel: socket.socket | TlsChannel  # to send to and receive from: the socket itself, or TLS over it
    decoder: LineDecoder
    hello: HelloEvent
    lines: list[bytes | Oversize]  # came in one packet with the greeting

    def leave(self) -> None:
        """Closes it without a word."""
        self.sock.close()


class Connection:
    """Listens from `start` to `leave`; its owner calls each once."""

    def __init__(self, greeted: Greeted, on_event: OnEvent, on_end: OnEnd, wishes: Wishes | None = None) -> None:
        """Both callbacks run on the listener thread and must not call `leave`.

        `wishes` are what a login over this connection asks for, where the server has it.
        """
        self.hello: Final = greeted.hello
        self.features: Final = frozenset(greeted.hello.features or ())
        self.lost: ConnectionLostError | None = None  # why it ended; set before `on_end` is called
        self._on_event = on_event
        self._on_end = on_end
        self._wishes = wishes or Wishes()
        self._socket = greeted.sock
        self._channel = greeted.channel
        self._decoder = greeted.decoder
        self._lines = greeted.lines
        self._listener = threading.Thread(target=self._listen, name="chat-listen")
        self._send_lock = threading.Lock()  # held round a whole line; taken before _lock
        self._lock = threading.Lock()  # guards _outstanding, and `lost` where both matter
        self._outstanding: dict[str, tuple[AnyCommand, Future[AnyEvent]]] = {}  # by ref, in the order of sending

    def start(self) -> None:
        """Begins to listen."""
        self._listener.start()

    def send(self, command: AnyCommand, then: Callable[[Future[AnyEvent]], object] | None = None) -> Future[AnyEvent]:
        """Sends a command; the reply comes once `on_event` has returned for it. Raises ConnectionLostError.

        `then` is called with the reply before the next event is read. The reply may be an ErrorReply; it fails with
        ConnectionLostError if the connection ends first.
        """
        command = msgspec.structs.replace(command, ref=(ref := new_nonce()))
        if isinstance(command, (Login, Register, Resume)):
            command = with_wishes(command, self._wishes, self.features)
        reply: Future[AnyEvent] = Future()
        if then is not None:
            reply.add_done_callback(then)
        if unknown := refusal(command, self.features):
            return self._refuse(command, reply, *unknown)
        line = encode(command)
        if (size := len(line) - 1) > self.hello.max_line:  # the service could not tell which command it skipped
            text = f"this is {size:,} bytes long and the server takes {self.hello.max_line:,}. Send it in parts."
            return self._refuse(command, reply, "line_too_long", text)
        with self._send_lock:
            with self._lock:
                if self.lost:
                    raise self.lost
                self._outstanding[ref] = command, reply
            with suppress(OSError):  # the listener learns of it too, and ends the connection for everyone
                self._channel.sendall(line)
        return reply

    def outstanding(self) -> int:
        """How many commands have no reply yet."""
        with self._lock:
            return len(self._outstanding)

    def leave(self) -> None:
        """Says `ex`, waits a little for the bye, and closes; no thread is left. Safe after a loss."""
        if self._listener.ident is not None:
            if self._send_lock.acquire(timeout=LEAVE_TIMEOUT):  # another thread may be stuck in sendall
                self._socket.settimeout(LEAVE_TIMEOUT)
                self._send_lock.release()
                with suppress(ConnectionLostError):
                    self.send(Ex())
                self._listener.join(LEAVE_TIMEOUT)
            self.cut()
            self._listener.join()
        self._socket.close()

    def cut(self) -> None:
        """Ends it at once, from any thread: each reply to come fails with ConnectionLostError."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _refuse(self, command: AnyCommand, reply: Future[AnyEvent], code: str, text: str) -> Future[AnyEvent]:
        error = ErrorReply(code=code, message=text)
        self._on_event(error, command)
        reply.set_result(error)
        return reply

    # -- the listener thread ------------------------------------------------------------------------------------------
    def _listen(self) -> None:
        lost = ConnectionLostError("The client failed; its last words are above.")  # stands if a callback raises
        try:
            self._read_events()
        except ConnectionLostError as error:
            lost = error
        finally:
            with self._lock:
                self.lost = lost
                waiting = list(self._outstanding.values())
            for _, reply in waiting:
                reply.set_exception(lost)
            self._on_end(lost)

    def _read_events(self) -> None:
        """Hands on events until the connection ends. Raises ConnectionLostError, always."""
        last_words = "The server went away."
        while True:
            for line in self._lines:
                event = _decode(line)
                if event is None:
                    continue
                self._hand_on(event)
                if isinstance(event, ByeReply):
                    # The last line, whether or not the server then closes. After an error of its own the server says
                    # `kicked` too, but means this connection only.
                    is_final = event.reason in _FINAL and last_words != _FAILED
                    reason = _BYE.get(event.reason, f"The server closed the connection: {one_line(event.reason)}.")
                    raise ConnectionLostError(reason, is_final=is_final)
                if isinstance(event, ErrorReply) and event.fatal is True:
                    last_words = _FAILED
            try:
                data = self._channel.recv(RECEIVE_BYTES)
            except OSError as error:
                raise ConnectionLostError(f"The connection broke: {error.strerror or error}.") from error
            if not data:
                raise ConnectionLostError(last_words)
            self._lines = list(self._decoder.feed(data))

    def _hand_on(self, event: AnyEvent) -> None:
        answered: tuple[AnyCommand, Future[AnyEvent]] | None = None
        if isinstance(event, Reply) and isinstance(event.ref, str):
            with self._lock:
                answered = self._outstanding.pop(event.ref, None)
        self._on_event(event, answered[0] if answered else None)
        if answered:
            answered[1].set_result(event)


def new_nonce() -> str:
    """A word that this user has never used: it makes it safe to send a message again when its ack was lost."""
    # It begins with the time, in ms: the service stores nonces in their order, and appends faster than it inserts.
    return f"{time.time_ns() // 1_000_000:x}-{secrets.token_hex(_RANDOM_BYTES)}"


def connect(host: str, port: int, timeout: float = CONNECT_TIMEOUT, trust: Security | None = None) -> Greeted:
    """Connects and waits for the greeting, `timeout` seconds for each. Raises CannotConnectError.

    `trust` says whether to speak TLS, and what must hold before a word is said; None: no TLS.
    """
    place = f"{one_line(host)}, port {port}"
    dial = partial(_dial, host, port, place, timeout)
    sock, channel = _secure(trust or Plain(), dial, host, port, place, timeout)
    decoder = LineDecoder(_LINE_LIMIT)
    try:
        deadline = time.monotonic() + timeout
        if channel is sock and _speaks_tls(sock, dial, timeout):
            raise CannotConnectError(f"{place}, speaks TLS. Start with --tls (make: TLS=1).", is_final=True)
        hello, lines = _greeting(sock, channel, decoder, place, deadline)
        sock.settimeout(None)
        keep_alive(sock)  # to notice a server that has vanished
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:  # Ctrl-C too
        sock.close()
        raise
    return Greeted(sock, channel, decoder, hello, lines)


def _dial(host: str, port: int, place: str, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout)
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: a name that cannot be a host's at all
        raise CannotConnectError(f'There is no server named "{one_line(host)}". Check the name.') from error
    except TimeoutError as error:
        raise CannotConnectError(f"No answer from {place} within {timeout:g} seconds.") from error
    except ConnectionRefusedError as error:
        raise CannotConnectError(f"Nothing listens at {place}. Is the server running?") from error
    except OSError as error:
        raise CannotConnectError(f"Cannot reach {place}: {error.strerror or error}.") from error


def _speaks_tls(sock: socket.socket, dial: Callable[[], socket.socket], timeout: float) -> bool:
    with suppress(CannotConnectError):  # of the second connection: the first one is what counts
        return answers_in_tls(sock, dial, timeout)
    return False


def _secure(
    trust: Security, dial: Callable[[], socket.socket], host: str, port: int, place: str, timeout: float
) -> tuple[socket.socket, socket.socket | TlsChannel]:
    try:
        return trust.secure(dial, host, port, timeout)
    except UntrustedError as error:
        raise CannotConnectError(str(error), is_final=isinstance(error, DowngradeError)) from error
    except NotTlsError as error:
        raise CannotConnectError(_explain_no_tls(error.received, place)) from error
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror or str(error)
        raise CannotConnectError(f"There is no TLS with {place}: {one_line(reason)}.") from error


def _explain_no_tls(received: bytes, place: str) -> str:
    """What to say of a server that does not answer in TLS.

    Its words came unprotected and may be an attacker's: the client follows none, and shows none as the server's own.
    """
    line = received.partition(b"\n")[0]
    with suppress(ConnectionLostError):
        event = _decode(line)
        if isinstance(event, HelloEvent):
            return (
                f"A chat answers at {place}, but not in TLS: not connected. "
                "Check the port, and ask who runs the server: someone may be in between."
            )
        if isinstance(event, ErrorReply):
            return (
                f"Not connected. What answers at {place} does not speak TLS, so anyone on the way may have written its "
                f"words: {one_line(event.message)}"
            )
    return f"What answers at {place} does not speak TLS. Check the port."


def _greeting(
    sock: socket.socket, channel: socket.socket | TlsChannel, decoder: LineDecoder, place: str, deadline: float
) -> tuple[HelloEvent, list[bytes | Oversize]]:
    """The `hello`, and the lines that came in one packet with it. Raises CannotConnectError."""
    no_chat = f"What answers at {place} is no chat server. Check the port."
    lines: list[bytes | Oversize] = []
    try:
        while not lines:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            data = channel.recv(RECEIVE_BYTES)
            if not data:
                raise CannotConnectError(f"{place[0].upper()}{place[1:]} closed the connection without a greeting.")
            lines = list(decoder.feed(data))
            if time.monotonic() > deadline:  # a server may send empty lines without end
                raise TimeoutError
        hello = _decode(lines[0])
    except TimeoutError as error:
        raise CannotConnectError(no_chat) from error
    except OSError as error:
        raise CannotConnectError(f"The connection to {place} broke: {error.strerror or error}.") from error
    except ConnectionLostError as error:
        raise CannotConnectError(no_chat) from error
    if isinstance(hello, ErrorReply):
        raise CannotConnectError(f"The server does not take this connection: {one_line(hello.message)}")
    if not isinstance(hello, HelloEvent):
        raise CannotConnectError(no_chat)
    if hello.protocol != PROTOCOL_VERSION:
        raise CannotConnectError(
            f"The server speaks protocol {hello.protocol}, this client {PROTOCOL_VERSION}. Use a client of its version."
        )
    return hello, lines[1:]


def _decode(line: bytes | Oversize) -> AnyEvent | None:
    """The event in a line; None for an unknown type. Raises ConnectionLostError if no chat server says such a line.

    To skip the line instead could hide a message without a word.
    """
    if isinstance(line, Oversize):
        raise ConnectionLostError("The server sent a line without end. This is no chat server to trust.", is_final=True)
    try:
        return decode_event(line)
    except CommandError as error:
        raise ConnectionLostError("The server sent something that is not chat protocol 1.", is_final=True) from error
