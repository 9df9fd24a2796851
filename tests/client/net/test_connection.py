"""The connection against a scripted server."""

from __future__ import annotations

import queue
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from client.net.connection import CannotConnectError, Connection, ConnectionLostError, connect
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BroadcastEvent,
    Dm,
    ErrorReply,
    Ping,
    Pm,
    PongReply,
    Users,
)
from tests.support.fake_server import TIME, TIMEOUT, FakeServer, Peer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener:
    """Keeps what a connection says."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[AnyEvent, AnyCommand | None]] = queue.Queue()
        self.ends: queue.Queue[ConnectionLostError] = queue.Queue()

    def on_event(self, event: AnyEvent, request: AnyCommand | None) -> None:
        self.events.put((event, request))

    def listen(self, port: int) -> Connection:
        connection = Connection(connect("127.0.0.1", port), self.on_event, self.ends.put)
        connection.start()
        return connection


@pytest.fixture(name="listener")
def new_listener() -> Listener:
    return Listener()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Each test ends with the threads that it began with."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_a_reply_is_matched_to_its_command(listener: Listener) -> None:
    """A reply finds its command by `ref`, in any order."""

    def script(peer: Peer) -> None:
        peer.greet()
        first, second, third = peer.expect("pm"), peer.expect("dm"), peer.expect("ping")
        peer.answer(third, type="pong", time=TIME)
        peer.answer(second, type="error", code="unknown_user", message="no bob")
        peer.ack(first, 11)
        peer.see_off()

    with FakeServer(script) as server:
        connection = listener.listen(server.port)
        replies = [
            connection.send(command) for command in (Pm(message="a", nonce="n"), Dm(to="bob", message="b"), Ping())
        ]
        kinds = [type(reply.result(TIMEOUT)) for reply in replies]
        assert kinds == [AckReply, ErrorReply, PongReply]
        assert [type(listener.events.get(timeout=TIMEOUT)[1]) for _ in kinds] == [Ping, Dm, Pm]
        connection.leave()


def test_events_arrive_in_order_and_unknown_types_are_ignored(listener: Listener) -> None:
    """What comes, torn or joined, is handed on once and in order; unknown types and fields are ignored."""

    def script(peer: Peer) -> None:
        line = b'{"type":"broadcast","id":%d,"time":"t","from":"bob","message":"hi","new":1}\r\n'
        hello = b'{"type":"hello","protocol":1,"server":"s","version":"0","registration":"open",'
        hello += b'"max_line":65536,"max_message":4096}\n'
        peer.raw(hello + line % 1 + b'\n{"type":"novelty"}\n' + line % 2 + (line % 3)[:9])
        peer.raw((line % 3)[9:])
        peer.see_off()

    with FakeServer(script) as server:
        connection = listener.listen(server.port)
        events = [listener.events.get(timeout=TIMEOUT)[0] for _ in range(3)]
        assert [event.id for event in events if isinstance(event, BroadcastEvent)] == [1, 2, 3]
        connection.leave()


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (b"", "went away"),
        (b'{"type":"bye","reason":"shutdown"}\n', "shutting down"),
        (b'{"type":"bye","reason":"slow"}\n', "too slowly"),
        (b'{"type":"bye","reason":"logout"}\n', "logged out"),
        (b'{"type":"bye","reason":"password_changed"}\n', "password"),
        (b'{"type":"bye","reason":"\\u001b[2J"}\n', "\u241b[2J"),
        (b'{"type":"error","code":"login_timeout","message":"late","fatal":true}\n', "closed the connection"),
        (b'{"type":"users","users":7}\n', "not chat protocol"),
        (b"\xff\xfe\n", "not chat protocol"),
        (b"[" * 100_000 + b"\n", "not chat protocol"),
        (
            b'{"type":"broadcast","id":1.5,"time":"","from":"","message":""}\n',
            "not chat protocol",
        ),
        (b"x" * (5 << 20), "without end"),
    ],
)
def test_the_end_says_why(listener: Listener, ending: bytes, text: str) -> None:
    """However the server ends or misbehaves, the connection ends with one clear reason, for every waiting reply too."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.expect("users")
        with suppress(OSError):  # the client may close before it has read all of this
            peer.raw(ending)

    with FakeServer(script) as server:
        connection = listener.listen(server.port)
        reply = connection.send(Users())
        error = listener.ends.get(timeout=TIMEOUT)
        assert text in str(error)
        assert reply.exception(TIMEOUT) is error
        with pytest.raises(ConnectionLostError):
            connection.send(Ping())
        connection.leave()
        assert listener.ends.empty()


