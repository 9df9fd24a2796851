"""The client at a terminal: a keyboard made of a pipe, a screen that remembers what was written to it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import ColorDepth, DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from client.memory import Memory
from client.net.connection import ConnectionLostError, connect
from client.net.features import Wishes
from client.net.link import Link
from client.settings import Profile
from client.terminal import app
from client.terminal.app import Terminal
from client.terminal.printer import Printer
from client.text import Line, named
from service.clock import format_time, utcnow
from tests.support.fake_server import TIME, TIMEOUT, FakeServer, Peer, login_ok, room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from prompt_toolkit.input import PipeInput

    from client.session import MakeLink


PROFILE = Profile("127.0.0.1", 1)


class Screen(DummyOutput):
    """Remembers all that was written; any thread may wait for a text."""

    def __init__(self) -> None:
        self.text = ""
        self._changed = threading.Condition()

    def erase_down(self) -> None:
        self.write("<erased>")

    def write(self, data: str) -> None:
        with self._changed:
            self.text += data
            self._changed.notify_all()

    def write_raw(self, data: str) -> None:
        self.write(data)

    def bell(self) -> None:
        self.write("<bell>")

    def wait_for(self, text: str) -> None:
        self.wait_for_match(re.escape(text))

    def wait_for_match(self, pattern: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: re.search(pattern, self.text), TIMEOUT), self.text


def with_rooms(make_link: Callable[..., Link], profile: Profile) -> Terminal:
    """A terminal that asks for rooms, as the client does."""
    return Terminal(partial(make_link, wishes=Wishes(rooms=True, presence=True)), profile)


class Desk:
    """A keyboard and a screen."""

    def __init__(self, keyboard: PipeInput) -> None:
        self.type = keyboard.send_text
        self.screen = Screen()
        self.keyboard = keyboard

    def chat(
        self, script: Callable[[Peer], object], name: str = "alice", make: Callable[..., Terminal] = Terminal
    ) -> int:
        """Runs a client against `script` until it ends; gives its status. No thread is left."""
        before = set(threading.enumerate())

        async def run(port: int) -> int:
            return await make(partial(Link, first=connect("127.0.0.1", port)), replace(PROFILE, name=name)).run()

        with FakeServer(script) as server, create_app_session(self.keyboard, self.screen):
            during = set(threading.enumerate())
            status = asyncio.run(run(server.port))
            assert set(threading.enumerate()) <= during
        assert set(threading.enumerate()) <= before
        return status


@pytest.fixture(name="desk")
def new_desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    with create_pipe_input() as keyboard:
        yield Desk(keyboard)


def test_login_and_leave(desk: Desk) -> None:
    """The name is asked for, the password not shown, the welcome shown; EX leaves with status 0."""

    def script(peer: Peer) -> None:
        command = peer.log_in()
        assert (command["username"], command["password"], command["confirm"]) == ("alice", "securepassword", True)
        peer.see_off()

    desk.type("alice\rsecurepassword\rex\r")
    assert desk.chat(script, name="") == 0
    assert "Nothing missed." in desk.screen.text
    assert "securepassword" not in desk.screen.text


@pytest.mark.parametrize("forced", ["0", "1"])
def test_links(desk: Desk, monkeypatch: pytest.MonkeyPatch, forced: str) -> None:
    """A URL in a message is a link where the terminal takes links, and nowhere else."""
    monkeypatch.setenv("FORCE_HYPERLINK", forced)

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="see https://chat.example/ now")
        desk.screen.wait_for("see ")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)
    link = "\x1b]8;;https://chat.example/\x1b\\"
    assert (f"see {link}https://chat.example/\x1b]8;;\x1b\\ now" in desk.screen.text) is (forced == "1")
    assert ("\x1b]8" in desk.screen.text) is (forced == "1")


def test_presence_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes and goes is told by the loop, in one line, without a key or a message."""
    monkeypatch.setattr("client.chat.presence.FOLD", 0.0)

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.say(type="users", users=["alice", "zoe"], time=TIME)
        desk.screen.wait_for("-- zoe is online, bob is gone")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script) == 0


