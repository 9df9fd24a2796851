"""The connection of one of the soak's clients: lines out and lines in, over TCP or in a WebSocket."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE_LIMIT: Final = 1 << 17  # bytes; a page has at most half of that
RECEIVE_BUFFER: Final = 1 << 16  # bytes; small, so that who does not read is soon felt


class Link:
    """Lines over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """A new connection. Raises OSError."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            return cls(*await asyncio.open_connection(sock=sock, limit=LINE_LIMIT))
        except BaseException:  # a cancellation, too
            sock.close()
            raise

    async def read(self) -> bytes:
        """The next line with its end; without one at the end of the connection."""
        return await self._reader.readline()

    def write(self, lines: Iterable[bytes]) -> None:
        """Sends lines, each with its end; what the kernel does not take waits here."""
        self._writer.write(b"".join(lines))

    def abort(self) -> None:
        """Ends the connection without a word."""
        self._writer.transport.abort()


class WebLink(Link):
    """Lines in a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._web = ClientProtocol(parse_uri("ws://localhost/chat"), max_size=None)
        self._lines: deque[bytes] = deque()

    @classmethod
    async def open(cls, port: int) -> Self:
        """A new WebSocket. Raises OSError, also on a refusal."""
        link = await super().open(port)
        try:
            link._web.send_request(link._web.connect())
            link._flush()
            while link._web.state is State.CONNECTING:
                await link._receive()
        except BaseException:
            link.abort()
            raise
        return link

    async def read(self) -> bytes:
        while not self._lines:
            try:
                await self._receive()
            except OSError:
                return b""
        return self._lines.popleft()

    async def _receive(self) -> None:
        """Takes in what comes next. Raises OSError at the end, ValueError where a line is torn."""
        data = await self._reader.read(RECEIVE_BUFFER)
        if not data:
            raise ConnectionResetError("closed by the service")
        self._web.receive_data(data)
        if self._web.handshake_exc is not None:
            raise ConnectionRefusedError(str(self._web.handshake_exc))
        for event in self._web.events_received():
            if isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.CONT}:
                *lines, rest = bytes(event.data).split(b"\n")
                if rest or not event.fin:
                    raise ValueError(f"a message that is no whole lines: {event}")
                self._lines += (line + b"\n" for line in lines)
        self._flush()

    def write(self, lines: Iterable[bytes]) -> None:
        """What comes after the service's Close is lost, as it is after the end of a stream."""
        if self._web.state is State.OPEN:
            for line in lines:
                self._web.send_text(line)
            self._flush()

    def _flush(self) -> None:
        self._writer.write(b"".join(self._web.data_to_send()))