@pytest.mark.parametrize(
    ("first_words", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no chat server"),
        (b'{"type":"pong","time":""}\n', "no chat server"),
        (b'{"type":"novelty"}\n', "no chat server"),
        (b'{"type":"hello"}\n', "no chat server"),
        (b"", "without a greeting"),
        (b'{"type":"error","code":"too_many_connections","message":"full\\u001b","fatal":true}\n', "full\u241b"),
        (
            b'{"type":"hello","protocol":2,"server":"","version":"","registration":"","max_line":1,"max_message":1}\n',
            "protocol 2",
        ),
    ],
)
def test_what_is_no_chat_server(first_words: bytes, text: str) -> None:
    """The client does not connect to what does not greet as a chat server of this protocol; it says what to check."""
    with FakeServer(lambda peer: peer.raw(first_words)) as server, pytest.raises(CannotConnectError, match=text):
        connect("127.0.0.1", server.port)


def test_a_silent_server() -> None:
    """The client gives up in time on a server that accepts and says nothing."""
    done = threading.Event()
    with FakeServer(lambda _: done.wait(TIMEOUT)) as server:
        with pytest.raises(CannotConnectError, match="no chat server"):
            connect("127.0.0.1", server.port, timeout=0.05)
        done.set()


def test_nobody_listens() -> None:
    """A refused connection names the place and asks whether the server runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CannotConnectError, match=f"127.0.0.1, port {port}"):
        connect("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 100, "a..b"])
def test_an_unknown_host(host: str) -> None:
    """A name without an address is an error of its own."""
    with pytest.raises(CannotConnectError, match="no server named"):
        connect(host, 12000)


def test_a_line_that_the_server_would_skip_is_not_sent(listener: Listener) -> None:
    """A command over the server's line limit is refused here, for the service could not say which one it was."""

    def script(peer: Peer) -> None:
        peer.greet(max_line=600)
        peer.see_off()

    with FakeServer(script) as server:
        connection = listener.listen(server.port)
        reply = connection.send(Pm(message="x" * 600)).result(TIMEOUT)
        assert isinstance(reply, ErrorReply)
        assert reply.code == "line_too_long"
        assert isinstance(listener.events.get(timeout=TIMEOUT)[1], Pm)
        connection.leave()


@pytest.mark.parametrize(
    ("features", "is_sent"), [({}, False), ({"features": []}, False), ({"features": ["kind"]}, True)]
)
def test_an_older_server_gets_no_action(listener: Listener, features: dict[str, list[str]], is_sent: bool) -> None:
    """It would store it as a text: so it is refused here, unless the hello of this very connection has the feature."""

    def script(peer: Peer) -> None:
        peer.greet(**features)
        if is_sent:
            command = peer.expect("pm")
            assert command["kind"] == "action"
            peer.answer(command, type="ack", command="pm")
        peer.see_off()

    with FakeServer(script) as server:
        connection = listener.listen(server.port)
        reply = connection.send(Pm(message="waves", kind="action")).result(TIMEOUT)
        assert isinstance(reply, AckReply if is_sent else ErrorReply)
        connection.leave()


def test_lines_of_many_threads_stay_whole(listener: Listener) -> None:
    """Threads that send at the same time do not mix their lines."""

    def script(peer: Peer) -> None:
        peer.greet()
        for number in range(80):
            peer.ack(peer.expect("pm"), number + 1)
        peer.see_off()

    with FakeServer(script) as server, ThreadPoolExecutor(8) as pool:
        connection = listener.listen(server.port)
        replies = list(pool.map(lambda _: connection.send(Pm(message="x" * 60_000, nonce="n")), range(80)))
        ids = {reply.id for reply in (future.result(TIMEOUT) for future in replies) if isinstance(reply, AckReply)}
        assert ids == set(range(1, 81))
        connection.leave()


def test_leaving_without_a_bye(listener: Listener) -> None:
    """A server that closes without a bye, or has gone before, does not hold up a client that leaves."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.expect("ex")

    with FakeServer(script) as server:
        connection = listener.listen(server.port)
        connection.leave()


def test_leaving_before_listening(listener: Listener) -> None:
    """A connection that never listened is just closed, and so is one that was only greeted."""
    for is_made in (False, True):
        with FakeServer(Peer.greet) as server:
            greeted = connect("127.0.0.1", server.port)
            made = Connection(greeted, listener.on_event, listener.ends.put) if is_made else greeted
            made.leave()
            assert greeted.sock.fileno() == -1
