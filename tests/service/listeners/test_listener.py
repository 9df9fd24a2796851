"""service/listeners/listener.py: which clients are accepted or refused, and by when they must log in."""

from __future__ import annotations

import math
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from service.listeners.listener import JSON, REFUSED_KEPT, Dialect, Listener
from service.net.transport import listen
from service.wire.codec import JSON_LINES
from service.wire.framing import LineDecoder
from tests.support.helpers import PATIENCE, Wire, enter, running_server, until
from tests.support.wires import read_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server
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


@contextmanager
def another_port(server: Server, dialect: Dialect = JSON) -> Iterator[int]:
    """The port of a second listener of that server; nobody is accepted at the end."""
    listening = listen("127.0.0.1", 0)
    listener = Listener(listening, dialect, server.services, server.places, lambda: None)
    try:
        yield listening.getsockname()[1]
    finally:
        listener.stop()
        listener.close()


def refusal_at(port: int) -> tuple[str, str]:
    """The code and the text for a new client that is refused."""
    with Wire(port, greet=False) as wire:
        error, bye = wire.read_to_end()
    assert (error["type"], error["fatal"], bye["reason"]) == ("error", True, "kicked")
    return error["code"], error["message"]


# -- who is accepted --------------------------------------------------------------------------------------------------
def test_one_connection_too_many_is_refused(tmp_path: Path) -> None:
    """At the limit a client gets a fatal error and the end; when another goes there is a place again."""
    with running_server(tmp_path, max_connections=2) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob"):
            late = Wire(server.port, greet=False)
            late.send({"command": "ping"})
            refusal, bye = late.read_to_end()
            assert (refusal["code"], refusal["fatal"]) == ("too_many_connections", True)
            assert bye == {"type": "bye", "reason": "kicked"}
            late.close()
        read_users(alice, "alice")
        with enter_when_there_is_a_place(server.port) as carol:
            assert carol.hello["type"] == "hello"


def enter_when_there_is_a_place(port: int) -> Wire:
    """A connection that was let in: a place is free a moment after its last client's name has left the list."""
    while True:
        wire = Wire(port)
        if wire.hello["type"] == "hello":
            return wire
        wire.close()


def test_zero_means_no_limit(tmp_path: Path) -> None:
    """With 0 nobody is refused for their number."""
    with running_server(tmp_path, max_connections=0) as server, Wire(server.port) as wire:
        assert wire.hello["type"] == "hello"


def test_one_of_an_address_too_many_is_refused(tmp_path: Path) -> None:
    """It is told what to do, and takes no place; another address comes in, and so does this one when one has gone."""
    with running_server(tmp_path, max_per_address=1) as server:
        with Wire(server.port):
            code, text = refusal_at(server.port)
            assert (code, text) == (
                "too_many_connections",
                "too many clients from your address; close one, or try again later",
            )
            with Wire(server.port, source="127.0.0.2") as other:
                assert other.hello["type"] == "hello"
        until(lambda: not server.places.connections())
        enter_when_there_is_a_place(server.port).close()


def test_a_refusal_for_want_of_a_place_does_not_count_for_the_address(tmp_path: Path) -> None:
    """Refused ten times, a client comes in as soon as there is a place."""
    with running_server(tmp_path, max_connections=1, max_per_address=2) as server:
        with enter(server.port, "alice") as alice:
            alice.read_until_pong()  # so no stranger any more
            for _ in range(10):
                assert refusal_at(server.port)[1] == "too many clients here just now; try again later"
        until(lambda: not server.places.connections())
        with Wire(server.port) as bob:
            assert bob.hello["type"] == "hello"


def test_a_client_that_cannot_be_admitted_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, its connection is closed, and the next one comes in."""

    def fail(*_: object) -> None:
        raise MemoryError

    with running_server(tmp_path) as server:
        with monkeypatch.context() as broken:
            broken.setattr("service.listeners.listener.origin_of", fail)
            with Wire(server.port, greet=False) as wire:
                assert wire.read_to_end() == []
        assert "a client was not admitted: 127.0.0.1:" in caplog.text
        with Wire(server.port) as wire:
            assert wire.hello["type"] == "hello"


def test_a_refused_client_is_kept_for_a_while(tmp_path: Path) -> None:
    """Its socket is open until some others were refused, so that no reset takes the line from it."""
    with running_server(tmp_path, max_per_address=1) as server, Wire(server.port):
        for _ in range(REFUSED_KEPT + 3):
            refusal_at(server.port)
        refused = server._listener._refused
        until(lambda: len(refused) == REFUSED_KEPT)
        assert all(sock.fileno() >= 0 for sock in refused)


# -- several listeners ------------------------------------------------------------------------------------------------
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


def test_a_listener_that_stops_leaves_its_clients(tmp_path: Path) -> None:
    """Nobody more comes in there; those that are in talk on until the service ends."""
    with running_server(tmp_path) as server:
        with another_port(server) as port:
            alice = enter(port, "alice")
        with pytest.raises(ConnectionRefusedError):
            Wire(port)
        with alice, enter(server.port, "bob") as bob:
            bob.ask("pm", message="still there?")
            assert alice.read_type("broadcast")["message"] == "still there?"
            server.stop()
            assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}


# -- the time to log in -----------------------------------------------------------------------------------------------
def test_each_client_has_its_own_time_to_log_in(tmp_path: Path) -> None:
    """On whichever port: those that are late go, those that have logged in stay."""
    with (
        running_server(tmp_path, login_timeout=1) as server,
        another_port(server) as port,
        enter(server.port, "alice") as alice,
        enter(port, "bob") as bob,
        Wire(server.port) as one,
        Wire(port) as other,
    ):
        for late in (one, other):
            error, _ = late.read_to_end()
            assert (error["code"], error["message"]) == ("login_timeout", "no login within 1 seconds")
        assert [wire.ask("ping")["type"] for wire in (alice, bob)] == ["pong", "pong"]


def test_the_next_look_is_for_the_next_client_that_is_late(tmp_path: Path) -> None:
    """Where all have logged in there is no other look."""
    with running_server(tmp_path) as server, enter(server.port, "alice"):
        assert server._listener._end_late() == math.inf
        with Wire(server.port):
            (stranger,) = [each for each in server.places.connections() if each.session.account is None]
            assert server._listener._end_late() == stranger.login_by
