"""Helpers for tests of ports: another one of a running server, and what a client hears that is refused there."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from service.listeners.admission import JSON, Dialect
from service.listeners.listener import Listener
from service.net.transport import listen
from tests.support.helpers import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.server import Server


@contextmanager
def another_port(server: Server, dialect: Dialect = JSON) -> Iterator[int]:
    """The port of a second listener of that server; nobody is accepted at the end."""
    listening = listen("127.0.0.1", 0)
    listener = Listener(listening, server.admission, lambda: None, dialect)
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


def proxy_v1(host: str, port: int = 4_711) -> bytes:
    """The header of a proxy for a client from there, in version 1."""
    family, own = ("TCP6", "::1") if ":" in host else ("TCP4", "127.0.0.1")
    return f"PROXY {family} {host} {own} {port} 12000\r\n".encode()


def proxy_v2(host: str, port: int = 4_711, extra: bytes = b"") -> bytes:
    """The same in version 2, with further fields."""
    source = ip_address(host)
    own = ip_address("::1" if source.version == 6 else "127.0.0.1")
    block = source.packed + own.packed + port.to_bytes(2, "big") + (12_000).to_bytes(2, "big") + extra
    transport = 0x21 if source.version == 6 else 0x11
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, transport]) + len(block).to_bytes(2, "big") + block
