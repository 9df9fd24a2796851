"""service/admin/live.py: the running service, for orders."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from service.admin.live import LiveService
from service.config import Settings
from service.errors import StorageUnavailable
from tests.support.helpers import Wire, enter, running_server

if TYPE_CHECKING:
    from pathlib import Path


def test_it_acts_on_the_delivery_thread(tmp_path: Path) -> None:
    """The roster is that thread's alone."""
    with running_server(tmp_path) as server, enter(server.port, "alice"), enter(server.port, "alice"):
        live = LiveService(server.services, server.places.connections)
        user_id = server.services.accounts.find_id("alice")
        assert user_id is not None
        assert live.run(lambda: (threading.current_thread().name, live.count_sessions(user_id))) == ("chat-delivery", 2)
        server.services.storage.release()


def test_a_fault_there_is_an_error_here(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log has it; the delivery goes on."""
    with running_server(tmp_path) as server, pytest.raises(StorageUnavailable, match="look into its log"):
        LiveService(server.services, server.places.connections).run(lambda: 1 // 0)
    assert "a delivery failed" in caplog.text


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, ""),
        ({"web_port": 8080}, "http://127.0.0.1:8080"),
        ({"web_port": 8443, "tls_cert": "cert.pem"}, "https://127.0.0.1:8443"),
        ({"web_port": 8080, "tls_cert": "cert.pem", "web_tls": "no"}, "http://127.0.0.1:8080"),
        ({"web_port": 8080, "host": "::1"}, "http://[::1]:8080"),
        ({"web_port": 8080, "web_host": "0.0.0.0"}, "http://localhost:8080"),  # noqa: S104
        ({"web_port": 8080, "host": "::", "web_name": ("chat.example", "other")}, "http://chat.example:8080"),
    ],
)
def test_the_web_address_is_known_from_the_settings(settings: dict[str, Any], address: str) -> None:
    """Without a web port there is none."""
    services = Mock(settings=Settings(**settings))
    assert LiveService(services, list).web_address == address


def test_who_is_logged_in_is_online(tmp_path: Path) -> None:
    """By name, each session; who is only connected is counted."""
    with running_server(tmp_path) as server, enter(server.port, "bob"), enter(server.port, "alice") as alice:
        live = LiveService(server.services, server.places.connections)
        with Wire(server.port):
            assert live.load().connections == 3
            first, second = live.online()
        assert (first.name, second.name, first.way, first.waiting_bytes) == ("alice", "bob", "plain", 0)
        assert first.peer.endswith(f":{alice.socket.getsockname()[1]}")
        assert first.since.startswith("20")
