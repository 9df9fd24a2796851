"""service/listeners/listener.py: a port shares the places with others, and speaks its dialect."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from service.listeners.admission import Dialect
from service.wire.codec import JSON_LINES
from service.wire.framing import LineDecoder
from tests.support.helpers import PATIENCE, enter, running_server
from tests.support.ports import another_port, refusal_at

if TYPE_CHECKING:
    from pathlib import Path

    from service.wire.protocol import AnyCommand, Event, Row


class Shouting:
    """Lines of JSON with a mark before each that is sent, and without one in what is received."""

    def encode(self, event: Event, /) -> bytes:
        return b"!" + JSON_LINES.encode(event)

    def decode(self, line: bytes, /) -> AnyCommand:
        return JSON_LINES.decode(line.removeprefix(b"!"))

    def size(self, row: Row, /) -> int:
        return 1 + JSON_LINES.size(row)


SHOUTED = Dialect(Shouting(), LineDecoder)


def test_listeners_share_the_places(tmp_path: Path) -> None:
    """A client of one takes a place from the other's, and is in the same chat."""
    with (
        running_server(tmp_path, max_connections=2) as server,
        another_port(server) as port,
        enter(server.port, "alice") as alice,
        enter(port, "bob") as bob,
    ):
        assert [wire.ask("ping")["type"] for wire in (alice, bob)] == ["pong", "pong"]
        assert {refusal_at(each)[0] for each in (server.port, port)} == {"too_many_connections"}
        bob.ask("pm", message="hello")
        assert alice.read_type("broadcast")["message"] == "hello"


def test_a_listener_speaks_its_dialect(tmp_path: Path) -> None:
    """Its clients are answered in it, and so is one that it refuses."""
    with (
        running_server(tmp_path, max_per_address=1) as server,
        another_port(server, SHOUTED) as port,
        socket.create_connection(("127.0.0.1", port), PATIENCE) as one,
        one.makefile("rb") as lines,
    ):
        one.sendall(b'!{"command":"ping"}\n')
        assert [lines.readline()[:15] for _ in range(2)] == [b'!{"type":"hello', b'!{"type":"pong"']
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as other, other.makefile("rb") as refusal:
            assert [line[:14] for line in refusal] == [b'!{"type":"erro', b'!{"type":"bye"']
