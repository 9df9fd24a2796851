"""Real clients on real terminals beside the real service: what people type, and what they then see."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.engines import select
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, enter
from tests.support.terminal import ENVIRONMENT, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engines


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    """The service as its own program."""
    with Process(tmp_path) as service:
        yield service


def forget(service: Process, name: str) -> None:
    """Removes the token that a login at a terminal has left."""
    subprocess.run(
        [sys.executable, "-m", "client", "127.0.0.1", str(service.port), name, "--forget"], cwd=ROOT, check=True
    )


def test_a_first_chat(service: Process, tmp_path: Path) -> None:
    """Register, public and direct messages both ways, leave, a message for one who is away, missed, history, search."""
    with terminal(service) as alice, terminal(service) as bob:
        alice.register("alice")
        bob.register("bob")
        bob.wait_for("Online: alice.")
        alice.wait_for("| 2 online")

        alice.enter("pm")
        alice.wait_for("Message to all:")
        alice.enter("Hello, everyone!")
        alice.wait_for("you: Hello, everyone!")
        bob.wait_for("alice: Hello, everyone!")

        bob.enter("DM")
        bob.wait_for("To:")
        bob.enter("alice")
        bob.wait_for("Message to alice:")
        bob.enter("only for you")
        bob.wait_for("you -> alice (delivered): only for you")
        alice.wait_for("bob -> you: only for you")

        bob.enter("Ex")
        assert bob.wait_for_end() == 0
        alice.wait_for("1 online")
        alice.enter("dm bob until tomorrow")
        alice.wait_for("you -> bob (stored until they log in): until tomorrow")
        alice.enter("dm zoe hi")
        alice.wait_for('there is no user "zoe"')
        alice.enter("/dance")
        alice.wait_for('No operation "dance"')

        forget(service, "bob")
        with terminal(service, "bob") as back:
            back.wait_for("Password for bob:")
            back.enter("wrong password")
            back.wait_for("Wrong name or password")
            back.enter(PASSWORD)
            back.wait_for("1 direct message missed")
            back.enter("missed")
            back.wait_for("alice -> you: until tomorrow")
            back.enter("history")
            back.wait_for("the room: 1 message", "alice: Hello, everyone!")
            back.enter("search EVERY")
            back.wait_for('with "EVERY"')
            back.enter("users")
            back.wait_for("Online (2):", "  alice      bob (you)")
            assert PASSWORD not in "\n".join(back.lines())
            back.enter("ex")
            assert back.wait_for_end() == 0
        alice.enter("ex")
        assert alice.wait_for_end() == 0
    assert select(tmp_path / "chat.db", "SELECT sender, recipient, message FROM history") == [
        ("alice", None, "Hello, everyone!"),
        ("bob", "alice", "only for you"),
        ("alice", "bob", "until tomorrow"),
    ]


def test_the_typed_line_stays_whole(service: Process) -> None:
    """Messages that arrive while a line is typed stand above it, and the line is sent as it was typed."""
    with terminal(service) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        alice.type("pm half a li")
        alice.wait_for("PM/DM/EX> pm half a li")
        for n in range(30):
            bob.ask("pm", message=f"message {n}")
        alice.wait_for("bob: message 29")
        alice.wait_until(lambda lines: lines[-2] == "PM/DM/EX> pm half a li")
        assert [line for line in alice.lines() if "half a li" in line] == ["PM/DM/EX> pm half a li"]
        alice.enter("ne")
        assert bob.read_type("broadcast")["message"] == "half a line"


def test_a_resize_keeps_the_typed_line(service: Process) -> None:
    """On a terminal that becomes narrower the line goes on, and what comes then is wrapped for it."""
    with terminal(service) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        alice.type("pm half a li")
        alice.wait_for("PM/DM/EX> pm half a li")
        alice.program.setwinsize(12, 40)
        alice._screen.resize(12, 40)
        bob.ask("pm", message="a message that is too long for a row of forty columns")
        alice.wait_for("forty columns")
        assert max(map(len, alice.lines())) <= 40
        alice.wait_until(lambda lines: lines[-2] == "PM/DM/EX> pm half a li")
        alice.enter("ne")
        assert bob.read_type("broadcast")["message"] == "half a line"


def test_the_service_goes_away_and_comes_back(service: Process, tmp_path: Path) -> None:
    """The client says so, keeps what is being typed, and goes on when the service is there again."""
    with terminal(service) as alice:
        alice.register("alice")
        alice.type("pm a draft")
        service.stop()
        alice.wait_for("The server is shutting down", "trying again | alice", "PM/DM/EX> pm a draft")
        alice.enter(" is sent")
        alice.type("pm another")
        alice.wait_until(lambda lines: lines[-3:-1] == ["(pending) you: a draft is sent", "PM/DM/EX> pm another"])
        with Process(tmp_path, port=service.port):
            alice.wait_for("connected again", "connected | alice | 1 online")
            alice.wait_until(
                lambda lines: lines[-2] == "PM/DM/EX> pm another" and lines[-3][6:] == "> you: a draft is sent"
            )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_cleanly(service: Process, number: signal.Signals) -> None:
    """The draft is shown, the terminal as it was before, `ex` said, and the status 0; no traceback."""
    with terminal(service) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        alice.type("pm a draft")
        alice.wait_for("PM/DM/EX> pm a draft")
        alice.program.kill(number)
        alice.wait_for("You were typing: pm a draft")
        while bob.read_type("users")["users"] != ["bob"]:
            pass
        alice.wait_until(lambda _: bool(termios.tcgetattr(alice.program.child_fd)[3] & termios.ICANON))
        assert alice.wait_for_end() == 0
        assert "Traceback" not in "".join(alice.lines())


def test_what_is_typed_is_never_echoed(service: Process) -> None:
    """From the first question to the end, between two questions and in a flood of messages, as the terminal tells."""
    with terminal(service) as alice, enter(service.port, "bob") as bob:

        def is_echoing() -> bool:
            return bool(termios.tcgetattr(alice.program.child_fd)[3] & termios.ECHO)

        def wait_for(text: str) -> None:
            def shows(lines: list[str]) -> bool:
                assert not is_echoing()
                return any(text in line for line in lines)

            alice.wait_until(shows, text)

        alice.wait_for("Your name:")
        for typed, text in (
            ("alice", "New password:"),
            (PASSWORD, "The same again:"),
            (PASSWORD, "You are alice."),
            ("", "PM/DM/EX>"),
        ):
            alice.enter(typed)
            wait_for(text)
        for number in range(500):
            bob.send({"command": "pm", "message": f"message {number}"})
        wait_for("message 499")
        alice.enter("ex")
        assert alice.wait_for_end() == 0


def test_a_dumb_terminal(service: Process) -> None:
    """It gets no escape sequence, shows no password, and all that is typed else and said."""
    with terminal(service, under=("env", "TERM=dumb")) as alice, enter(service.port, "bob") as bob:
        shown = io.StringIO()
        alice.program.logfile_read = shown
        alice.register("alice")
        alice.enter("pm hello")
        alice.wait_for("PM/DM/EX> pm hello", "you: hello")
        alice.type("e")
        alice.wait_until(lambda lines: lines[-1] == "PM/DM/EX> e")
        bob.ask("pm", message="and to you")
        alice.wait_until(lambda lines: lines[-2][6:] == "bob: and to you" and lines[-1] == "PM/DM/EX> e")
        alice.type("\x03")
        alice.wait_until(lambda lines: lines[-2:] == ["The line is cleared.", "PM/DM/EX>"])
        alice.enter("ex")
        assert alice.wait_for_end() == 0
    assert re.search("The same again: \r+\n", shown.getvalue())
    assert PASSWORD not in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


def test_the_bar_stands_right_below_a_line_cut_short(service: Process) -> None:
    """A typed line of many rows pushes the bar down; when it is cleared, the bar comes up again."""
    with terminal(service) as alice:
        alice.register("alice")
        for typed, rows in (("pm " + "word " * 60, 4), ("\x15", 1)):
            alice.type(typed)

            def is_below(_: list[str], rows: int = rows) -> bool:
                display = [line.rstrip() for line in alice._screen.display]
                prompt = next(row for row, line in enumerate(display) if line.startswith("PM/DM/EX>"))
                return "alice | 1 online" in display[prompt + rows]

            alice.wait_until(is_below, f"the bar, {rows} below the prompt")


def test_a_terminal_that_is_gone_leaves(service: Process) -> None:
    """When the terminal hangs up the client says goodbye and ends."""
    with terminal(service) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        program: Any = alice.program
        program.ptyproc.fileobj.close()
        while bob.read_type("users")["users"] != ["bob"]:
            pass
        assert alice.program.wait() == 0


def test_suspended_and_back(service: Process) -> None:
    """After Ctrl-Z and fg the typed line is there, and what came meanwhile above it."""
    shell = 'set -m; "$@"; echo suspended; read line; fg'
    with terminal(service, under=("bash", "-c", shell, "bash")) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        alice.type("pm half a li")
        alice.wait_for("PM/DM/EX> pm half a li")
        alice.type("\x1a")
        alice.wait_for("suspended")
        bob.ask("pm", message="meanwhile")
        alice.enter("")
        alice.wait_for("bob: meanwhile")
        alice.wait_until(lambda lines: lines[-2] == "PM/DM/EX> pm half a li")
        alice.enter("ne")
        assert bob.read_type("broadcast")["message"] == "half a line"


def test_leaving_a_server_that_is_stuck(service: Process) -> None:
    """A server that has stopped answering holds up nobody who leaves, whose unconfirmed text is shown."""
    with terminal(service) as alice:
        alice.register("alice")
        service.program.send_signal(signal.SIGSTOP)
        alice.enter("pm a thought")
        alice.enter("ex")
        assert alice.wait_for_end() == 0
        assert "Not confirmed, so perhaps not sent: a thought" in alice.lines()


def test_nothing_hostile_reaches_the_terminal(service: Process) -> None:
    """Escape sequences in a text are shown as text: they neither colour, move nor title anything."""
    with terminal(service) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        hostile = "red \x1b[31m title \x1b]0;owned\x07 up \x9b5A \rover bell\x07 end"
        bob.ask("pm", message=hostile)
        alice.wait_for("end")
        shown = " ".join(alice.lines())
        assert "[31m" in shown
        assert "title" in shown
        assert alice._screen.title != "owned"


def test_a_pipe(service: Process) -> None:
    """A script sends lines and reads what became of them; the password is in a variable."""
    with enter(service.port, "bob") as bob:
        ended = pipe(service, "pm hi\ndm bob one line\nex\n")
        assert (ended.returncode, ended.stderr.count("Traceback")) == (0, 0)
        assert bob.read_type("broadcast")["message"] == "hi"
        assert bob.read_type("direct")["message"] == "one line"
        refused = pipe(service, "dm zoe hi\n")
        assert refused.returncode == 3
        assert 'no user "zoe"' in refused.stderr


def pipe(service: Process, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "client", "127.0.0.1", str(service.port), "alice"],
        cwd=ROOT,
        env=ENVIRONMENT | {"CHAT_PASSWORD": PASSWORD},
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_nobody_there_is_explained() -> None:
    """A port where nothing listens is one clear line and status 1."""
    ended = subprocess.run(
        [sys.executable, "-m", "client", "127.0.0.1", "1", "alice"],
        cwd=ROOT,
        env=ENVIRONMENT | {"CHAT_PASSWORD": PASSWORD},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "127.0.0.1" in ended.stderr