def test_a_wrong_password_is_asked_again(desk: Desk) -> None:
    """After a wrong password the reason is shown, and the next one is tried on the same connection."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
        peer.answer(peer.expect("login"), type="error", code="bad_credentials", message="wrong password")
        command = peer.expect("login")
        assert command["password"] == "securepassword"
        peer.answer(command, **login_ok())
        peer.see_off()

    desk.type("mistyped1\rsecurepassword\rex\r")
    assert desk.chat(script) == 0
    assert "Wrong password.\r\n" in desk.screen.text


def test_a_new_name_is_registered(desk: Desk) -> None:
    """A new name is said to be new; its password is asked twice, until both are the same and good enough."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=False)
        peer.answer(peer.expect("register"), type="error", code="weak_password", message="too short")
        command = peer.expect("register")
        assert command["password"] == "securepassword"
        peer.answer(command, **login_ok())
        peer.see_off()

    desk.type("one\rother\rshort\rshort\rsecurepassword\rsecurepassword\rex\r")
    assert desk.chat(script) == 0
    for text in ("new name", "The two differ", "Too short."):
        assert text in desk.screen.text


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ({"type": "error", "code": "invalid_username", "message": "no spaces"}, "No spaces."),
        ({"type": "password_required", "username": "x", "registered": False}, "takes no new names"),
    ],
)
def test_a_useless_name_is_asked_again(desk: Desk, reply: dict[str, Any], text: str) -> None:
    """A name that cannot log in here is explained, and another one asked for."""

    def script(peer: Peer) -> None:
        peer.greet(registration="closed")
        peer.answer(peer.expect("login"), **reply)
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
        peer.answer(peer.expect("login"), **login_ok())
        peer.see_off()

    desk.type("alice\rsecurepassword\rex\r")
    assert desk.chat(script, name="a b") == 0
    assert text in desk.screen.text


def test_a_server_that_goes_away_at_the_login_ends_the_client(desk: Desk) -> None:
    """It says what to do: before the login the client does not come back by itself."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)

    assert desk.chat(script) == 1
    said = desk.screen.text.replace("<erased>", "")  # the line being typed may go before or between
    assert "The server went away.\r\nYou are not logged in. Start again.\r\n" in said


def test_an_empty_password_asks_for_another_name(desk: Desk) -> None:
    """Enter at the password leads back to the name."""

    def script(peer: Peer) -> None:
        peer.greet()
        for name, registered in (("alicia", False), ("alicja", True), ("alice", True)):
            command = peer.expect("login")
            assert command["username"] == name
            peer.answer(command, type="password_required", username=name, registered=registered)
        peer.answer(peer.expect("login"), **login_ok())
        peer.see_off()

    desk.type("\ralicja\r\ralice\rsecurepassword\rex\r")
    assert desk.chat(script, name="alicia") == 0


def test_messages_appear_while_a_line_is_typed(desk: Desk) -> None:
    """What arrives is shown at once; the half-typed line stays and is sent whole."""

    def script(peer: Peer) -> None:
        peer.log_in()
        desk.screen.wait_for("PM/DM/EX>")
        desk.type("pm hal")
        desk.screen.wait_for("hal")
        now = format_time(utcnow())  # of an earlier day it would come with a line for the day
        peer.say(type="broadcast", id=11, time=now, from_="bob", message="wait\x1b[2J!")
        # The typed line makes space, and is drawn again below; the escape sequence is its sender's, made visible.
        desk.screen.wait_for_match(r"<erased>[-:0-9 ]+bob: wait\u241b\[2J!\s+<erased>PM/DM/EX> pm hal")
        desk.type("f a loaf\r")
        message = peer.expect("pm")
        assert message["message"] == "half a loaf"
        peer.ack(message, 12)
        desk.screen.wait_for("half a loaf")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script) == 0


def test_the_bell_rings_for_the_user_who_is_meant(desk: Desk) -> None:
    """A direct message and a mention ring; what is said to all does not."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="good morning")
        desk.screen.wait_for("good morning")
        assert "<bell>" not in desk.screen.text
        peer.say(type="broadcast", id=12, time=TIME, from_="bob", message="are you there, alice?")
        desk.screen.wait_for("there, ")
        desk.screen.wait_for("<bell>")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script) == 0
    assert desk.screen.text.count("<bell>") == 1


