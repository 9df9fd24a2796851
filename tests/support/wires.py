"""Clients of one server for a test, closed at its end, one in a WebSocket, and functions that such tests share."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from tests.support.helpers import Wire, enter

if TYPE_CHECKING:
    from tests.support.helpers import Line


class WebWire(Wire):
    """A client of raw lines in a WebSocket: each line is a text message, and a message may bring several."""

    path = "/chat"

    def _open(self) -> None:
        """Shakes hands. `status` is 101, or that of the refusal, after which there is nothing to read."""
        port = self.socket.getpeername()[1]
        self.protocol = ClientProtocol(parse_uri(f"ws://localhost:{port}{self.path}"), max_size=None)
        self.protocol.send_request(self.protocol.connect())
        self._payload = b""
        self.status = 0
        self._flush()
        while not self.status:
            self._payload += self.receive()

    def send_bytes(self, data: bytes) -> None:
        """Sends each line as a message; what follows the last line end is one, too."""
        for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
            self.protocol.send_text(line)
        self._flush()

    def receive(self) -> bytes:
        """Returns what the next messages hold, maybe nothing; raises EOFError at the end."""
        if self._payload:
            payload, self._payload = self._payload, b""
            return payload
        try:
            self.protocol.receive_data(super().receive())
        except EOFError:
            self.protocol.receive_eof()  # so that it tells `close_code`
            raise
        payload = b""
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.status = event.status_code
            elif isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.CONT}:
                payload += event.data
        with suppress(OSError):  # the service has its last word, and has gone
            self._flush()
        if self.protocol.handshake_exc is not None and not self.status:
            raise self.protocol.handshake_exc
        return payload

    def _flush(self) -> None:
        if self.protocol.state is not State.CLOSED:
            self.send_raw(b"".join(self.protocol.data_to_send()))


class Wires:
    """Opens clients and closes all of them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: list[Wire] = []

    def connect(self) -> Wire:
        self._open.append(Wire(self.port))
        return self._open[-1]

    def enter(self, name: str, **fields: Any) -> Wire:
        self._open.append(enter(self.port, name, **fields))
        return self._open[-1]

    def close(self) -> None:
        for wire in self._open:
            wire.close()


def said(lines: list[Line]) -> list[tuple[str, int]]:
    return [(line["message"], line["id"]) for line in lines if line["type"] in ("broadcast", "direct")]


def away(wires: Wires, name: str, **fields: Any) -> None:
    """Registers a name and leaves."""
    wire = wires.enter(name, **fields)
    wire.ask("ex")
    wire.read_to_end()


def read_users(wire: Wire, *names: str) -> Line:
    """Returns the next users list of exactly these names; drops older lists."""
    while (line := wire.read_type("users"))["users"] != list(names):
        pass
    return line
