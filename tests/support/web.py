"""Helpers for tests of the web port: a server that has one, and requests as bytes. Holds no test."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.helpers import PATIENCE, free_port, running_server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


class Web(NamedTuple):
    """A running server and its web port."""

    server: Server
    port: int

    @property
    def host(self) -> str:
        """As a browser on this machine calls it."""
        return f"127.0.0.1:{self.port}"


class Reply(NamedTuple):
    """What came back; names of fields in small letters."""

    status: int
    fields: dict[str, str]
    body: bytes


@contextmanager
def running_web(folder: Path, **settings: Any) -> Iterator[Web]:
    """Yields a server in this process with a web port."""
    port = free_port()
    with running_server(folder, web_port=port, **settings) as server:
        yield Web(server, port)


def ask(
    port: int,
    target: str,
    *fields: str,
    method: str = "GET",
    host: str | None = None,
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Sends a request with these lines as fields, and returns the answer; the Host is that of the port by default."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host if host is not None else f'127.0.0.1:{port}'}", *fields]
    return send(port, "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + body, method, tls)


def send(port: int, data: bytes, method: str = "GET", tls: ssl.SSLContext | None = None) -> Reply:
    """Sends bytes, and returns the answer. Raises HTTPException where there is none."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connected:
        peer = tls.wrap_socket(connected, server_hostname="localhost") if tls is not None else connected
        with peer:
            peer.sendall(data)
            response = HTTPResponse(peer, method=method)
            response.begin()
            content = b"" if response.status == 101 else response.read()
            return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
