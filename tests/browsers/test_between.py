"""The proxy of these tests: what it holds does not arrive, and what it drops never does."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.browsers.between import Between
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[Between, socket.socket, socket.socket]]:
    """The proxy, a client of it, and what serves that client."""
    with socket.create_server(("127.0.0.1", 0)) as listener, Between(listener.getsockname()[1]) as between:
        client = socket.create_connection(("127.0.0.1", between.port), PATIENCE)
        service, _ = listener.accept()
        service.settimeout(PATIENCE)
        with client, service:
            yield between, client, service


Ends = tuple[Between, socket.socket, socket.socket]


def test_what_is_held_comes_later(ends: Ends) -> None:
    """One direction at a time."""
    between, client, service = ends
    between.up.hold()
    client.sendall(b"up")
    between.up.wait_for_more(0)
    service.setblocking(False)
    with pytest.raises(BlockingIOError):
        service.recv(1)
    service.settimeout(PATIENCE)
    service.sendall(b"down")
    assert client.recv(9) == b"down"
    between.up.open()
    assert service.recv(9) == b"up"


def test_what_is_cut_never_comes(ends: Ends) -> None:
    """Both ends see their connection end, and what was held is lost."""
    between, client, service = ends
    between.up.hold()
    client.sendall(b"up")
    between.up.wait_for_more(0)
    between.cut()
    between.up.open()
    assert service.recv(9) == b""
    assert client.recv(9) == b""
