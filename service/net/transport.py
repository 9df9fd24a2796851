"""The listening socket, and a connected client as a stream of bytes, plain or in TLS. Knows no lines, no sessions."""

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

IDLE_RECEIVE_BYTES: Final = 4_096  # one recv of a client that says little: the buffer is held while it is silent
LISTEN_BACKLOG: Final = 1024  # connects waiting to be accepted; Linux caps it at net.core.somaxconn
HANDSHAKE_TIMEOUT: Final = 5.0  # seconds for TLS; shorter than our client's patience, which then learns why it ended

_DONT_WAIT: Final = int(socket.MSG_DONTWAIT)  # a plain number: the enumeration's members cost more at each call


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError with one line that says what to do."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=LISTEN_BACKLOG)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {host!r}: no such address of this machine") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(f"cannot listen on {host} port {port}: {reason}. Choose another port or address") from error


def format_address(address: tuple[object, ...]) -> str:
    """``127.0.0.1:4711``, ``[::1]:4711``."""
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: tuple[object, ...]) -> bool:
    """Whether only this machine reaches that address."""
    return ipaddress.ip_address(str(address[0])).is_loopback


class Stream:
    """One client over plain TCP. One thread receives, another sends; each method says which may call it."""

    def __init__(self, connected: socket.socket, address: tuple[object, ...]) -> None:
        self._socket = connected
        self._recv: Callable[[int], bytes] = connected.recv
        self._send: Callable[[bytes | memoryview, int], int] = connected.send
        self.peer = format_address(address)
        self._receive_bytes = IDLE_RECEIVE_BYTES
        self._is_cut = False
        # Blocking for the thread that receives; `send` asks for non-blocking call by call.
        connected.settimeout(None)
        keep_alive(connected)

    def handshake(self) -> None:
        """Makes the stream ready; for the receiving thread, before anything else. Of plain TCP nothing is asked."""

    def receive(self, charge: Charge | None = None) -> bytes:
        """What has come, waiting for it; empty at the end. For the receiving thread.

        `charge` gets how many bytes came, and how many TLS records, before they are looked at. It may wait.
        """
        try:
            data = self._receive_some(charge)
        except OSError:  # reset, or gone by a time-out of the kernel's: the end all the same
            return b""
        if self._is_cut:  # read no further: closing with input unread resets a peer that sends on and on
            return b""
        # The buffer is there while recv waits: an idle client is to hold little, a busy one to take much at once.
        self._receive_bytes = RECEIVE_BYTES if len(data) == self._receive_bytes else IDLE_RECEIVE_BYTES
        return data

    def _receive_some(self, charge: Charge | None) -> bytes:
        data = self._recv(self._receive_bytes)
        if data and charge is not None:
            charge(len(data), 0)
        return data

    def send_at_once(self) -> None:
        """From now on no bytes wait for the peer to acknowledge earlier ones (TCP_NODELAY). For any thread.

        Until then Nagle's algorithm gathers lines for a peer that is slower than they come, at a third of the cost. One
        that reads at once acknowledges at once, and waits for nothing; but a peer that also talks delays that by 40 ms.
        """
        with suppress(OSError):  # gone already
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes the kernel took, without waiting. For the sending thread. Raises OSError: the peer is gone.

        After a short send the next one begins with what was not taken, of which `sealed` bytes may not be changed.
        """
        try:
            return self._send(data, _DONT_WAIT)
        except BlockingIOError:
            return 0

    @property
    def sealed(self) -> int:
        """Bytes of what was offered last that were not taken, but cannot be taken back. For the sending thread."""
        return 0

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def end_sending(self) -> None:
        """Tells the peer that nothing more comes, after what was sent. For the sending thread."""
        self._shut_down(socket.SHUT_WR)

    def cut(self) -> None:
        """Ends both ways at once, and wakes the receiving thread. From any thread."""
        self._is_cut = True
        self._shut_down(socket.SHUT_RDWR)

    def _shut_down(self, how: int) -> None:
        with suppress(OSError):  # gone already
            self._socket.shutdown(how)

    def close(self) -> None:
        """Gives the descriptor back; when neither thread uses it any more."""
        self._socket.close()


class TlsStream(Stream):
    """One client over TLS. Until the handshake is done nothing can be sent: who would have to is better cut off."""

    def __init__(self, connected: socket.socket, address: tuple[object, ...], context: ssl.SSLContext) -> None:
        super().__init__(connected, address)
        self._channel: TlsChannel | None = TlsChannel(connected, context)
        self._send = _too_early

    def handshake(self) -> None:
        """Agrees on keys. Raises OSError: the connection is of no use; NotTlsError: from here on it is a plain one."""
        assert self._channel is not None  # noqa: S101 (called once)
        try:
            self._channel.handshake(HANDSHAKE_TIMEOUT)
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
    def sealed(self) -> int:
        """Bytes that are encrypted already."""
        return self._channel.sealed if self._channel is not None else 0

    def end_sending(self) -> None:
        """Tells the peer that nothing more comes, in TLS (close_notify) and in TCP."""
        if self._channel is not None:
            self._channel.end()
        super().end_sending()


def _too_early(_data: bytes | memoryview, _flags: int) -> NoReturn:
    raise ConnectionError("not ready to send")
