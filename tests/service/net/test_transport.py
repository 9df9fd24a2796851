"""Streams over real loopback connections, and the listening socket."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest

from service.errors import ConfigError
from service.net.tls import RECEIVE_BYTES
from service.net.transport import IDLE_RECEIVE_BYTES, Stream, format_address, listen
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pair(NamedTuple):
    """The two ends of a connection: the service's and the client's."""

    stream: Stream
    client: socket.socket

    def reset(self) -> None:
        """The client goes without a goodbye: the service gets an RST."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A fresh connection, closed at the end."""
    with listen("127.0.0.1", 0) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        stream = Stream(*listener.accept())
    yield Pair(stream, client)
    client.close()
    stream.close()


def fill(stream: Stream) -> int:
    """Sends until the kernel takes nothing more; says how many bytes it took."""
    total = 0
    while taken := stream.send(b"x" * 65_536):
        total += taken
    return total


# -- a stream ---------------------------------------------------------------------------------------------------------
def test_bytes_go_both_ways(pair: Pair) -> None:
    """What one end sends, the other receives; a client that ends its side is an end, and stays one."""
    assert pair.stream.send(b"hello\n") == 6
    assert pair.client.recv(100) == b"hello\n"
    pair.client.sendall(b"ping\n")
    assert pair.stream.receive() == b"ping\n"
    pair.client.shutdown(socket.SHUT_WR)
    assert pair.stream.receive() == b""
    assert pair.stream.receive() == b""
    assert pair.stream.send(memoryview(b"bye\n")) == 4
    assert pair.client.recv(100) == b"bye\n"


def test_a_busy_client_is_received_from_in_larger_pieces(pair: Pair) -> None:
    """A silent client holds a small buffer; after one that was filled comes a large one, and then a small one again."""
    pair.client.sendall(b"x" * (IDLE_RECEIVE_BYTES + RECEIVE_BYTES // 2))
    assert len(pair.stream.receive()) == IDLE_RECEIVE_BYTES
    received = len(pair.stream.receive())
    assert received > IDLE_RECEIVE_BYTES
    assert pair.stream._receive_bytes == IDLE_RECEIVE_BYTES


def test_a_reset_is_an_end_to_who_receives_and_an_error_to_who_sends(pair: Pair) -> None:
    """A client that was cut off looks like one that left; only a send says that nobody takes it."""
    pair.reset()
    assert pair.stream.receive() == b""
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        pair.stream.send(b"anyone?\n")


def test_send_never_waits(pair: Pair) -> None:
    """When the kernel is full a send takes nothing, at once, and goes on when the client has read; no byte is lost."""
    total = fill(pair.stream)
    assert total > 0
    assert pair.stream.send(b"x") == 0
    received = 0
    while received < total:
        received += len(pair.client.recv(1 << 20))
    assert pair.stream.send(b"y") == 1
    assert received == total
    assert pair.client.recv(100) == b"y"


def test_end_of_sending_comes_after_what_was_sent(pair: Pair) -> None:
    """The client reads all, then an end, and can still send."""
    pair.stream.send(b"last words\n")
    pair.stream.end_sending()
    assert pair.client.recv(100) == b"last words\n"
    assert pair.client.recv(100) == b""
    pair.client.sendall(b"ok\n")
    assert pair.stream.receive() == b"ok\n"


def test_a_cut_wakes_the_receiving_thread(pair: Pair) -> None:
    """A thread that waits for data finds the end, or finds it at once if it comes later."""
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(pair.stream.receive()))
    thread.start()
    pair.stream.cut()
    thread.join()
    assert received == [b""]


def test_a_cut_ends_both_ways(pair: Pair) -> None:
    """After a cut nothing can be sent, and the client finds the end."""
    pair.stream.cut()
    with pytest.raises(OSError, match="Broken pipe"):
        pair.stream.send(b"x")
    assert pair.client.recv(100) == b""


@pytest.mark.parametrize("gone", ["reset", "closed"])
def test_ending_what_has_ended_is_no_error(pair: Pair, gone: str) -> None:
    """Each way to end may be taken again, in any order, after the peer is gone and after the close."""
    if gone == "reset":
        pair.reset()
        pair.stream.receive()
    else:
        pair.stream.close()
    for _ in range(2):
        pair.stream.end_sending()
        pair.stream.cut()


def test_close_gives_the_descriptor_back(pair: Pair) -> None:
    """After the close the stream has no descriptor, and the client finds the end."""
    assert pair.stream.fileno() >= 0
    pair.stream.close()
    assert pair.stream.fileno() == -1
    assert pair.client.recv(100) == b""


def test_lines_are_gathered_until_told_otherwise(pair: Pair) -> None:
    """Nagle's algorithm is on for a peer that only listens, and off once lines are to go at once; or it is gone."""
    with socket.fromfd(pair.stream.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
        assert not same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        pair.stream.send_at_once()
        assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    pair.stream.close()
    pair.stream.send_at_once()


def test_peer_is_named_by_its_address(pair: Pair) -> None:
    """A stream knows whom it serves, for the log."""
    assert pair.stream.peer == "127.0.0.1:{1}".format(*pair.client.getsockname())


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 4711), "127.0.0.1:4711"),
        (("::1", 4711, 0, 0), "[::1]:4711"),
        (("fe80::1%eth0", 80, 0, 2), "[fe80::1%eth0]:80"),
    ],
)
def test_addresses_are_written_as_usual(address: tuple[object, ...], text: str) -> None:
    """An IPv6 address stands in brackets, so that its port can be told from it."""
    assert format_address(address) == text


# -- the listening socket ---------------------------------------------------------------------------------------------
def test_port_0_takes_a_free_one() -> None:
    """Two services that ask for any port get one each, and are there at once."""
    with listen("127.0.0.1", 0) as one, listen("localhost", 0) as other:
        assert one.getsockname() != other.getsockname()
        for listener in (one, other):
            socket.create_connection(listener.getsockname()[:2], timeout=PATIENCE).close()


def test_a_taken_port_is_told_with_what_to_do() -> None:
    """A port in use is refused in one line that names it."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1 port {port}: .*in use.* Choose another port"):
            listen("127.0.0.1", port)


def test_a_foreign_address_is_told_with_what_to_do() -> None:
    """An address that is another machine's (RFC 5737, TEST-NET-1) is refused in one line."""
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1 port 0: .*Choose another port or address"):
        listen("192.0.2.1", 0)


def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no resolver knows is refused in one line that names it."""

    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ConfigError, match="'no such host'"):
        listen("no such host", 0)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_what_is_no_host_name_is_told(host: str) -> None:
    """A text that can be no name at all (RFC 1035: labels of 1 to 63 octets) is refused in the same way."""
    with pytest.raises(ConfigError, match=host):
        listen(host, 0)
