"""service/supervisor.py: what systemd is told of a service that starts and stops."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from service.supervisor import tell
from tests.support.helpers import PATIENCE, Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def supervisor(name: str) -> Iterator[socket.socket]:
    """A socket as systemd has one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.settimeout(PATIENCE)
        bound.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        yield bound


@pytest.fixture(params=["{}/notify", "@chat{}"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A socket in a folder, or an abstract one."""
    return str(request.param).format(tmp_path)


def test_a_state_and_a_sentence_are_told(name: str) -> None:
    """In one datagram; the sentence is one line."""
    with supervisor(name) as bound:
        tell({"NOTIFY_SOCKET": name}, "READY=1", "on\nport 1")
        assert bound.recv(1_000).decode().splitlines() == ["READY=1", "STATUS=on\u240aport 1"]


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "vsock:2:1", "@" + "x" * 500, "a\0b"])
def test_nobody_there_stops_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, where there should be somebody."""
    tell({"NOTIFY_SOCKET": name}, "READY=1", "")
    assert ("cannot tell READY=1" in caplog.text) == bool(name)


def test_a_supervisor_that_reads_nothing_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once its socket is full, what is told is dropped."""
    name = str(tmp_path / "notify")
    with supervisor(name):
        while not caplog.text:
            tell({"NOTIFY_SOCKET": name}, "READY=1", "")


def test_a_service_says_when_it_is_ready_and_when_it_stops(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready is when clients are accepted; not before."""
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with supervisor(name) as bound, Process(tmp_path) as service:
        assert bound.recv(1_000).decode() == f"READY=1\nSTATUS=listening on port {service.port}\n"
        socket.create_connection(("127.0.0.1", service.port)).close()
        service.program.send_signal(signal.SIGTERM)
        assert bound.recv(1_000).decode() == "STOPPING=1\nSTATUS=stopping\n"
        assert service.wait() == 0