def test_reading_older(desk: Desk) -> None:
    """Page Up shows what came before on the whole screen; what comes meanwhile is counted, and follows."""

    def script(peer: Peer) -> None:
        peer.log_in()
        command = peer.expect("history")
        assert "before" not in command
        older = [{"id": 7, "time": TIME, "from": "bob", "message": "the older one"}]
        peer.answer(command, type="history", messages=older, more=True)
        command = peer.expect("history")
        assert command["before"] == 7
        peer.answer(command, type="history", messages=[], more=False)
        desk.screen.wait_for("-- the beginning --")
        peer.say(type="direct", id=11, time=TIME, from_="bob", to="alice", message="a new one")
        desk.screen.wait_for_match("1 n")  # where the row was blank or had other letters
        assert "a new one" not in desk.screen.text
        desk.type("q")
        desk.screen.wait_for("a new one")
        desk.type(" a loaf\r")
        assert peer.expect("pm")["message"] == "half a loaf"
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\rpm half\x1b[5~")
    assert desk.chat(script) == 0
    assert desk.screen.text.count("<bell>") == 1


def test_nothing_older(desk: Desk) -> None:
    """Where HISTORY has shown the beginning, OLDER says so in the chat."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.answer(peer.expect("history"), type="history", messages=[], more=False)
        desk.screen.wait_for("No messages")
        desk.type("older\r")
        desk.screen.wait_for("Nothing older.")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\rhistory\r")
    assert desk.chat(script) == 0


def test_the_end_ends_reading(desk: Desk) -> None:
    """A connection that is lost for good ends reading, and the chat with it."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.expect("history")
        desk.screen.wait_for("loading")
        peer.say(type="bye", reason="kicked")

    desk.type("securepassword\rolder\r")
    assert desk.chat(script) == 1


def test_older_on_a_dumb_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the page is printed, by OLDER and by Page Up, and the typed line stays."""
    monkeypatch.setenv("TERM", "dumb")

    def script(peer: Peer) -> None:
        peer.log_in()
        for number in (7, 6):
            page = [{"id": number, "time": TIME, "from": "bob", "message": f"message {number}"}]
            peer.answer(peer.expect("history"), type="history", messages=page, more=True)
            desk.screen.wait_for(f"message {number}")
            desk.type("pm half\x1b[5~" if number == 7 else " a loaf\r")
        assert peer.expect("pm")["message"] == "half a loaf"
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\rolder\r")
    assert desk.chat(script) == 0


def test_alt_enter(desk: Desk) -> None:
    """It begins a new line of the message; in a password, or a name, it does nothing."""

    def script(peer: Peer) -> None:
        assert peer.log_in()["password"] == "securepassword"
        assert peer.expect("pm")["message"] == "one\ntwo"
        assert peer.expect("dm")["message"] == "three\n\nfour"
        desk.type("ex\r")
        peer.see_off()

    desk.type("secure\x1b\rpassword\rpm one\x1b\rtwo\rdm bob\rthree\x1b\r\x1b\rfour\r")
    assert desk.chat(script) == 0


def test_questions_and_completion(desk: Desk) -> None:
    """DM asks for the recipient and the message; Tab completes an operation and a name."""

    def script(peer: Peer) -> None:
        peer.log_in()
        message = peer.expect("dm")
        assert (message["to"], message["message"]) == ("bob", "hello there")
        peer.ack(message, 11, to="bob", status="delivered")
        assert peer.expect("history")["with"] == "bob"
        peer.see_off()

    desk.type("securepassword\rdm\rb\t\rhello there\rhis\t b\t\rex\r")
    assert desk.chat(script) == 0
    assert "To:" in desk.screen.text
    assert "Message to bob:" in desk.screen.text


@pytest.mark.parametrize("keys", ["\x03\x03", "\x04", "half a line\x03\x03\x03"])
@pytest.mark.parametrize("before", ["", "securepassword\r", "securepassword\rdm\r\x03"])
def test_ctrl_c_and_ctrl_d_leave(desk: Desk, keys: str, before: str) -> None:
    """Ctrl-D on an empty line, or Ctrl-C twice, says `ex` and leaves with status 0; Ctrl-C first clears a line."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
        if before:
            peer.answer(peer.expect("login"), **login_ok())
        peer.see_off()

    desk.type(before + keys)
    assert desk.chat(script) == 0
    said = "so do EX and Ctrl-D." if before else "so does Ctrl-D."
    assert (f"Ctrl-C once more leaves; {said}" in desk.screen.text) is ("\x03" in keys)


def test_ctrl_c_cancels_a_question(desk: Desk) -> None:
    """Ctrl-C at the empty answer of an operation cancels it, and a cleared line is not sent."""

    def script(peer: Peer) -> None:
        peer.log_in()
        message = peer.expect("pm")
        assert message["message"] == "sent"
        peer.ack(message, 11)
        peer.see_off()

    desk.type("securepassword\rdm\r\x03pm not this\x03pm sent\rex\r")
    assert desk.chat(script) == 0
    assert "DM cancelled." in desk.screen.text


@pytest.mark.parametrize("half", ["", "pm half a line", "dm\r"])
def test_the_server_goes_away(desk: Desk, half: str) -> None:
    """When the server ends, the question ends too; the reason and the draft are shown, and the status is 1."""

    def script(peer: Peer) -> None:
        peer.log_in()
        desk.screen.wait_for("PM/DM/EX>")
        desk.type(half)
        desk.screen.wait_for({"dm\r": "To:"}.get(half, half))
        peer.say(type="bye", reason="shutdown")

    desk.type("securepassword\r")
    assert desk.chat(script) == 1
    assert "The server is shutting down." in desk.screen.text
    assert ("You were typing: pm half a line" in desk.screen.text) is (half == "pm half a line")


def test_the_server_goes_away_before_the_login(desk: Desk) -> None:
    """A connection that ends at the password question ends the client with its reason."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
        desk.screen.wait_for("Password for alice:")
        peer.say(type="error", code="login_timeout", message="Too slow.", fatal=True)

    assert desk.chat(script) == 1
    assert "Too slow." in desk.screen.text


def test_an_unconfirmed_message_is_not_lost_from_sight(desk: Desk) -> None:
    """If the connection ends before the ack, the text is shown again."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.expect("pm")

    desk.type("securepassword\rpm a long thought\r")
    assert desk.chat(script) == 1
    assert "Not confirmed, so perhaps not sent: a long thought" in desk.screen.text.replace("\r\n", "")


def test_missed_messages_are_confirmed_before_the_next_page(desk: Desk) -> None:
    """MISSED typed again first confirms the page that was shown, so that the service gives the next one."""

    def script(peer: Peer) -> None:
        peer.log_in(missed=2)
        peer.answer(peer.expect("missed"), type="missed", messages=[], more=False)
        for message_id, more in ((4, True), (5, False)):
            message = {"id": message_id, "time": TIME, "from": "bob", "to": "alice", "message": f"news {message_id}"}
            peer.answer(peer.expect("missed"), type="missed", messages=[message], more=more)
            desk.screen.wait_for(f"news {message_id}")
            desk.type("missed\r" if more else "ex\r")
        peer.see_off()
        assert [seen["ids"] for seen in peer.seen] == [[4], [5]]

    desk.type("securepassword\rmissed\r")
    assert desk.chat(script) == 0


def test_what_comes_while_leaving_is_shown(desk: Desk) -> None:
    """A message that arrives between EX and the server's bye is on the screen at the end."""

    def script(peer: Peer) -> None:
        peer.log_in()
        command = peer.expect("ex")
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="bye alice")
        peer.answer(command, type="bye", reason="exit")

    desk.type("securepassword\rex\r")
    assert desk.chat(script) == 0
    assert "bye alice" in desk.screen.text


