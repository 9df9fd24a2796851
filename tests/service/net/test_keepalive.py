"""The options by which the kernel notices a peer that vanished. A pulled cable is in tests/system."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from client.net import connection as client_connection
from service.net import keepalive
from service.net.keepalive import KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, PEER_TIMEOUT
from service.net.transport import Stream, listen
from tests.support.fake_server import FakeServer

if TYPE_CHECKING:
    import pytest

    from tests.support.fake_server import Peer

WATCH: Final = {
    name: value
    for name, value in {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE,
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL,
        "TCP_KEEPCNT": KEEPALIVE_COUNT,
        "TCP_USER_TIMEOUT": PEER_TIMEOUT * 1_000,
    }.items()
    if hasattr(socket, name)
}  # those that this system has


def watch_options(connected: socket.socket) -> dict[str, int]:
    """What the kernel was told of vanished peers."""
    assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return {name: connected.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in WATCH}


def test_the_kernel_watches_every_client() -> None:
    """Keep-alive and the time for what is unacknowledged are set on a client's socket."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        stream = Stream(*listener.accept())
        assert watch_options(stream._socket) == WATCH
        stream.close()


def test_the_kernel_watches_the_clients_server() -> None:
    """The client's own socket has the same options."""

    def script(peer: Peer) -> None:
        peer.greet()

    with FakeServer(script) as server:
        connection = client_connection.connect("127.0.0.1", server.port)
        assert watch_options(connection.sock) == WATCH
        connection.leave()


def test_both_ways_of_noticing_take_less_than_ninety_seconds() -> None:
    """Something may be said just before the last probe fails: it is the sum that counts."""
    assert max(PEER_TIMEOUT, KEEPALIVE_IDLE + KEEPALIVE_COUNT * KEEPALIVE_INTERVAL) + PEER_TIMEOUT < 90


def test_a_system_without_these_options_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has keep-alive only, that is set."""
    for name, _ in keepalive.OPTIONS:
        monkeypatch.delattr(socket, name, raising=False)
    with socket.socket() as fresh:
        keepalive.keep_alive(fresh)
        assert fresh.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
