"""The client at a screen that it draws as a whole: a keyboard made of a pipe, and what its user sees."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from prompt_toolkit.input import create_pipe_input

from client.full.app import FullScreen
from client.memory import Memory
from client.net.connection import CannotConnectError
from tests.support.fake_server import TIME, Peer, login_ok
from tests.support.glass import Desk, Glass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from client.net.connection import Connection
    from client.settings import Profile

OPS = {
    "room": "ops",
    "topic": "Deploys",
    "private": False,
    "role": "owner",
    "members": 2,
    "unread": 2,
    "read_id": 1,
    "created": TIME,
}
PAGE_UP, END, ALT_2, CTRL_B, CTRL_C, CTRL_D = "\x1b[5~", "\x1b[F", "\x1b2", "\x02", "\x03", "\x04"


@pytest.fixture(name="desk")
def new_desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with create_pipe_input() as keyboard:
        yield Desk(keyboard)


def said(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": number, "time": TIME, "from": "bob", "message": f"word {number}", **fields} for number in numbers]


def enter(peer: Peer, *numbers: int, more: bool = False, **changes: Any) -> None:
    """The login, and the page that the main room begins with."""
    peer.greet(features=["delete", "kind", "quiet", "rooms", "presence"])
    peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
    peer.answer(peer.expect("login"), **login_ok(**changes))
    answer(peer, *numbers, more=more)


def answer(peer: Peer, *numbers: int, more: bool = False, **fields: Any) -> dict[str, Any]:
    """Answers the next command for a page of history."""
    command = peer.expect("history")
    peer.answer(command, type="history", messages=said(*numbers, **fields), more=more)
    return command


def test_login_and_leave(desk: Desk) -> None:
    """The password is not shown; the newest messages are, with who is there; /ex leaves, and the screen is back."""

    def script(peer: Peer) -> None:
        enter(peer, 8, 9)
        desk.shows(" all", "2 online", ">1 all", "bob: word 8", "bob: word 9", "You are alice.", "all>")
        desk.type("/ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script) == 0
    assert "securepassword" not in desk.glass.written
    assert desk.glass.written.rfind("\x1b[?1049l") > desk.glass.written.rfind("\x1b[?1049h")


def test_plain_lines_go_to_the_conversation(desk: Desk) -> None:
    """What is typed is sent there, and stands below with its time once it is stored, before that as pending."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.shows("Nothing was said here yet.")
        desk.type("hello, all\r")
        sent = peer.expect("pm")
        desk.shows("(pending) you: hello, all")
        assert sent["message"] == "hello, all"
        peer.ack(sent, 11)
        desk.shows("> you: hello, all")
        desk.type("/ex\r")
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_each_conversation_by_itself(desk: Desk) -> None:
    """Messages to others count in the list; a key turns there, with a divider; each has a draft of its own."""

    def script(peer: Peer) -> None:
        enter(peer, 9, rooms=[OPS])
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="alice, look", room="ops")
        desk.shows(" 2 #ops             3*")
        assert not any("alice, look" in row for row in desk.glass.rows())
        desk.type("for all" + ALT_2)
        assert answer(peer, 5, 6, 7, 11, room="ops")["room"] == "ops"
        desk.shows(" #ops  Deploys", "2 members", "-- 3 unread --", "word 11", "#ops>")
        desk.type("for ops\x1b1")
        answer(peer, 9)
        desk.shows("all> for all")
        desk.type(CTRL_C + ALT_2)
        answer(peer, 11, room="ops")
        desk.shows("#ops> for ops")
        desk.type("\r")
        assert peer.expect("pm")["room"] == "ops"
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_reading_above(desk: Desk) -> None:
    """Page Up asks for what is older; what comes meanwhile is counted, and moves nothing."""

    def script(peer: Peer) -> None:
        enter(peer, *range(20, 30), more=True, last_id=29)
        desk.shows("word 29")
        desk.type(PAGE_UP * 2)
        assert answer(peer, *range(1, 20))["before"] == 20
        desk.shows("word 14")
        before = desk.glass.rows()[1:9]
        for number in range(30, 230):
            peer.say(type="broadcast", id=number, time=TIME, from_="bob", message=f"word {number}")
        desk.shows("200 new below")
        assert desk.glass.rows()[1:9] == before
        desk.type(END)
        desk.shows("word 229")
        assert not any("new below" in row for row in desk.glass.rows())
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