def test_a_loss_between_two_questions(desk: Desk) -> None:
    """A connection that is lost while no question is open lets no further one be asked."""

    async def ask(port: int) -> None:
        terminal = Terminal(partial(Link, first=connect("127.0.0.1", port)), PROFILE)
        assert isinstance(terminal._logins.history, DummyHistory)  # and no arrow key brings a password back
        terminal._end(ConnectionLostError("gone"))
        try:
            await terminal._ask(terminal._operations, "never: ")
        finally:
            terminal._session.leave()

    with (
        FakeServer(Peer.greet) as server,
        create_app_session(desk.keyboard, desk.screen),
        pytest.raises(ConnectionLostError, match="gone"),
    ):
        asyncio.run(ask(server.port))
    assert "never" not in desk.screen.text


def test_what_arrives_while_an_editor_is_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not written over the editor, nor confirmed; it is shown afterwards."""
    editing, arrived = threading.Event(), threading.Event()
    terminals: list[Terminal] = []

    class Watched(Printer):
        def show(self, lines: Sequence[Line]) -> None:
            super().show(lines)
            if any("news" in line.text for line in lines):
                arrived.set()

    def edit(_: str) -> str:
        editing.set()
        assert arrived.wait(TIMEOUT)
        (terminal,) = terminals
        for _turn in range(20):  # turns in which the loop could have written it
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), terminal._loop).result(TIMEOUT)
        terminal._session._confirmer.confirm()
        assert terminal._session.link.outstanding() == 0
        assert "news" not in desk.screen.text
        return "a text"

    def make(make_link: MakeLink, profile: Profile) -> Terminal:
        terminals.append(Terminal(make_link, profile, editor=edit))
        return terminals[0]

    def script(peer: Peer) -> None:
        peer.log_in()
        assert editing.wait(TIMEOUT)
        peer.say(type="direct", id=11, time=TIME, from_="bob", to="alice", message="news")
        message = peer.expect("pm")
        assert message["message"] == "a text"
        desk.screen.wait_for("news")
        peer.ack(message, 12)
        desk.type("ex\r")
        peer.see_off()
        assert peer.seen[-1]["id"] >= 11

    monkeypatch.setattr(app, "Printer", Watched)
    desk.type("securepassword\redit\r")
    assert desk.chat(script, make=make) == 0


def test_a_pasted_password(desk: Desk) -> None:
    """A line end that comes with a pasted password is no part of it; Ctrl-C cancels its change, and does not leave."""

    def script(peer: Peer) -> None:
        assert peer.log_in()["password"] == "securepassword"
        desk.screen.wait_for("PM/DM/EX>")
        desk.type("password\r\x03")
        desk.screen.wait_for("The password stays as it was.")
        desk.type("ex\r")
        peer.see_off()

    desk.type("\x1b[200~securepassword\r\n\x1b[201~\r")
    assert desk.chat(script) == 0


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_none_are_wanted(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """With NO_COLOR nothing is coloured; a dumb terminal gets no escape sequence at all."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    written = io.StringIO()
    target = Vt100_Output(
        written, lambda: Size(24, 80), term=os.environ["TERM"], default_color_depth=ColorDepth.from_env()
    )

    async def chat(port: int) -> None:
        terminal = Terminal(partial(Link, first=connect("127.0.0.1", port)), PROFILE)
        terminal._printer.show([Line(named("bob"), ("trouble", ": hi"))])
        terminal._printer.print()
        terminal._session.leave()

    with (
        create_pipe_input() as keyboard,
        create_app_session(keyboard, target),
        FakeServer(Peer.greet) as server,
    ):
        asyncio.run(chat(server.port))
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", written.getvalue()))
    assert codes <= ({"0", "0;1"} if value == "1" else set())
    assert "bob" in written.getvalue()


