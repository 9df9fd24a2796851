"""service/listeners/acceptor.py: the loop that accepts, and clients that are sent away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.listeners.acceptor import REFUSED_KEPT
from tests.support.helpers import Wire, enter, running_server, until
from tests.support.ports import another_port, refusal_at

if TYPE_CHECKING:
    from pathlib import Path


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
        refused = server._listener._acceptor._refused
        until(lambda: len(refused) == REFUSED_KEPT)
        assert all(sock.fileno() >= 0 for sock in refused)


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
