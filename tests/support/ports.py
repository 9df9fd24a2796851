"""Helpers for tests of ports: another one of a running server, and what a client hears that is refused there."""

from __future__ import annotations

from contextlib import contextmanager
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