def test_what_was_said_once_holds_at_the_next_start(desk: Desk, tmp_path: Path) -> None:
    """Plain typing, whom the user has muted and what was typed are there again; passwords and answers are not."""

    def first(peer: Peer) -> None:
        peer.log_in()
        peer.ack(peer.expect("pm"), 11)
        peer.see_off()

    def second(peer: Peer) -> None:
        peer.log_in()
        peer.ack(peer.expect("pm"), 12)
        peer.see_off()

    def remember(name: str) -> Memory:
        return Memory(tmp_path, "localhost", 1, name)

    make = partial(Terminal, remember=remember)
    desk.type("securepassword\rgood morning\ryes\rmute bob\rex\r")
    assert desk.chat(first, make=make) == 0
    assert 'Send "good morning" to everyone, and such lines from now on? y/n' in desk.screen.text
    desk.type("securepassword\rand you?\rmute\rex\r")
    assert desk.chat(second, make=make) == 0
    kept = Memory(tmp_path, "LOCALHOST", 1, "Alice")
    assert (kept.talk, kept.muted) == ("all", ("bob",))
    assert "bob is muted." in desk.screen.text.partition("and you?")[2]
    typed = [json.loads(line) for line in (kept.folder / "operations").read_text().splitlines()]
    assert typed == ["good morning", "mute bob", "ex", "and you?", "mute", "ex"]
    for path in kept.folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert "securepassword" not in path.read_text()
        assert '"yes"' not in path.read_text()


