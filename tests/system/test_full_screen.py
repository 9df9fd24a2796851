"""The full screen on a real terminal: what it costs under a flood, and that the terminal is as before afterwards."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pexpect
import pyte
import pytest

from tests.support.fake_server import TIME, FakeServer, Peer, login_ok
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, enter
from tests.support.terminal import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL: Final = ("alice", "--full")
LAG: Final = 0.2  # seconds, of a line to the other side of the world
FRAME: Final = b"\x1b[?25l"  # each frame begins with it
MOST_FRAMES: Final = 10  # a second, for what arrives
MOST_BYTES: Final = 6_000  # of a frame on a screen of 80 by 24 whose every cell may change, with its colours


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    """The service as its own program."""
    with Process(tmp_path) as service:
        yield service


def register(alice: Terminal) -> None:
    """Goes from the first question to the conversation as a new user."""
    alice.wait_for("New password:")
    alice.enter(PASSWORD)
    alice.wait_for("The same again:")
    alice.enter(PASSWORD)
    alice.wait_for("Nothing was said here yet.", "You are alice.", "all>")


def test_a_chat(service: Process) -> None:
    """People write, rooms are made and left; afterwards the terminal shows and does what it did before."""
    with terminal(service, *FULL) as alice, enter(service.port, "bob") as bob:
        register(alice)
        bob.ask("pm", message="good morning")
        alice.wait_for("bob: good morning", " all", "2 online")
        alice.enter("/create ops Deploys")
        alice.wait_for(">2 #ops", " #ops  Deploys", "#ops>")
        alice.enter("first")
        alice.wait_for("> you: first")
        bob.ask("pm", message="alice, where are you?")
        alice.wait_until(lambda lines: any(" 1 all  " in line and "  1* " in line for line in lines))
        alice.type("\x1b1")
        alice.wait_for("-- 1 unread --", "bob: alice, where are you?", "all>")
        alice.enter("/ex")
        assert alice.wait_for_end() == 0
        assert not alice.lines()


def test_suspended_and_back(service: Process) -> None:
    """After Ctrl-Z the shell has its screen; after fg the line is there, and what came meanwhile."""
    shell = 'set -m; "$@"; echo suspended; read line; fg'
    with terminal(service, *FULL, under=("bash", "-c", shell, "bash")) as alice, enter(service.port, "bob") as bob:
        register(alice)
        alice.type("half a li")
        alice.wait_for("all> half a li")
        alice.type("\x1a")
        alice.wait_until(lambda lines: "suspended" in "".join(lines) and "all>" not in "".join(lines))
        bob.ask("pm", message="meanwhile")
        alice.enter("")
        alice.wait_for("bob: meanwhile", "all> half a li")
        alice.enter("ne")
        assert bob.read_type("broadcast")["message"] == "half a line"


def test_a_terminal_that_only_takes_text(service: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the chat in lines, and is told why."""
    program = pexpect.spawn(
        sys.executable,
        ["-m", "client", "127.0.0.1", str(service.port), *FULL],
        cwd=str(ROOT),
        env=os.environ | {"TERM": "dumb"},
        encoding="utf-8",
        timeout=PATIENCE,
    )
    program.expect("needs a terminal that can move its cursor")
    program.expect("New password:")
    program.send("\x04")
    program.expect(pexpect.EOF)
    program.close()


def test_a_flood_over_a_slow_line() -> None:
    """Of 200 messages a second a terminal that is 200 ms away gets ten frames a second, and each is small."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
        peer.answer(peer.expect("login"), **login_ok())
        peer.answer(peer.expect("history"), type="history", messages=[], more=False)
        for number in range(11, 311):
            said = f"message {number} of many: {'the deploy is done ' * (number % 5)}"
            peer.say(type="broadcast", id=number, time=TIME, from_=f"user{number % 30}", message=said)
            time.sleep(1 / 200)
        peer.see_off()

    with FakeServer(script) as server:
        program: Any = pexpect.spawn(
            sys.executable,
            ["-m", "client", "127.0.0.1", str(server.port), *FULL],
            cwd=str(ROOT),
            env=os.environ | {"TERM": "xterm-256color"},
            dimensions=(24, 80),
            timeout=PATIENCE,
        )
        program.expect("Password")
        program.send(f"{PASSWORD}\r")
        began, written = time.monotonic(), b""
        screen = pyte.Screen(80, 24)
        stream = pyte.ByteStream(screen)
        while not any("message 310" in row for row in screen.display):
            time.sleep(LAG)
            some = program.read_nonblocking(1 << 16, timeout=PATIENCE)
            written += some
            stream.feed(some)
        seconds = time.monotonic() - began
        program.send("\x04")
        program.expect(pexpect.EOF)
        program.close()
    frames = written.count(FRAME)
    assert frames <= MOST_FRAMES * seconds + 10  # those for keys, and the first ones
    assert len(written) <= frames * MOST_BYTES
