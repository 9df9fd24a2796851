"""The listening socket, and a connected client as a stream of bytes, plain or with TLS. Knows no lines or sessions."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from service.errors import ConfigError
from service.net.keepalive import keep_alive
from service.net.tls import RECEIVE_BYTES, NotTlsError, TlsChannel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from service.net.tls import Charge

IDLE_RECEIVE_BYTES: Final = 4_096  # one recv of a quiet client; the buffer stays allocated while recv waits
LISTEN_BACKLOG: Final = 1024  # connections waiting for accept; Linux caps it at net.core.somaxconn
HANDSHAKE_TIMEOUT: Final = 5.0  # seconds for TLS; less than our client waits, so that it learns the reason

_DONT_WAIT: Final = int(socket.MSG_DONTWAIT)  # an int: a member of the enum costs more at each call


def listen(host: str, port: int, backlog: int = LISTEN_BACKLOG) -> socket.socket:
    """Returns a listening socket. Raises ConfigError with one line that tells the operator what to do."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=backlog)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {host!r}: no such address of this machine") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(f"cannot listen on {host} port {port}: {reason}. Choose another port or address") from error


def format_address(address: tuple[object, ...]) -> str:
    """Returns ``127.0.0.1:4711`` or ``[::1]:4711``."""
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: tuple[object, ...]) -> bool:
    """Returns whether the address is reachable from this machine only."""
    return ipaddress.ip_address(str(address[0])).is_loopback


class Stream:
    """One client over plain TCP. One thread receives, another sends; each method names the threads that may call it."""

    def __init__(self, connected: socket.socket, address: tuple[object, ...]) -> None:
        self._socket = connected
        self._recv: Callable[[int], bytes] = connected.recv
        self._send: Callable[[bytes | memoryview, int], int] = connected.send
        self.peer = format_address(address)
        self._receive_bytes = IDLE_RECEIVE_BYTES
        self._is_cut = False
        # The socket is blocking for the receiving thread; `send` asks for non-blocking on each call.
        connected.settimeout(None)
        keep_alive(connected)

    def handshake(self) -> None:
        """Makes the stream ready. For the receiving thread, before anything else. Plain TCP needs nothing."""

    def expect(self, limit: int) -> None:
        """From now on the peer's messages may have so many bytes, where it sends messages. For the receiving thread."""

    def receive(self, charge: Charge | None = None) -> bytes:
        """Waits for data and returns it; empty at the end of the stream. For the receiving thread.

        `charge` is called with the number of bytes and of TLS records before they are processed. It may wait.
        """
        try:
            data = self._receive_some(charge)
        except OSError:  # a reset, or the kernel's time-out: the stream has ended
            return b""
        if self._is_cut:  # stop reading: a peer may send without end; closing then resets it
            return b""
        # recv keeps its buffer allocated while it waits. An idle client should hold little memory, and a busy one
        # should receive much at once.
        self._receive_bytes = RECEIVE_BYTES if len(data) == self._receive_bytes else IDLE_RECEIVE_BYTES
        return data

    def _receive_some(self, charge: Charge | None) -> bytes:
        data = self._recv(self._receive_bytes)
        if data and charge is not None:
            charge(len(data), 0)
        return data

    def send_at_once(self) -> None:
        """Turns Nagle's algorithm off (TCP_NODELAY). For any thread.

        service/README.txt ("Sockets") says why it is on before.
        """
        with suppress(OSError):  # gone already
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes | memoryview) -> int:
        """Sends without waiting; returns how many bytes the kernel took. For the sending thread.

        Raises OSError if the peer is gone. After a short send the next call must begin with the bytes that were not
        taken; the first `sealed` of them must not change.
        """
        try:
            return self._send(data, _DONT_WAIT)
        except BlockingIOError:
            return 0

    @property
    def way(self) -> str:
        """How the bytes travel: ``plain`` or ``TLS``. For any thread."""
        return "plain"

    @property
    def sealed(self) -> int:
        """How many bytes of the last `send` were not taken but cannot change any more. For the sending thread."""
        return 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def end_sending(self) -> bool:
        """Tells the peer that nothing more comes, after all that was sent. For the sending thread.

        Returns False if the kernel is full: then it is to be called again.
        """
        self._shut_down(socket.SHUT_WR)
        return True

    def cut(self) -> None:
        """Ends both directions at once, and wakes the receiving thread. For any thread."""
        self._is_cut = True
        self._shut_down(socket.SHUT_RDWR)

    def _shut_down(self, how: int) -> None:
        with suppress(OSError):  # gone already
            self._socket.shutdown(how)

    def close(self) -> None:
        """Closes the descriptor, once neither thread uses it."""
        self._socket.close()


class TlsStream(Stream):
    """One client over TLS. Nothing can be sent before the end of the handshake: `send` then raises ConnectionError."""

    def __init__(
        self,
        connected: socket.socket,
        address: tuple[object, ...],
        context: ssl.SSLContext,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
    ) -> None:
        """The handshake may take so many seconds."""
        super().__init__(connected, address)
        self._channel: TlsChannel | None = TlsChannel(connected, context)
        self._handshake_timeout = handshake_timeout
        self._send = _too_early

    def handshake(self) -> None:
        """Does the TLS handshake. Raises OSError if the connection is useless.

        After a NotTlsError this stream is a plain one.
        """
        assert self._channel is not None  # noqa: S101 (called once)
        try:
            self._channel.handshake(self._handshake_timeout)
        except NotTlsError:
            self._channel = None
            self._send = self._socket.send
            raise
        self._send = self._channel.send

    def _receive_some(self, charge: Charge | None) -> bytes:
        if self._channel is None:
            return super()._receive_some(charge)
        return self._channel.recv(self._receive_bytes, charge)

    @property
    def way(self) -> str:
        return "TLS" if self._channel is not None else "plain"

    @property
    def sealed(self) -> int:
        return self._channel.sealed if self._channel is not None else 0

    def end_sending(self) -> bool:
        """Tells the peer that nothing more comes, in TLS (close_notify) and in TCP."""
        if self._channel is not None:
            self._channel.end()
        return super().end_sending()


def _too_early(_data: bytes | memoryview, _flags: int) -> NoReturn:
    raise ConnectionError("not ready to send")
