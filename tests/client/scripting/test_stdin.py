"""Operations from stdin, in this process against a scripted server, and the command line in a process of its own."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from client.chat.actions import Argument, InChat, Operation
from client.chat.operations import OPERATIONS
from client.net.connection import connect
from client.net.link import Link
from client.scripting.stdin import StdinRun
from client.text import hint
from service import programs
from service.wire.protocol import Pm
from tests.support.fake_server import TIME, TIMEOUT, FakeServer, Peer, login_ok

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "securepassword"


def run(script: Callable[[Peer], object], typed: str, **options: Any) -> tuple[int, str, str]:
    """Runs a client that is given `typed` as its whole input; gives its status, stdout and stderr."""
    source, sink = os.pipe()
    with FakeServer(script) as server, os.fdopen(sink, "wb") as keyboard:
        keyboard.write(typed.encode())
        keyboard.close()
        return finish(source, server, **options)


def finish(source: int, server: FakeServer, **options: Any) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    before = set(threading.enumerate())
    try:
        make_link = partial(Link, first=connect("127.0.0.1", server.port))
        status = StdinRun(make_link, source, out, err, **options).run("alice", PASSWORD)
    finally:
        os.close(source)
    assert set(threading.enumerate()) <= before
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("typed", ["pm hi\nex\n", "pm hi\nex\npm never", "pm hi\n", "pm hi", "pm\r\nhi\r\nEX\r\n"])
def test_a_message_and_out(typed: str) -> None:
    """A line is sent and its ack awaited and shown; EX or the end of the input leaves politely with status 0."""

    def script(peer: Peer) -> None:
        command = peer.log_in()
        assert command["password"] == "securepassword"
        assert command["confirm"] is True
        message = peer.expect("pm")
        assert message["message"] == "hi"
        peer.ack(message, 11)
        peer.see_off()

    status, out, err = run(script, typed)
    assert (status, err) == (0, "")
    assert "you: hi\n" in out


def test_each_reply_is_awaited() -> None:
    """The next line is not sent before the reply to the one before it has come."""

    def script(peer: Peer) -> None:
        peer.log_in()
        for number in range(3):
            message = peer.expect("dm")
            assert message["message"] == str(number)
            peer.say(type="broadcast", id=20 + number, time=TIME, from_="bob", message=f"between {number}")
            peer.ack(message, 11 + number, to="bob", status="stored")
        peer.see_off()

    status, out, _ = run(script, "dm bob 0\ndm bob\n1\ndm\nbob\n2\n")
    assert status == 0
    assert out.index("between 0") < out.index("bob (stored until they log in): 0") < out.index("between 1")


@pytest.mark.parametrize(
    ("typed", "expected_status", "complaint"),
    [
        ("nonsense\n", 2, 'No operation "nonsense"'),
        ("dm bob\n", 2, "not sent"),
        ("dm bob\n\n", 2, "DM cancelled"),
        ("search x\nnonsense\n", 3, "Not now"),
    ],
)
def test_what_went_wrong_is_in_the_status(typed: str, expected_status: int, complaint: str) -> None:
    """A mistake gives status 2, a refusal 3, each said on stderr; the lines after it are done all the same."""

    def script(peer: Peer) -> None:
        peer.log_in()
        while (command := peer.hear())["command"] != "ex":
            peer.answer(command, type="error", code="storage_unavailable", message="Not now")
        peer.answer(command, type="bye", reason="exit")

    status, _, err = run(script, typed)
    assert status == expected_status
    assert complaint in err


def test_an_operation_on_rooms_means_the_main_room_by_its_name() -> None:
    """Unless it names another one; whatever the server calls it."""

    def script(peer: Peer) -> None:
        peer.greet(features=["rooms"], main_room="lobby")
        peer.answer(peer.expect("login"), **login_ok())
        command = peer.expect("set_room")
        assert (command["room"], command["topic"]) == ("lobby", "on call: bob")
        peer.answer(command, type="ack", command="set_room", room="lobby")
        peer.see_off()

    assert run(script, "topic on call: bob\n")[0] == 0


def test_a_text_that_is_too_long_is_the_servers_to_refuse() -> None:
    """Status 3, as ever: the next line is not taken for the rest of it."""

    def script(peer: Peer) -> None:
        peer.greet(max_message=5)
        peer.answer(peer.expect("login"), **login_ok())
        peer.answer(peer.expect("pm"), type="error", code="message_too_long", message="too long")
        peer.see_off()

    assert run(script, "pm much too long\n")[0] == 3


def test_a_new_name_is_registered() -> None:
    """A name that is not registered is registered with the same password, and stderr says so."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=False)
        command = peer.expect("register")
        assert command["password"] == "securepassword"
        peer.answer(command, type="error", code="weak_password", message="too short")
        peer.see_off()

    status, out, err = run(script, "pm hi\n")
    assert (status, out) == (4, "")
    assert err == '"alice" is a new name; registering it.\nNot logged in: too short\n'