def test_a_memory_that_cannot_be_written_is_said(desk: Desk, tmp_path: Path) -> None:
    """The chat goes on; the user knows that the next start will have forgotten."""
    (tmp_path / "file").touch()

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.see_off()

    desk.type("securepassword\rtalk all\rex\r")
    assert desk.chat(script, make=partial(Terminal, remember=partial(Memory, tmp_path / "file", "localhost", 1))) == 0
    assert "Not remembered for the next start: " in desk.screen.text


def test_conversations_are_turned_to_by_keys(desk: Desk) -> None:
    """What is typed for one stays there, what comes for another is counted, and rings if it calls."""

    def script(peer: Peer) -> None:
        command = peer.log_in(rooms=[room("dev"), room("ops", topic="deploys")])
        assert (command["rooms"], command["presence"]) == (True, "changes")
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="alice!", room="ops")
        desk.screen.wait_for("#ops 1*")
        assert "alice!" not in desk.screen.text
        assert desk.screen.text.count("<bell>") == 1
        desk.type("for all\x1b3")
        page = peer.expect("history")
        assert (page["room"], page["limit"]) == ("ops", 4)
        message = {"id": 11, "time": TIME, "from": "bob", "message": "alice!", "room": "ops"}
        peer.answer(page, type="history", room="ops", messages=[message], more=False)
        desk.screen.wait_for("-- #ops: deploys --")
        desk.screen.wait_for("-- 1 unread --")
        desk.screen.wait_for("bob: alice!")
        desk.type("hi there\r")
        message = peer.expect("pm")
        assert (message["room"], message["created"], message["message"]) == ("ops", TIME, "hi there")
        peer.ack(message, 12, room="ops")
        desk.screen.wait_for("you: hi there")
        desk.type("\x1b1")
        peer.answer(peer.expect("history"), type="history", messages=[], more=False)
        desk.screen.wait_for("all> for all")
        desk.type("\r")
        message = peer.expect("pm")
        assert (message.get("room"), message["message"]) == (None, "for all")
        peer.ack(message, 13)
        desk.screen.wait_for("you: for all")
        desk.type("/ex\r")
        peer.see_off()
        assert {"room": "ops", "id": 11} in [{"room": seen.get("room"), "id": seen.get("id")} for seen in peer.seen]

    desk.type("securepassword\r")
    assert desk.chat(script, make=with_rooms) == 0


def test_a_room_is_joined_and_held(desk: Desk) -> None:
    """JOIN turns there once the server has answered; LEAVE turns back."""

    def script(peer: Peer) -> None:
        peer.log_in(rooms=[])
        fields = {"topic": "", "private": False, "members": 2, "role": "member", "last_id": 10}
        peer.answer(peer.expect("join"), type="room", room="ops", created=TIME, **fields)
        peer.answer(peer.expect("history"), type="history", room="ops", messages=[], more=False)
        desk.screen.wait_for("#ops>")
        desk.type("/leave\r")
        peer.answer(peer.expect("leave"), type="ack", command="leave", room="ops")
        desk.screen.wait_for("You have left #ops.")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\rjoin ops\r")
    assert desk.chat(script, make=with_rooms) == 0


def test_who_is_online_is_asked_where_the_counts_differ(desk: Desk) -> None:
    """Once, and without a word; then the bar is right."""

    def script(peer: Peer) -> None:
        peer.log_in(rooms=[])
        for online in (7, 8):
            peer.say(type="presence", arrived=["zoe"], left=[], online=online, time=TIME)
        peer.answer(peer.expect("users"), type="users", users=["alice", "zoe", "yan", "xi"], time=TIME)
        desk.screen.wait_for("4 online")
        desk.type("ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script, make=with_rooms) == 0
    assert "Online (4)" not in desk.screen.text