@pytest.mark.parametrize(("keys", "seen"), [("", []), (END, [40])])
def test_what_is_below_is_not_seen(desk: Desk, keys: str, seen: list[int]) -> None:
    """It is confirmed only once the newest stands on the screen again."""

    def script(peer: Peer) -> None:
        enter(peer, *range(20, 30), last_id=29)
        desk.shows("word 29")
        desk.type(PAGE_UP * 2)
        answer(peer)
        desk.shows("-- the beginning --")
        peer.say(type="broadcast", id=40, time=TIME, from_="bob", message="late")
        desk.shows("1 new below")
        desk.type(keys)
        if keys:
            desk.shows("late")
        desk.type(CTRL_D)
        peer.see_off()
        assert [command["id"] for command in peer.seen] == seen

    desk.type("securepassword\r")
    desk.chat(script)


def test_the_columns(desk: Desk) -> None:
    """Ctrl-B hides them, and shows them again."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.shows(">1 all")
        desk.type(CTRL_B)
        desk.glass.wait_until(lambda rows: not any(">1 all" in row for row in rows))
        desk.type(CTRL_B)
        desk.shows(">1 all")
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_a_narrow_screen(desk: Desk) -> None:
    """It has the talk alone, and says below it what is unread elsewhere; Ctrl-B shows the list in its place."""
    desk.glass = Glass(40, 12)

    def script(peer: Peer) -> None:
        enter(peer, 9, rooms=[OPS])
        desk.shows("word 9", "\u2500\u2500 #ops 2 \u2500")
        desk.type(CTRL_B)
        desk.shows(">1 all", " 2 #ops")
        desk.type(ALT_2)
        answer(peer, 7, room="ops")
        desk.shows("word 7")
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_a_question_mark_shows_the_keys(desk: Desk) -> None:
    """While it stands alone on the line; what follows is talk."""

    def script(peer: Peer) -> None:
        enter(peer, 9)
        desk.shows("word 9")
        desk.type("?")
        desk.shows("Page Up, Page Down")
        desk.type("? what")
        desk.shows("word 9", "all> ?? what")
        desk.type(CTRL_C + CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_ctrl_c(desk: Desk) -> None:
    """It clears the line; on an empty one it says how to leave, and leaves the second time."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.type("draft")
        desk.shows("all> draft")
        desk.type(CTRL_C + CTRL_C)
        desk.shows("Ctrl-C once more leaves")
        desk.type(CTRL_C)
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal(desk: Desk, number: signal.Signals) -> None:
    """The client leaves as politely as with /ex; the screen is back, with what was being typed."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.type("half a li")
        desk.shows("all> half a li")
        os.kill(os.getpid(), number)
        peer.see_off()

    desk.type("securepassword\r")
    assert desk.chat(script) == 0
    assert "You were typing: " in desk.glass.written[desk.glass.written.rfind("\x1b[?1049l") :]


def test_the_connection_is_lost(desk: Desk) -> None:
    """The head says so in words, and how much waits."""

    def script(peer: Peer) -> None:
        enter(peer, 9)
        desk.shows("word 9")
        peer.say(type="bye", reason="shutdown")
        peer.close()
        desk.shows("Reconnecting")
        desk.type("hello\r")
        desk.shows("Reconnecting, 1 message waits", "(pending) you: hello")
        desk.type(CTRL_D)

    def away() -> Connection:
        raise CannotConnectError("Nobody listens there.")

    def make(make_link: Any, profile: Profile) -> FullScreen:
        return FullScreen(partial(make_link, connect=away), profile)

    desk.type("securepassword\r")
    desk.chat(script, make)


def test_the_connection_is_lost_for_good(desk: Desk) -> None:
    """The reason stands on the screen that was there before; the status is 1."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.shows("Nothing was said")
        peer.say(type="bye", reason="kicked")

    desk.type("securepassword\r")
    assert desk.chat(script) == 1
    assert "ended this session" in desk.glass.written[desk.glass.written.rfind("\x1b[?1049l") :]