def test_a_wrong_password() -> None:
    """A refused login ends with status 4; nothing is sent, and the password is in no output."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="error", code="bad_credentials", message="wrong password")
        peer.see_off()

    status, out, err = run(script, "pm hi\n")
    assert (status, out, err) == (4, "", "Not logged in: wrong password\n")


@pytest.mark.parametrize("reply_first", [True, False])
def test_the_server_goes_away(reply_first: bool) -> None:
    """If the server ends while the input is open or a reply awaited, it is said on stderr; the status is 1."""
    source, sink = os.pipe()

    def script(peer: Peer) -> None:
        peer.log_in()
        os.write(sink, b"pm hi\n")
        message = peer.expect("pm")
        if reply_first:
            peer.ack(message, 11)
        peer.say(type="bye", reason="shutdown")

    with FakeServer(script) as server:
        status, _, err = finish(source, server)
    os.close(sink)
    assert status == 1
    assert "shutting down" in err
    assert ("Not confirmed" in err) is not reply_first


def test_a_server_that_does_not_answer() -> None:
    """A reply that does not come within the client's patience ends the run with status 1, and says so."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.expect("login")
        peer.see_off()

    status, _, err = run(script, "pm hi\n", patience=0.05)
    assert (status, err) == (1, "The server has not answered for 0.05 seconds.\n")


def test_what_was_printed_is_confirmed() -> None:
    """Messages that were printed are confirmed at the latest on leaving, and missed ones that were not stay missed."""
    confirmed = []

    def script(peer: Peer) -> None:
        peer.log_in(missed=1)
        command = peer.expect("users")
        peer.say(type="direct", id=12, time=TIME, from_="bob", to="alice", message="psst")
        peer.say(type="broadcast", id=13, time=TIME, from_="bob", message="all")
        peer.answer(command, type="users", users=["alice"], time=TIME)
        command = peer.expect("ex")
        confirmed.extend([seen["ids"] for seen in peer.seen])
        peer.answer(command, type="bye", reason="exit")

    status, out, _ = run(script, "users\n")
    assert status == 0
    assert "bob -> you: psst\n" in out
    assert confirmed == [[12]]


def test_a_reader_that_went_away() -> None:
    """When nobody reads stdout any more the run ends with status 1, and what was not read is not confirmed."""

    class Torn(io.StringIO):
        def write(self, text: str) -> int:
            if "psst" in text:
                raise BrokenPipeError
            return super().write(text)

    def script(peer: Peer) -> None:
        peer.log_in()
        os.write(sink, b"users\n")
        peer.answer(peer.expect("users"), type="users", users=["alice"], time=TIME)
        peer.say(type="direct", id=12, time=TIME, from_="bob", to="alice", message="psst")
        peer.see_off()
        assert peer.seen == []

    source, sink = os.pipe()
    err = io.StringIO()
    with FakeServer(script) as server:
        make_link = partial(Link, first=connect("127.0.0.1", server.port))
        status = StdinRun(make_link, source, Torn(), err).run("alice", PASSWORD)
    assert (status, err.getvalue()) == (1, "")
    os.close(source)
    os.close(sink)


