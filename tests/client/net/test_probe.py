"""client/net/probe.py: a port that greets nobody may speak TLS, or only be slow."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from client.net import probe
from client.net.connection import CannotConnectError, connect
from service.net.tls import HANDSHAKE
from tests.support.fake_server import TIMEOUT, FakeServer, Peer
from tests.support.helpers import PASSWORD, PATIENCE, ROOT
from tests.support.tls import tls_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tls import Authority


def test_a_script_learns_that_the_port_speaks_tls(tmp_path: Path, authority: Authority) -> None:
    """What to add is all that it says; no further try would help. The service itself would say so much later."""
    with tls_server(tmp_path, authority.issue()) as server:
        ended = subprocess.run(
            [sys.executable, "-m", "client", "127.0.0.1", str(server.port), "alice", "--send", "hi"],
            cwd=ROOT,
            env=os.environ | {"CHAT_PASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    said = f"127.0.0.1, port {server.port}, speaks TLS. Start with --tls (make: TLS=1).\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0"])
def test_a_slow_server_is_not_mistaken(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    """It is asked for TLS on a second connection, answers something else or nothing, and greets in the end."""
    monkeypatch.setattr(probe, "SILENCE", 0.01)

    def script(peer: Peer) -> None:
        second, _ = server._listener.accept()
        with second:
            second.settimeout(TIMEOUT)
            assert second.recv(1) == bytes([HANDSHAKE])
            second.sendall(answer)
        peer.greet()

    with FakeServer(script) as server:
        greeted = connect("127.0.0.1", server.port)
        greeted.leave()
    assert greeted.hello.server == "test"


def test_a_second_connection_that_fails_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is what counts."""
    monkeypatch.setattr(probe, "SILENCE", 0.01)
    refused = threading.Event()

    def script(peer: Peer) -> None:
        refused.wait(TIMEOUT)
        peer.greet()

    with FakeServer(script) as server:
        first = socket.create_connection(("127.0.0.1", server.port))

        def dial(*_: object) -> socket.socket:
            if dialled := dials.pop():
                return dialled
            refused.set()
            raise CannotConnectError("no place is free")

        dials = [None, first]
        monkeypatch.setattr("client.net.connection._dial", dial)
        greeted = connect("127.0.0.1", server.port)
        greeted.leave()
    assert greeted.hello.server == "test"
