"""Programs for WebSockets that others wrote, against the running service: they need nothing but its address."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.helpers import PASSWORD, PATIENCE, enter
from tests.support.web import running_web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.support.tls import Authority
    from tests.support.web import Web

WSCAT = shutil.which("wscat")
REGISTER = {"command": "register", "username": "alice", "password": PASSWORD}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A service with a web port."""
    with running_web(tmp_path) as web:
        yield web


def ask(client: ClientConnection, type_: str, **command: Any) -> dict[str, Any]:
    """Sends a command, and returns the first line of that type; a message may bring several."""
    client.send(json.dumps(command))
    while True:
        for line in str(client.recv(PATIENCE)).splitlines():
            event: dict[str, Any] = json.loads(line)
            if event["type"] == type_:
                return event


def read_to_end(client: ClientConnection, lines: list[str]) -> None:
    """Reads into `lines` until the connection is closed, which the library raises."""
    while True:
        lines += str(client.recv(PATIENCE)).splitlines()


def test_a_program_chats_with_a_terminal(web: Web) -> None:
    """It asks for compression and gets none; its fragments are one message, its pings are answered, its Close too."""
    with connect(f"ws://{web.host}/chat", open_timeout=PATIENCE) as client, enter(web.server.port, "bob") as bob:
        assert client.protocol.extensions == []
        ask(client, "login_ok", **REGISTER)
        client.send(['{"command":"pm",', '"message":"h', '€llo"}'])
        assert bob.read_type("broadcast")["message"] == "h€llo"
        bob.ask("pm", message="hi")
        assert ask(client, "broadcast", command="ping")["message"] == "hi"
        assert client.ping(b"there?").wait(PATIENCE)
        client.close(1000, "bye")
        assert (client.protocol.close_rcvd and client.protocol.close_rcvd.code) == 1000


def test_a_program_chats_in_tls(tmp_path: Path, authority: Authority) -> None:
    """With the service's certificate; a message as long as any is whole in both directions."""
    pair, text = authority.issue(), "x" * 4_096
    with (
        running_web(tmp_path, tls_cert=pair.cert, tls_key=pair.key) as web,
        connect(f"wss://{web.host}/chat", ssl=authority.trusting(), open_timeout=PATIENCE) as client,
    ):
        ask(client, "login_ok", **REGISTER)
        ask(client, "ack", command="pm", message=text)
        (message,) = ask(client, "history", command="history")["messages"]
        assert message["message"] == text


def test_a_program_is_told_why_it_is_closed(web: Web) -> None:
    """By lines like every client, and by the code of the Close."""
    with connect(f"ws://{web.host}/chat", open_timeout=PATIENCE) as client:
        client.send(b"binary")
        lines: list[str] = []
        with pytest.raises(ConnectionClosed) as closed:
            read_to_end(client, lines)
    assert [json.loads(line)["type"] for line in lines] == ["hello", "error", "bye"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


@pytest.mark.skipif(WSCAT is None, reason="no wscat here: npm install -g wscat")
def test_wscat_chats(web: Web) -> None:
    """What it sends has no line ends."""
    commands = [REGISTER, {"command": "pm", "message": "h€llo"}, {"command": "ex"}]
    options = [word for command in commands for word in ("--execute", json.dumps(command))]
    with (
        enter(web.server.port, "bob") as bob,
        subprocess.Popen(
            [str(WSCAT), "--no-color", "--wait", "-1", *options, "--connect", f"ws://{web.host}/chat"],
            stdin=subprocess.PIPE,  # at whose end it would leave
            stdout=subprocess.PIPE,
        ) as wscat,
    ):
        assert bob.read_type("broadcast")["message"] == "h€llo"
        assert wscat.stdout is not None
        shown = wscat.stdout.read().decode()
        assert wscat.wait(PATIENCE) == 0
    for type_ in ("hello", "login_ok", "ack", "bye"):
        assert f'{{"type":"{type_}"' in shown
