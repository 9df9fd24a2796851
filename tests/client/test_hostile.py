"""The client against a hostile server or user: nothing raw on the terminal, bounded memory, a clear end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pexpect
import pytest

from client.chat.addressing import EVERYONE
from client.chat.receipts import Receipts
from client.net.connection import CannotConnectError, connect
from client.text import Line, body, listed, one_line
from service.visible import safe
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BanInfo,
    Bans,
    BansReply,
    BroadcastEvent,
    DirectEvent,
    ErrorReply,
    Join,
    Leave,
    MemberEvent,
    MemberInfo,
    Members,
    MembersReply,
    Missed,
    MissedReply,
    Moderate,
    Pm,
    PresenceEvent,
    ReadEvent,
    RoomReply,
    Rooms,
    RoomsReply,
    SetRoom,
)
from tests.support.events import model_after_login, room_info
from tests.support.fake_server import TIME, FakeServer, Peer, login_ok
from tests.support.helpers import PATIENCE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE: Final = 150 << 10  # KiB that a client may take at most, whatever comes: four times what it takes by itself
FLOOD: Final = 100_000
EVIL: Final = (
    "\x1b[31m\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1bP1$r\x1b\\\x9b2J\x9d0;x\x9c\r\b\b\x07\x00\x7f\x0b\x0c\x0e\u202e"
    "\u2066\u2028\u2029\x85\U000e0041" + "\u0301" * 500 + "\u200b" * 50 + "END"
)
# What the wire can bring to a screen: no other control character, no mark of direction, no pile of marks.
RAW: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\U000e0000-\U000e007f]"
)
# What prompt_toolkit writes by itself: colours, modes, moves and erasing.
OWN: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\b]")
ENVIRONMENT: Final = os.environ | {
    "TERM": "xterm",
    "PROMPT_TOOLKIT_NO_CPR": "1",
    "TZ": "UTC",
    "CHAT_PASSWORD": "securepassword",
}
MESSAGE: Final = {"id": 5, "time": TIME, "from": "bob", "message": "hi"}


def by_stdin(script: Callable[[Peer], object], typed: str = "ex\n") -> tuple[int, str, str]:
    """Runs the client without a terminal against a script; gives its status, stdout and stderr."""
    with FakeServer(script) as server:
        ended = subprocess.run(
            [sys.executable, "-m", "client", "127.0.0.1", str(server.port), "alice"],
            cwd=ROOT,
            env=ENVIRONMENT,
            input=typed.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def memory(pid: int) -> int:
    """The most memory (KiB) that a process has taken so far."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])


def wait_for_the_end(peer: Peer) -> None:
    """Closes nothing: the client has to."""
    with suppress(ConnectionError, EOFError):
        while True:
            peer.hear()


def say_evil(peer: Peer, *, asked_at_login: tuple[str, ...] = ()) -> None:
    """EVIL wherever a text may stand, from the greeting to the bye."""
    peer.greet(server=EVIL, version=EVIL, registration=EVIL)
    if "password" not in (command := peer.expect("login")):
        peer.answer(command, type="error", code="bad_credentials", message=EVIL)
        peer.answer(peer.expect("login"), type="password_required", username=EVIL, registered=True)
        command = peer.expect("login")
    peer.answer(command, **login_ok(users=[EVIL, "alice", "bob"], missed=1, time=EVIL))
    message = {"id": 11, "time": EVIL, "from": EVIL, "message": EVIL}
    peer.say(type="broadcast", **message)
    peer.say(type="direct", **message | {"id": 12, "to": EVIL})
    peer.say(type="users", users=["alice", EVIL + "2"], time=EVIL)
    peer.say(type="error", code=EVIL, message=EVIL, command=EVIL)
    for kind in (*asked_at_login, "missed", "history", "search"):
        more = {"query": EVIL} if kind == "search" else {"with": EVIL} if kind == "history" else {}
        peer.answer(peer.expect(kind), type=kind, messages=[message | {"to": EVIL}], more=True, **more)
    peer.answer(peer.expect("pm"), type="ready", command=EVIL, users=[EVIL])
    peer.answer(peer.expect("dm"), type="error", code=EVIL, message=EVIL)
    command = peer.expect("dm")
    peer.answer(command, type="ack", command="dm", id=14, time=EVIL, to=EVIL, status=EVIL, nonce=EVIL)
    peer.answer(peer.expect("users"), type="users", users=[EVIL], time=EVIL)
    peer.say(type="bye", reason=EVIL)
    wait_for_the_end(peer)


