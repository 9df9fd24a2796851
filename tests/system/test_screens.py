"""What people see in the main situations, compared with tests/system/screens; `make screens` writes them anew."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pexpect
import pyte
import pytest

from tests.support.fake_server import TIME, FakeServer, Peer, login_ok, room
from tests.support.helpers import PATIENCE, ROOT
from tests.support.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "tests" / "system" / "screens"
SETTLED = 0.5  # seconds without a change: the screen is what it is going to be
REFRESH = "REFRESH_SCREENS" in os.environ
YESTERDAY = "2026-11-20T17:02:00.000Z"
LONG = "The deploy is done; have a look at the dashboards before you go home, please, all of you."
WIDE = (
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01 \u4eca\u5929\u7684\u90e8\u7f72\u5df2\u7ecf\u5b8c\u6210 \U0001f680\U0001f389"
)


def message(number: int, text: str, sender: str = "bob", time: str = TIME, **fields: Any) -> dict[str, Any]:
    return {"id": number, "time": time, "from": sender, "message": text, **fields}


def say(peer: Peer, kind: str, number: int, text: str, sender: str = "bob", **fields: Any) -> None:
    peer.say(type=kind, **message(number, text, sender, **fields))


def answer_page(peer: Peer, kind: str, *messages: dict[str, Any], more: bool = False, **fields: Any) -> None:
    peer.answer(peer.expect(kind), type=kind, messages=list(messages), more=more, **fields)


def first_login(peer: Peer) -> None:
    peer.greet()
    peer.answer(peer.expect("login"), type="password_required", username="alice", registered=False)
    peer.answer(peer.expect("register"), **login_ok(last_id=0))
    peer.see_off()


def arriving(peer: Peer) -> None:
    directs = [message(4, "are you there?", to="alice", time=YESTERDAY), message(6, "call me", "carol", to="alice")]
    room = [
        message(3, "old news", time=YESTERDAY),
        message(5, "first new", time=YESTERDAY),
        message(7, "second new", "dora"),
    ]
    peer.log_in(missed=2, unread=2)
    for _ in range(2):
        answer_page(peer, "missed", *directs)
        answer_page(peer, "history", *room)
    peer.see_off()


def talk(peer: Peer) -> None:
    peer.log_in(users=["alice", "bob", "carol"])
    say(peer, "broadcast", 11, LONG)
    say(peer, "broadcast", 12, WIDE, "carol")
    say(peer, "broadcast", 13, "one\ntwo, alice\nthree")
    peer.ack(peer.expect("pm"), 14)
    peer.say(type="users", users=["alice", "bob"], time=TIME)
    peer.see_off()


def direct_messages(peer: Peer) -> None:
    peer.log_in(users=["alice", "bob", "carol"])
    say(peer, "broadcast", 11, "hello, everyone")
    say(peer, "direct", 12, LONG, to="alice")
    for number, whom, status in ((13, "bob", "delivered"), (14, "dora", "stored")):
        peer.ack(peer.expect("dm"), number, to=whom, status=status)
    peer.see_off()


def lost(peer: Peer) -> None:
    peer.log_in()
    say(peer, "broadcast", 11, "hello, everyone")
    for _ in range(2):
        peer.expect("pm")
    peer.say(type="bye", reason="shutdown")


def history(peer: Peer) -> None:
    peer.log_in()
    days = [
        message(2, "the day before", time="2026-11-19T08:15:00.000Z"),
        message(3, "yesterday", time=YESTERDAY),
        message(9, "today", "carol"),
    ]
    for _ in range(2):  # for HISTORY, and to begin reading with
        answer_page(peer, "history", *days, more=True)
    answer_page(peer, "history", message(1, "the very first", time="2026-11-01T10:00:00.000Z"))
    say(peer, "broadcast", 11, "back to today")
    peer.see_off()


def search(peer: Peer) -> None:
    peer.log_in()
    found = [message(9, "deployed!", "carol", to="alice"), message(7, "the deploy is done", time=YESTERDAY)]
    answer_page(peer, "search", *found, query="deploy")
    answer_page(peer, "history", message(6, "how is it?", "dora", time=YESTERDAY), found[1])
    answer_page(peer, "history", message(8, "fine!", "dora"))
    peer.see_off()


def crowd(peer: Peer) -> None:
    """Thirty people arrive while a job reports each second, and two of them talk."""
    peer.log_in(users=["alice", "monitor"])
    people = ["alice", "monitor"]
    for number in range(30):
        people = sorted([*people, f"user{number:02}"])
        peer.say(type="users", users=people, time=TIME)
        if number % 10 == 9:
            say(peer, "broadcast", 11 + number, f"disk /var {number}% used, https://chat.example/disks/var", "monitor")
    say(peer, "broadcast", 41, "Good morning, all! Is the room booked until ten?", "user03")
    say(peer, "broadcast", 42, "Until eleven.", "user07")
    peer.see_off()


def reading(peer: Peer) -> None:
    """Sixty messages, a page as asked for; one more comes while older ones are read."""
    said = [message(number, LONG if number % 7 == 0 else f"message {number}") for number in range(1, 61)]
    peer.log_in(last_id=60)
    asked = 0
    while (command := peer.hear())["command"] != "ex":
        if command["command"] == "history":
            page = [each for each in said if each["id"] < command.get("before", 61)][-command["limit"] :]
            peer.answer(command, type="history", messages=page, more=page[0]["id"] > 1)
            asked += 1
            if asked == 2:
                say(peer, "broadcast", 61, "meanwhile", "carol")
    peer.answer(command, type="bye", reason="exit")


def rooms(peer: Peer) -> None:
    """Two rooms and a direct message: one is turned to while others write, and a moderator acts."""
    peer.log_in(
        users=["alice", "bob", "carol"],
        rooms=[room("dev", unread=2), room("ops", topic="Deploys and incidents", role="moderator", unread=1)],
        unread=1,
    )
    for _ in range(2):
        answer_page(peer, "history", message(9, "Good morning, all!"))
    say(peer, "direct", 11, "are you there?", "carol", to="alice")
    say(peer, "broadcast", 12, LONG, room="ops")
    say(peer, "broadcast", 13, "alice, is it done?", "carol", room="ops")
    page = [message(10, "I begin now", "carol"), message(12, LONG), message(13, "alice, is it done?", "carol")]
    answer_page(peer, "history", *page, room="ops")
    peer.ack(peer.expect("pm"), 14, room="ops")
    say(peer, "broadcast", 15, "lunch?")
    peer.answer(peer.expect("moderate"), type="ack", command="moderate", room="ops", username="bob", action="mute")
    peer.say(type="member", room="ops", username="zoe", action="kick", by="carol", reason="spam", time=TIME)
    peer.see_off()


def conversations(peer: Peer) -> None:
    """The rooms that there are, who is in one, and the list of conversations."""
    mine = [room("dev", unread=2), room("ops", topic="Deploys and incidents", role="owner", members=12)]
    peer.log_in(rooms=mine)
    quiet = {key: value for key, value in room("quiet", topic="Nobody talks here").items() if key != "role"}
    peer.answer(peer.expect("rooms"), type="rooms", rooms=[*mine, quiet], more=False)
    people = (("alice", "owner"), ("dora", "member"), ("zoe", "moderator"))
    members = [{"name": name, "role": role, "online": name != "dora"} for name, role in people]
    peer.answer(peer.expect("members"), type="members", room="ops", members=members, more=False)
    say(peer, "direct", 11, "are you there?", to="alice")
    peer.see_off()


LOGIN = ("alice", "Password for alice:", "securepassword", "missed")
# What is typed, and the words to wait for before the next.
SITUATIONS: list[tuple[str, Callable[[Peer], None], list[str]]] = [
    (
        "first-login",
        first_login,
        ["alice", "New password:", "securepassword", "The same again:", "securepassword", "Nothing missed."],
    ),
    ("arriving", arriving, [*LOGIN[:3], "carol, 2 public", "", "second new"]),
    ("talk", talk, [*LOGIN, "pm good morning", "carol is gone"]),
    ("direct", direct_messages, [*LOGIN, "dm bob yes", "(delivered): yes", "dm dora no", "in): no"]),
    ("lost", lost, [*LOGIN, "pm do you hear me?", "(pending)", "pm and now?", "waits.", "half a li", ""]),
    ("history", history, [*LOGIN, "history", "OLDER shows", "older", "1 new", "q", "back to today"]),
    ("crowd", crowd, [*LOGIN, "", "28 people are online"]),
    ("reading", reading, [*LOGIN, "history", "OLDER shows", "older", "1 new"]),
    (
        "rooms",
        rooms,
        [*LOGIN[:3], "3 in", "", "all!", "talk ops", "done?", "since nine", "nine", "/silence bob 30", "spam"],
    ),
    (
        "conversations",
        conversations,
        [*LOGIN[:3], "in #dev", "rooms", "#quiet", "members ops", "@bob", "talk", " 4 @bob"],
    ),
    ("search", search, [*LOGIN, "search deploy", "AROUND 9", "around 7", "fine!"]),
]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 12)])
@pytest.mark.parametrize(("name", "script", "keys"), SITUATIONS, ids=[name for name, _, _ in SITUATIONS])
def test_screen(name: str, script: Callable[[Peer], None], keys: list[str], columns: int, rows: int) -> None:
    """The screen is as it was when it was last looked at."""
    path = FOLDER / f"{name}-{columns}x{rows}.txt"
    with FakeServer(script) as server:
        shown = play(server.port, keys, columns, rows, None if REFRESH else path.read_text())
    if REFRESH:
        path.write_text(shown)
    assert shown == path.read_text()


def play(port: int, keys: list[str], columns: int, rows: int, expected: str | None) -> str:
    """What stands on the screen at last; then the client is left. A row may come a moment after another."""
    screen = Screen(columns, rows)
    stream = pyte.Stream(screen)
    program = pexpect.spawn(
        sys.executable,
        ["-m", "tests.support.client_at", "127.0.0.1", str(port)],
        cwd=str(ROOT),
        env=os.environ | {"TERM": "xterm", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        dimensions=(rows, columns),
        encoding="utf-8",
        timeout=PATIENCE,
    )

    def lines() -> list[str]:
        return [line.rstrip() for line in screen.display]

    def wait_for(text: str, *, at_rest: bool = False) -> None:
        flat = " ".join(text.split())
        while flat not in " ".join(" ".join(lines()).split()) or (at_rest and not is_at_rest(lines())):
            try:
                stream.feed(program.read_nonblocking(4096, timeout=PATIENCE))
            except (pexpect.TIMEOUT, pexpect.EOF):
                pytest.fail(f"{text!r} did not appear on:\n" + "\n".join(lines()))

    try:
        wait_for("Your name:")
        for number in range(0, len(keys), 2):
            typed, answer = keys[number : number + 2]
            is_last = number + 2 >= len(keys)
            program.send(typed if is_last and not answer else f"{typed}\r")
            wait_for(answer or typed, at_rest=is_last)
        while (shown := "\n".join(lines()).rstrip() + "\n") != expected:
            try:
                stream.feed(program.read_nonblocking(4096, timeout=SETTLED if expected is None else PATIENCE / 4))
            except pexpect.TIMEOUT:
                break
        program.send("\x03\x04")
        program.expect(pexpect.EOF)
    finally:
        program.close(force=True)
    return shown


def is_at_rest(lines: list[str]) -> bool:
    """Whether the prompt stands below what was shown, with the bar below it; or the bar of what is read."""
    below = [line for line in lines if line][-2:]
    if below and below[-1].endswith(("q back to the chat", "q: back")):
        return True
    return len(below) == 2 and below[0].startswith(("PM/DM/EX>", "#ops>")) and " alice" in below[1]
