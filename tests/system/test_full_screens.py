"""What people see on the full screen, compared with tests/system/screens; `make screens` writes them anew."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from prompt_toolkit.input import create_pipe_input

from client import session
from client.chat.model import Model
from client.full.app import FullScreen
from client.net.connection import CannotConnectError
from tests.support.fake_server import TIME, Peer, login_ok
from tests.support.glass import LEAVE, Desk, Glass
from tests.support.helpers import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.net.connection import Connection
    from client.settings import Profile

FOLDER = ROOT / "tests" / "system" / "screens"
REFRESH = "REFRESH_SCREENS" in os.environ
SETTLED = 0.5  # seconds, only to write them anew: after these the screen is what it is going to be
YESTERDAY = "2026-11-20T17:02:00.000Z"
LONG = "The deploy is done; have a look at the dashboards before you go home, please, all of you."
CHINESE = "\u4f60\u597d\uff0c\u4e16\u754c\uff01 \u4eca\u5929\u7684\u90e8\u7f72\u5df2\u7ecf\u5b8c\u6210"
HEBREW = "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd"
WIDE_NAME = "\u4f60" * 32
PAGE_UP = "\x1b[5~"


def room(name: str, **changes: Any) -> dict[str, Any]:
    fields = {"topic": "", "private": False, "role": "member", "members": 3, "unread": 0, "read_id": 1, "created": TIME}
    return {"room": name, **fields, **changes}


def message(number: int, text: str, sender: str = "bob", time: str = TIME, **fields: Any) -> dict[str, Any]:
    return {"id": number, "time": time, "from": sender, "message": text, **fields}


def say(peer: Peer, number: int, text: str, sender: str = "bob", **fields: Any) -> None:
    peer.say(type="direct" if "to" in fields else "broadcast", **message(number, text, sender, **fields))


def enter(peer: Peer, desk: Desk, *page: dict[str, Any], **changes: Any) -> None:
    """The login of alice, and the page that the main room begins with."""
    peer.greet(features=["delete", "kind", "quiet", "rooms", "presence"])
    peer.answer(peer.expect("login"), type="password_required", username="alice", registered=True)
    desk.shows("Password for alice:")
    desk.type("securepassword\r")
    peer.answer(peer.expect("login"), **login_ok(**changes))
    give_page(peer, *page)
    desk.shows("all>")


def give_page(peer: Peer, *page: dict[str, Any], more: bool = False) -> None:
    peer.answer(peer.expect("history"), type="history", messages=list(page), more=more)


def give_members(peer: Peer, desk: Desk, name: str) -> None:
    """Where the screen has space for them they are asked for."""
    if desk.glass.columns >= 100:
        members = [
            {"name": "alice", "role": "owner", "online": True},
            {"name": "bob", "role": "moderator", "online": True},
            {"name": WIDE_NAME, "role": "member", "online": False},
        ]
        peer.answer(peer.expect("members"), type="members", room=name, members=members, more=False)
        desk.shows("alice owner")


def first_visit(peer: Peer, desk: Desk) -> None:
    """Somebody who was never here."""
    peer.greet(server="The chat of the house")
    peer.answer(peer.expect("login"), type="password_required", username="alice", registered=False)
    desk.shows("New password:")


def nothing_yet(peer: Peer, desk: Desk) -> None:
    """An empty room, and no other."""
    enter(peer, desk, last_id=0, users=["alice"], rooms=[])
    desk.shows("Nothing was said here yet.")


def in_a_room(peer: Peer, desk: Desk) -> None:
    """A room that was just turned to, with what was missed."""
    rooms = [room("dev", unread=3), room("ops", topic="Deploys, and nothing but deploys", role="owner", unread=3)]
    enter(peer, desk, message(9, "good morning"), users=["alice", "bob", "carol"], rooms=rooms)
    say(peer, 11, "are you there?", "carol", to="alice")
    say(peer, 12, "alice, look", "bob", room="dev")
    desk.type("\x1b3")
    give_page(
        peer,
        message(4, "the old one is back", time=YESTERDAY, room="ops"),
        message(5, LONG, "alice", time=YESTERDAY, room="ops"),
        message(6, CHINESE, WIDE_NAME, room="ops"),
        message(7, HEBREW, "dora", room="ops"),
        message(8, "one\ntwo, alice\nthree", room="ops"),
    )
    desk.shows("-- 3 unread --")
    give_members(peer, desk, "ops")
    desk.type("half a li")
    desk.shows("#ops> half a li")


def reading_above(peer: Peer, desk: Desk) -> None:
    """A storm while one reads above."""
    enter(peer, desk, *(message(number, f"word {number}") for number in range(3, 60)), last_id=59)
    desk.shows("word 59")
    desk.type(PAGE_UP)
    desk.glass.wait_until(lambda rows: not any("word 59" in row for row in rows))
    for number in range(60, 260):
        say(peer, number, f"word {number}")
    desk.shows("200 new below")


def many(peer: Peer, desk: Desk) -> None:
    """Forty conversations, a word that fills the screen, a flood of emoji."""
    rooms = [room(f"room{number:02}", unread=number % 3) for number in range(1, 38)]
    enter(peer, desk, rooms=rooms, users=["alice", WIDE_NAME, *(f"user{number:02}" for number in range(60))])
    say(peer, 11, "psst", WIDE_NAME, to="alice")
    say(peer, 12, "x" * 4_096)
    say(peer, 13, "\u2764\ufe0f\U0001f680\U0001f389" * 20, "user03")
    say(peer, 14, "the end")
    desk.shows("the end")


def lost(peer: Peer, desk: Desk) -> None:
    """No connection, and two messages that wait."""
    enter(peer, desk, message(9, "good morning"))
    desk.shows("good morning")
    peer.say(type="bye", reason="shutdown")
    peer.close()
    desk.shows("Reconnecting")
    desk.type("do you hear me?\r")
    desk.shows("(pending) you: do you hear me?")
    desk.type("and now?\r")
    desk.shows("(pending) you: and now?")


def refused(peer: Peer, desk: Desk) -> None:
    """Silenced, and nothing found."""
    rooms = [room("ops", muted=True, muted_until="2026-11-21T13:00:00.000Z")]
    enter(peer, desk, message(9, "good morning"), rooms=rooms)
    desk.type("\x1b2")
    give_page(peer, message(7, "quiet now, alice", room="ops"))
    desk.shows("quiet now, alice")
    give_members(peer, desk, "ops")
    desk.type("but why?\r")
    peer.answer(peer.expect("pm"), type="error", code="muted", message="you may not write in ops", retry_after=3600)
    desk.shows("Not sent")
    desk.type("/search nonsense\r")
    peer.answer(peer.expect("search"), type="search", query="nonsense", messages=[], more=False)
    desk.shows("No messages with")


def keys(peer: Peer, desk: Desk) -> None:
    """A question mark alone on the line."""
    enter(peer, desk, message(9, "good morning"), rooms=[room("ops")])
    desk.type("?")
    desk.shows("Alt-1 to Alt-9")


SITUATIONS: list[Callable[[Peer, Desk], None]] = [
    first_visit,
    nothing_yet,
    in_a_room,
    reading_above,
    many,
    lost,
    refused,
    keys,
]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (40, 12)])
@pytest.mark.parametrize("situation", SITUATIONS, ids=[each.__name__ for each in SITUATIONS])
def test_screen(
    situation: Callable[[Peer, Desk], None], columns: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen is as it was when it was last looked at."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(session, "Model", partial(Model, lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC))
    path = FOLDER / f"full-{situation.__name__.replace('_', '-')}-{columns}x{rows}.txt"

    with create_pipe_input() as keyboard:
        desk = Desk(keyboard)
        desk.glass = Glass(columns, rows)

        def script(peer: Peer) -> None:
            situation(peer, desk)
            if REFRESH:
                time.sleep(SETTLED)
                path.write_text(picture(desk.glass.rows()))
            expected = path.read_text()
            desk.glass.wait_until(lambda rows: picture(rows) == expected)
            desk.type(LEAVE)

        desk.chat(script, at_home)


def picture(rows: list[str]) -> str:
    return "\n".join(rows).rstrip() + "\n"


def at_home(make_link: Any, profile: Profile) -> FullScreen:
    """A client that does not come back."""

    def away() -> Connection:
        raise CannotConnectError("Nobody listens there.")

    return FullScreen(partial(make_link, connect=away), replace(profile, presence="none"))