def test_an_operation_is_one_row() -> None:
    """A row that is added to the table is done, and stands in HELP."""

    def script(peer: Peer) -> None:
        peer.log_in()
        message = peer.expect("pm")
        assert message["message"] == "HI THERE"
        peer.ack(message, 11)
        peer.see_off()

    shout = Operation(
        "SHOUT",
        "SHOUT [words]",
        "write in capitals",
        (Argument("What: "),),
        lambda words: Pm(message=words.upper()),
    )
    whisper = Operation(
        "WHISPER", "WHISPER", "say it here only", (), lambda: InChat(lambda chat: chat.show([hint("psst")]))
    )
    status, out, err = run(script, "shout hi there\nwhisper\nhelp\nex\n", operations=(*OPERATIONS, shout, whisper))
    assert (status, err) == (0, "")
    assert "you: HI THERE\npsst\n" in out
    assert re.search(r"^SHOUT \[words\] +write in capitals$", out, re.MULTILINE)


# -- the command line -------------------------------------------------------------------------------------------------
def client(*arguments: str, password: str = "", typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "client", *arguments],
        input=typed,
        env={**os.environ, "CHAT_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=TIMEOUT * 3,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "password", "expected_status", "complaint"),
    [
        (["127.0.0.1", "1", ""], "securepassword", 2, "has to give the name"),
        (["127.0.0.1", "1", "alice"], "", 4, "A script is not asked for the password"),
        (["127.0.0.1", "1", "alice"], "securepassword", 1, "Nothing listens"),
        (["127.0.0.1", "chat", "alice"], "securepassword", 2, "a port is a number"),
        (["127.0.0.1", "0", "alice"], "securepassword", 2, "a port is a number"),
        ([], "", 2, f"Which server? Type: {programs.CLIENT} SERVER PORT [USERNAME]"),
        (["alice"], "", 2, "Which server?"),
        (["a", "1", "alice", "more"], "", 2, "too many words"),
        (["--profile", "work"], "", 2, 'There is no profile "work" in '),
        (["a", "1", "--to", "bob"], "", 2, "--to, --json and --format go with"),
        (["a", "1", "--tail", "--format", "{from.__class__}"], "", 2, "--format: there is no field {from.__class__}"),
        (["a", "1", "--since", "1", "--history", "1"], "", 2, "take one of them"),
        (["a", "1", "--tail", "--to", "bob"], "", 2, "--to goes with"),
        (["a", "1", "--send", "x", "--room", ""], "", 2, "--room: this takes the name of a room"),
        (["a", "1", "--room", "#"], "", 2, "--room: this takes the name of a room"),
        (["a", "1", "--history", "-1"], "", 2, "takes a whole number, not '-1'"),
        (["a", "1", "--since", "9" * 5_000], "", 2, "takes a whole number"),
    ],
)
def test_the_command_line(arguments: list[str], password: str, expected_status: int, complaint: str) -> None:
    """What cannot be done is said on stderr in a line, without a traceback or the password, with its own status."""
    result = client(*arguments, password=password)
    assert result.returncode == expected_status
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert "securepassword" not in result.stdout + result.stderr


def test_help_tells_the_statuses() -> None:
    """--help names the arguments, the variable and the exit statuses."""
    text = client("--help").stdout
    assert all(
        word in text for word in ("SERVER", "PORT", "USERNAME", "CHAT_PASSWORD", "exit status", "4 not logged in")
    )


def test_a_whole_run() -> None:
    """As a user would write it in a shell: the process ends by itself, with what happened on stdout."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.ack(peer.expect("pm"), 11)
        peer.see_off()

    with FakeServer(script) as server:
        result = client("127.0.0.1", str(server.port), "alice", password=PASSWORD, typed="pm hi\nex\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("you: hi\n")