EVIL_INPUT: Final = "missed\nhistory bob\nsearch x\npm hi\ndm bob one\ndm bob two\nusers\n"


def test_nothing_raw_reaches_a_script() -> None:
    """Whatever the server says wherever, stdout and stderr hold text and line ends only; the bye ends it."""
    status, out, err = by_stdin(say_evil, EVIL_INPUT + "users\n")  # the last one is never answered
    assert status == 1
    assert "END" in out
    assert "The server closed the connection: \u241b[31m" in err
    assert RAW.findall(out + err) == []
    assert "\u0301" * 9 not in out + err


def test_nothing_raw_reaches_a_terminal() -> None:
    """On a terminal come only the sequences that the line editor makes."""
    with FakeServer(partial(say_evil, asked_at_login=("missed",))) as server:
        program = pexpect.spawn(
            sys.executable,
            ["-m", "client", "127.0.0.1", str(server.port)],
            cwd=str(ROOT),
            env=ENVIRONMENT,
            dimensions=(24, 200),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        shown = ""
        for question, typed in (("Your name:", "alice"), ("Your name:", "alice"), ("Password", "securepassword")):
            program.expect_exact(question)
            shown += f"{program.before}{program.after}"
            program.send(f"{typed}\r")
        for operation in EVIL_INPUT.splitlines():
            program.expect_exact("PM/DM/EX>")
            shown += f"{program.before}{program.after}"
            program.send(f"{operation}\r")
        program.expect_exact("Trying again")
        shown += f"{program.before}{program.after}"
        program.send("ex\r")
        program.expect(pexpect.EOF)
        shown += str(program.before)
        program.close()
    assert program.exitstatus == 0
    assert "END" in shown
    assert RAW.findall(OWN.sub("", shown)) == []
    assert "\x1b[31m\x1b" not in shown
    assert not re.search(r"\x1b[\]PX^_]", shown)
    assert "\u0301" * 9 not in shown


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"type": "broadcast", **MESSAGE, "id": 2**63}, "not chat protocol"),
        ({"type": "broadcast", **MESSAGE, "id": -1}, "not chat protocol"),
        ({"type": "broadcast", **MESSAGE, "id": True}, "not chat protocol"),
        ({"type": "broadcast", **MESSAGE, "message": ["hi"]}, "not chat protocol"),
        ({"type": "broadcast", "id": 1}, "not chat protocol"),
        ({"type": "users", "users": {"alice": 1}, "time": TIME}, "not chat protocol"),
        ({"type": "missed", "messages": [{**MESSAGE, "id": 2**64}], "more": False}, "not chat protocol"),
        ({"type": "bye", "reason": "shutdown"}, "shutting down"),
        ({"type": "bye", "reason": "r" * 100_000}, "more characters"),
        ({"type": "error", "code": "x", "message": "m", "fatal": "yes"}, "not chat protocol"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_no_server_says_ends_it(fields: dict[str, Any], word: str) -> None:
    """One clear line and status 1, also when the server then closes nothing."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.say(**fields)
        wait_for_the_end(peer)

    status, _, err = by_stdin(script, "users\n")  # which is never answered
    assert (status, word in err) == (1, True), err
    assert len(err) < 2_000


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "novelty", "users": 5},
        {
            "type": "hello",
            "protocol": 1,
            "server": "2",
            "version": "",
            "registration": "",
            "max_line": 9,
            "max_message": 9,
        },
        {"type": "login_ok", **login_ok("mallory")},
        {"type": "pong", "time": TIME, "ref": "never sent"},
        {"type": "ack", "command": "pm", "id": 7, "time": TIME, "nonce": "never sent", "ref": "never sent"},
        {"type": "history", "messages": [MESSAGE], "more": True, "ref": "never sent"},
        {"type": "users", "users": [f"name{number}" for number in range(FLOOD)], "time": TIME},
        {"type": "users", "users": ["n" * 1_000_000], "time": TIME},
        {"type": "broadcast", **MESSAGE, "time": "9999-99-99"},
        {"type": "broadcast", **MESSAGE, "time": "1" * 100_000},
        {"type": "broadcast", **MESSAGE, "from": "n" * 1_000_000, "message": "m" * 1_000_000},
        {"type": "error", "code": "c", "message": "m" * 3_000_000},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_what_is_odd_is_outlived(fields: dict[str, Any]) -> None:
    """What asks for nothing is ignored or shown in bounds; the client goes on under its name, and leaves with EX."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.say(**fields)
        peer.ack(peer.expect("pm"), 20)
        peer.see_off()

    status, out, err = by_stdin(script, "pm still here\nex\n")
    assert (status, "you: still here" in out) == (0, True)
    assert len(out + err) < 110_000
    assert "You are mallory" not in out


@pytest.mark.parametrize(
    "reply",
    [login_ok("mallory"), {"type": "pong", "time": TIME}, {"type": "missed", "messages": [MESSAGE], "more": False}],
    ids=lambda reply: str(reply["type"]),
)
def test_a_reply_of_another_kind_is_no_answer(reply: dict[str, Any]) -> None:
    """It neither renames the user nor passes for an ack: the text is shown as perhaps not sent."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.answer(peer.expect("pm"), **reply)
        peer.see_off()

    _, out, err = by_stdin(script, "pm a long thought\nex\n")
    assert "Not confirmed, so perhaps not sent: a long thought" in err
    assert "mallory" not in out


def test_a_page_of_more_than_was_asked_is_shown() -> None:
    """A thousand messages where fifty were asked for are no reason to lose one."""

    def script(peer: Peer) -> None:
        peer.log_in()
        messages = [{**MESSAGE, "id": number, "message": f"m{number}"} for number in range(1, 1_001)]
        peer.answer(peer.expect("history"), type="history", messages=messages, more=False)
        peer.see_off()

    status, out, _ = by_stdin(script, "history\nex\n")
    assert (status, len(re.findall(r"bob: m\d+  #\d+\n", out))) == (0, 1_000)


@pytest.mark.parametrize("unit", [b"\n" * 65_536, b"x" * 65_536], ids=["empty lines", "one line"])
def test_a_greeting_that_never_comes_is_not_waited_for(unit: bytes) -> None:
    """Bytes without end in its place end with a clear word, in bounded time and memory."""

    def script(peer: Peer) -> None:
        with suppress(OSError):
            while True:
                peer.raw(unit)

    with FakeServer(script) as server, pytest.raises(CannotConnectError, match="is no chat server"):
        connect("127.0.0.1", server.port, timeout=0.5)


def test_a_flood_leaves_the_keyboard_to_the_user() -> None:
    """While messages come without end, EX typed at the terminal leaves; what waits for the screen is bounded."""
    line = json.dumps({"type": "broadcast", "time": TIME, "from": "bob", "message": "flood" * 20})
    flooding: list[Peer] = []

    def script(peer: Peer) -> None:
        peer.log_in()
        flooding.append(peer)
        with suppress(OSError):
            for number in range(11, 11 + 10 * FLOOD, 100):
                peer.raw(b"".join(b'{"id":%d,%s\n' % (number + n, line[1:].encode()) for n in range(100)))

    with FakeServer(script) as server:
        program = pexpect.spawn(
            sys.executable,
            ["-m", "client", "127.0.0.1", str(server.port), "alice"],
            cwd=str(ROOT),
            env=ENVIRONMENT,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        program.expect_exact("Password")
        program.send("securepassword\r")
        for _ in range(2_000):
            program.expect_exact("floodflood")
        peak = memory(program.pid or 0)
        program.send("ex\r")
        program.expect(pexpect.EOF)
        program.close()
        flooding[0].stop()  # it waits until somebody reads
    assert program.exitstatus == 0
    assert peak < WIDE


def test_a_server_that_takes_no_receipts_costs_no_memory() -> None:
    """Beyond a bound, direct messages are left unconfirmed: they stay unseen, and are offered again."""
    receipts = Receipts()
    for number in range(FLOOD + 5):
        receipts.direct(number)
    assert sum(len(seen.ids or ()) for seen in receipts.take()) == FLOOD


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("e" + "\u0301" * 8 + "x", "e" + "\u0301" * 8 + "x"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 8 + "<1 marks>"),
        ("e" + "\u0301\u200d" * 50 + "x", "e" + "\u0301\u200d" * 4 + "<92 marks>x"),
        ("\u0e01\u0e34\u0e48", "\u0e01\u0e34\u0e48"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f"),
    ],
)
def test_marks_do_not_pile_up(raw: str, shown: str) -> None:
    """Eight marks on one character stay, the surplus is counted; a Line leaves that as it is."""
    assert safe(raw) == shown
    assert Line(("", shown)).text == shown


def test_texts_are_cut_where_no_honest_one_ends() -> None:
    """A text of one line shows 1,000 characters, a message 100,000, and each says how much is missing."""
    assert (one_line("x" * 1_000), body("x" * 100_000)) == ("x" * 1_000, "x" * 100_000)
    assert one_line("x" * 1_002) == "x" * 1_000 + " <2 more characters>"
    assert body("x" * 102_000) == "x" * 100_000 + " <2,000 more characters>"
    assert listed(["x" * 2_000] * FLOOD, 1) == "x" * 1_000 + " <1,000 more characters> and 99999 others"


@pytest.mark.parametrize("held", ["*", f"#{EVIL}", EVIL])
def test_nothing_raw_comes_of_rooms(held: str) -> None:
    """Names, topics, roles, reasons and times, of what is held and of what is not."""
    info = room_info(EVIL, topic=EVIL, role=EVIL, muted=True, muted_until=EVIL)
    model = model_after_login(rooms=[info, room_info("ops"), room_info(f"{EVIL}2", role="", invited=True)])
    model.conversations.hold(held)
    done = {"room": EVIL, "by": EVIL, "role": EVIL, "reason": EVIL, "until": EVIL, "time": EVIL}
    actions = ("join", "leave", "invite", "mute", "unmute", "role", "dance", EVIL, "ban")
    bans = BansReply(room=EVIL, bans=[BanInfo(name=EVIL, by=EVIL, reason=EVIL, time=EVIL, until=EVIL)], more=True)
    members = MembersReply(room=EVIL, members=[MemberInfo(name=EVIL, role=EVIL, online=True)], more=True)
    came: list[tuple[AnyEvent, AnyCommand | None]] = [
        (BroadcastEvent(id=11, time=EVIL, from_=EVIL, message=EVIL, room=EVIL), None),
        (DirectEvent(id=12, time=EVIL, from_=EVIL, to="alice", message=EVIL), None),
        (RoomReply(room=EVIL, created=TIME, topic=f"{EVIL}3"), None),
        (RoomsReply(rooms=[info], more=True), Rooms()),
        (members, Members(room=EVIL)),
        (bans, Bans(room=EVIL)),
        (AckReply(command="set_room"), SetRoom(room=EVIL, topic=EVIL)),
        (AckReply(command="moderate"), Moderate(room=EVIL, username=EVIL, action="kick", reason=EVIL)),
        (ErrorReply(code="not_a_member", message=EVIL), Pm(room=EVIL, message=EVIL)),
        (ReadEvent(room=EVIL, with_=EVIL, id=12), None),
        (PresenceEvent(arrived=[EVIL], left=[EVIL], online=1, time=EVIL), None),
        *((MemberEvent(username=who, action=act, **done), None) for who in (EVIL, "alice") for act in actions),
        (RoomReply(room=EVIL, created=EVIL, gone=True), None),
    ]
    lines = [line for event, request in came for line in model.receive(event, request)]
    lines += [*model.rooms.list_conversations(), model.rooms.topic(held), *model.arrivals.hold(held)[0]]
    texts = [line.text for line in lines] + [tab.title for tab in model.conversations.tabs()]
    assert RAW.findall("".join(texts)) == []
    assert not any("\n" in tab.title for tab in model.conversations.tabs())
    assert model.conversations.room_names() == ["ops"]


def test_names_without_end_cost_no_memory() -> None:
    """However many people and rooms a server makes up, in messages and in what was read."""
    model = model_after_login("ops")
    model.conversations.hold("#ops")
    for number in range(1_500):
        model.receive(DirectEvent(id=11 + number, time=TIME, from_=f"user{number}", to="alice", message="x"))
        model.receive(ReadEvent(with_=f"reader{number}", id=number))
        model.receive(MissedReply(messages=[], more=False), Missed())
    assert len(model.conversations.tabs()) < 1_100
    assert len(model.receipts.markers) < 1_100


def test_the_main_room_cannot_be_taken_away() -> None:
    """Whatever a server says of it: it is no member's to lose, and never gone."""
    model = model_after_login("ops")
    for event, request in (
        (RoomReply(gone=True), None),
        (RoomReply(room="all", gone=True), None),
        (AckReply(command="leave", room="all"), Leave(room="ops")),
        (RoomReply(created="a"), Join(room="ops")),
        (RoomReply(created="b"), Join(room="ops")),
    ):
        model.receive(event, request)
        assert (model.receipts.main.unread, EVERYONE in model.conversations) == (0, True)