def test_several_lines_are_pasted(desk: Desk) -> None:
    """What to do with them is asked on the line; one message has all of them."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.type("\x1b[200~one\ntwo\x1b[201~")
        desk.shows("(o)ne message to all")
        desk.type("o\r")
        sent = peer.expect("pm")
        assert sent["message"] == "one\ntwo"
        peer.ack(sent, 11)
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_an_editor(desk: Desk) -> None:
    """It gets the terminal; what it saves is sent, and the screen is drawn again."""

    def script(peer: Peer) -> None:
        enter(peer)
        desk.type("/edit\r")
        sent = peer.expect("pm")
        assert sent["message"] == "written"
        peer.ack(sent, 11)
        desk.shows("> you: written")
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script, partial(FullScreen, editor=lambda _: "written"))


def test_it_rings(desk: Desk) -> None:
    """For a direct message, whichever conversation is held."""

    def script(peer: Peer) -> None:
        enter(peer)
        peer.say(type="direct", id=11, time=TIME, from_="bob", to="alice", message="psst")
        desk.shows(" 2 @bob             1")
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)
    assert desk.glass.bells == 1


def test_who_is_in_a_room(desk: Desk) -> None:
    """The members stand at the right of a wide screen, as they come and go."""
    desk.glass = Glass(100, 12)

    def script(peer: Peer) -> None:
        enter(peer, rooms=[OPS])
        desk.shows("alice", "bob")
        desk.type(ALT_2)
        answer(peer, 7, room="ops")
        command = peer.expect("members")
        members = [
            {"name": "alice", "role": "owner", "online": True},
            {"name": "zoe", "role": "member", "online": False},
        ]
        peer.answer(command, type="members", room="ops", members=members, more=False)
        desk.shows("\u2502 alice owner", "\u2502(zoe)")
        peer.say(type="member", room="ops", username="bob", action="join", role="member", time=TIME)
        desk.shows("\u2502 bob")
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_what_is_remembered(desk: Desk, tmp_path: Path) -> None:
    """Who was muted stays so; the arrow keys bring back what was typed at an earlier start."""
    memory = partial(Memory, tmp_path, "127.0.0.1", 1)

    def script(peer: Peer) -> None:
        enter(peer, 9)
        desk.type("/mute bob\r")
        desk.shows("bob is shown again")
        desk.type("\x1b[A")
        desk.shows("all> /mute bob")
        desk.type(CTRL_C + CTRL_D)
        peer.see_off()

    memory("alice").keep_muted("bob", is_muted=True)
    desk.type("securepassword\r")
    desk.chat(script, partial(FullScreen, remember=memory))
    assert memory("alice").muted == ()


def test_no_name(desk: Desk) -> None:
    """It is asked for; before the login nothing but the talk is drawn."""

    def script(peer: Peer) -> None:
        peer.greet()
        desk.shows(" test", "Your name:")
        assert not any("online" in row for row in desk.glass.rows())
        desk.type("alice\r")
        peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
        desk.shows("Password for alice:")
        desk.type(CTRL_C + CTRL_C)
        peer.see_off()

    def make(make_link: Any, profile: Profile) -> FullScreen:
        return FullScreen(make_link, replace(profile, name=""))

    assert desk.chat(script, make) == 0


def test_the_wheel(desk: Desk) -> None:
    """It scrolls where the profile asks for it."""

    def script(peer: Peer) -> None:
        enter(peer, *range(20, 40), last_id=39)
        desk.shows("word 39")
        assert "\x1b[?1000h" in desk.glass.written
        desk.type("\x1b[<64;30;3M" * 3)
        desk.glass.wait_until(lambda rows: not any("word 39" in row for row in rows))
        desk.type("\x1b[<65;30;3M" * 3)
        desk.shows("word 39")
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script, lambda make_link, profile: FullScreen(make_link, replace(profile, mouse=True)))
    assert desk.glass.written.rfind("\x1b[?1000l") > desk.glass.written.rfind("\x1b[?1000h")


def test_what_was_said_before_is_gone_with_a_new_page(desk: Desk) -> None:
    """Turning to the held conversation again shows it afresh; what that itself says stands below."""

    def script(peer: Peer) -> None:
        enter(peer, 9)
        desk.type("/users\r")
        peer.answer(peer.expect("users"), type="users", users=["alice", "bob"], time=TIME)
        desk.shows("Online (2):")
        desk.type("/talk all\r")
        answer(peer, 9, 10)
        desk.shows("word 10", "What is no operation goes to everyone")
        assert not any("Online (2):" in row for row in desk.glass.rows())
        desk.type(CTRL_D)
        peer.see_off()

    desk.type("securepassword\r")
    desk.chat(script)


def test_an_older_server(desk: Desk) -> None:
    """Without rooms, too, a direct message that was not turned to is not seen, whatever was read in the main room."""

    def script(peer: Peer) -> None:
        peer.log_in()
        answer(peer, 9)
        desk.shows("word 9")
        peer.say(type="direct", id=11, time=TIME, from_="bob", to="alice", message="psst")
        peer.say(type="broadcast", id=12, time=TIME, from_="bob", message="public")
        desk.shows("bob: public", " 2 @bob             1")
        desk.type(CTRL_D)
        peer.see_off()
        assert [command for command in peer.seen if command.get("id", 0) >= 11 or 11 in command.get("ids", [])] == []

    desk.type("securepassword\r")
    desk.chat(script)
