"""Rooms in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import UNSET, UnsetType

from client.chat.addressing import EVERYONE
from client.chat.model import Model
from service.wire.protocol import (
    AckReply,
    Act,
    AnyCommand,
    AnyEvent,
    BanInfo,
    Bans,
    BansReply,
    Create,
    ErrorReply,
    Join,
    Leave,
    Login,
    MemberEvent,
    MemberInfo,
    Members,
    MembersReply,
    Moderate,
    Pm,
    Role,
    RoomReply,
    Rooms,
    RoomsReply,
    SetRoom,
)
from tests.support.events import TIME, login_ok, model_after_login, public, room_info, texts

_NOT_SENT = "Not sent: no. {} Your text was: hi"
TOMORROW = "2026-11-22T08:15:00.000Z"
MEMBERS = [
    MemberInfo(name="alice", role="owner", online=True),
    MemberInfo(name="bob", role="member", online=False, muted=True),
    MemberInfo(name="carol", role="member", online=True),
]


def act(action: str, who: str = "bob", by: str | None = "carol", room: str | None = "ops", **more: str) -> MemberEvent:
    return MemberEvent(room=room or UNSET, username=who, action=action, by=by or UNSET, time=TIME, **more)


@pytest.fixture(name="model")
def model_in_ops() -> Model:
    """Alice, in ops and dev, with ops held."""
    model = model_after_login("ops", "dev")
    model.conversations.hold("#ops")
    return model


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (act("join", by=None), "bob joined #ops"),
        (act("leave", by=None), "bob left #ops"),
        (act("invite"), "carol invited bob to #ops"),
        (act("kick", reason="spam"), "carol took bob out of #ops: spam"),
        (act("ban", until=TOMORROW), "carol banned bob from #ops until 22 November 08:15"),
        (act("unban"), "carol ended the ban of bob from #ops"),
        (act("mute", until="2026-11-21T12:30:00.000Z"), "carol silenced bob in #ops until 12:30"),
        (act("unmute"), "carol lets bob write in #ops again"),
        (act("role", role="moderator"), "carol made bob moderator of #ops"),
        (act("role", role="owner", by=None), "bob is owner of #ops now"),
        (act("role", role="member", by="bob"), "bob is member of #ops now"),
        (act("kick", by=None), "the operator took bob out of #ops"),
        (act("dance"), "carol: dance of bob in #ops"),
        (act("{0}", reason="\x1b[2J{by}"), "carol: {0} of bob in #ops: \u241b[2J{by}"),
        (act("invite", "alice", room="new"), "carol invites you to #new. JOIN new joins it"),
        (act("kick", "alice", reason="spam."), "carol took you out of #ops: spam. TALK all turns to the main room"),
        (act("ban", "alice", by=None, room="dev"), "the operator banned you from #dev"),
        (act("mute", "alice"), "carol silenced you in #ops. You can read there"),
        (act("unmute", "alice"), "carol lets you write in #ops again"),
        (act("role", "alice", role="owner"), "carol made you owner of #ops"),
        (act("leave", "alice", by=None, room="dev"), "you have left #dev"),
        (RoomReply(room="ops", created=TIME, topic="news\n"), "the topic of #ops is: news\u240a"),
        (RoomReply(room="ops", created=TIME, private=True), "#ops is private now"),
        (RoomReply(room="ops", created=TIME, gone=True), "#ops is gone. TALK all turns to the main room"),
        (RoomReply(room="new", created=TIME, gone=True), "your invitation to #new has ended"),
        (RoomReply(room="new", created=TIME, role="member", last_id=11), "you are in #new now"),
    ],
)
def test_what_is_done_in_a_room_is_one_line(model: Model, event: AnyEvent, line: str) -> None:
    """Plain, safe to show, with what to do next where the user is concerned."""
    model.receive(act("mute", "zoe"))
    assert [text[9:] for text in texts(model.receive(event))] == [line]


@pytest.mark.parametrize(
    ("event", "is_told"),
    [
        (act("join", by=None, room="dev"), False),
        (act("kick", room="dev"), False),
        (RoomReply(room="dev", created=TIME, topic="new"), False),
        (act("kick", "alice", room="dev"), True),
        (act("mute", "alice", room="dev"), True),
        (act("role", "alice", room=None, role="moderator"), True),
        (RoomReply(room="dev", created=TIME, gone=True), True),
    ],
)
def test_of_another_room_only_what_concerns_the_user_is_told(model: Model, event: AnyEvent, *, is_told: bool) -> None:
    """And that also to who looks elsewhere."""
    assert [line.calls for line in model.receive(event)] == [True] * is_told


def test_who_is_taken_out_is_no_member(model: Model) -> None:
    """The room is gone from the list, but stays held until the user turns away."""
    for room in ("ops", "dev"):
        model.receive(act("kick", "alice", room=room))
    assert [tab.title for tab in model.conversations.tabs()] == ["all", "#ops"]
    assert not model.conversations.is_divided


def test_joins_fold_with_presence() -> None:
    """In one line for some seconds; there and back is no news."""
    model = Model(presence="folded")
    model.receive(login_ok(rooms=[room_info()]), Join(room="x"))
    model.conversations.start(login_ok(rooms=[room_info()]))
    model.conversations.hold("#ops")
    for event in (act("join"), act("join", "carol"), act("join", "dave"), act("leave", "dave")):
        assert model.receive(event) == []
    wait = model.presence.take_wait()
    assert wait
    assert texts(model.tell_presence(wait.number))[-1].endswith("-- bob and carol joined #ops")


@pytest.mark.parametrize(
    ("event", "asked", "lines"),
    [
        (
            RoomReply(room="new", created=TIME, topic="", members=1, role="owner", last_id=10),
            Create(room="New"),
            ["#new is made, and you are its owner. INVITE bob asks bob in."],
        ),
        (
            RoomReply(room="new", created=TIME, topic="", members=3, role="member", last_id=10),
            Join(room="new"),
            ["You are in #new: 3 members. MEMBERS lists them."],
        ),
        (AckReply(command="leave", room="dev"), Leave(room="dev"), ["You have left #dev."]),
        (AckReply(command="set_room"), SetRoom(room="ops", topic="news"), ["-- #ops: news --"]),
        (
            AckReply(command="set_room"),
            SetRoom(room="ops", private=True),
            ["#ops is private now: only its members see it."],
        ),
        (
            AckReply(command="moderate"),
            Moderate(room="ops", username="bob", action="mute", minutes=30, reason="spam"),
            ["You silenced bob in #ops for 30 minutes: spam."],
        ),
        (
            AckReply(command="moderate"),
            Moderate(room="all", username="bob", action="role", role="moderator"),
            ["You made bob moderator of the main room."],
        ),
        (
            AckReply(command="moderate", room="ops", username="alice"),
            Moderate(room="ops", username="Alice", action="role", role="member"),
            ["You are member of #ops now."],
        ),
        (
            RoomsReply(rooms=[room_info("dev", topic="code"), room_info("ops", role="", private=True)], more=True),
            Rooms(),
            ["#dev (2 members, member): code", "#ops (2 members, private)", "ROOMS ops shows those behind."],
        ),
        (RoomsReply(rooms=[], more=False), Rooms(), ["There is no other room yet. CREATE and a name makes one."]),
        (
            MembersReply(room="ops", members=MEMBERS, more=True),
            Members(room="ops"),
            [
                "#ops: alice (owner, you), bob (silenced, away), carol",
                "MEMBERS #ops carol shows those behind.",
            ],
        ),
        (
            MembersReply(room="ops", members=MEMBERS, more=False),
            Members(room="ops"),
            ["#ops (3 members): alice (owner, you), bob (silenced, away), carol"],
        ),
        (MembersReply(members=[], more=True), Members(room="all", after="zoe"), ["The main room:"]),
        (
            BansReply(room="ops", bans=[BanInfo(name="bob", by="carol", reason="spam", time=TIME)], more=False),
            Bans(room="ops"),
            ["bob banned from #ops by carol since 09:30: spam"],
        ),
        (
            BansReply(bans=[BanInfo(name="bob", time=TIME)], more=True),
            Bans(room="all"),
            ["bob banned from the main room since 09:30", "BANS all bob shows those behind."],
        ),
        (
            RoomsReply(rooms=[], more=True),
            Rooms(after="ops"),
            ["There is no other room yet. CREATE and a name makes one."],
        ),
        (BansReply(room="ops", bans=[], more=True), Bans(room="ops"), ["Nobody is banned from #ops."]),
        (BansReply(bans=[], more=False), Bans(room="all"), ["Nobody is banned from the main room."]),
    ],
)
def test_an_answer_becomes_lines(model: Model, event: AnyEvent, asked: AnyCommand, lines: list[str]) -> None:
    """What was asked for is said to be done, or listed."""
    assert texts(model.receive(event, asked)) == lines


@pytest.mark.parametrize(
    ("code", "seconds", "asked", "line"),
    [
        ("unknown_room", UNSET, Join(room="x"), "No. ROOMS shows those that you can join."),
        ("not_a_member", UNSET, Members(room="x"), "No. JOIN #x joins it."),
        ("not_a_member", UNSET, Moderate(room="ops", username="bob", action="kick"), "No."),
        ("room_exists", UNSET, Create(room="all"), "No."),
        ("banned", 1800.0, Join(room="x"), "No. It ends at 12:30."),
        ("banned", 86_400.0, Join(room="x"), "No. It ends on 22 November 12:00."),
        ("banned", -1e300, Join(room="x"), "No. It ends at 12:00."),
        ("banned", 1e300, Join(room="x"), "No. It ends on 21 November 12:00."),
        (
            "muted",
            1800.0,
            Pm(room="ops", message="hi"),
            _NOT_SENT.format("It ends at 12:30."),
        ),
        (
            "unknown_room",
            UNSET,
            Pm(room="ops", message="hi"),
            _NOT_SENT.format("ROOMS shows those that you can join. TALK all turns to the main room."),
        ),
        ("later", UNSET, Join(room="x"), "No."),
    ],
)
def test_a_refusal_says_what_to_do(
    model: Model, code: str, seconds: float | UnsetType, asked: AnyCommand, line: str
) -> None:
    """Behind the server's own words; an unknown code has no more than those."""
    assert texts(model.receive(ErrorReply(code=code, message="no", retry_after=seconds), asked)) == [line]


def test_the_list_of_conversations(model: Model) -> None:
    """With numbers, what is unread, and where the user is."""
    model.receive(public(11, "alice!"))
    model.receive(public(12))
    model.receive(public(13, room="dev"))
    assert texts(model.rooms.list_conversations()) == [
        " 1 all  2 unread, 1 with your name",
        " 2 #dev  1 unread",
        " 3 #ops  (here)",
    ]


@pytest.mark.parametrize(
    ("until", "note"),
    [
        (None, ""),
        ("", "A moderator has silenced you here. You can read."),
        ("2026-11-21T12:30:00.000Z", "A moderator has silenced you here until 12:30. You can read."),
        ("2026-11-21T11:30:00.000Z", ""),
    ],
)
def test_who_is_silenced_is_told_so(model: Model, until: str | None, note: str) -> None:
    """Where the user turns there, while it lasts."""
    model.conversations[EVERYONE].muted_until = until
    lines, _ = model.arrivals.hold(EVERYONE)
    assert texts(lines) == ["-- all --", *([note] if note else [])]


def test_who_may_not_write_is_told_so_at_the_login() -> None:
    """In the main room, where everyone is."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC)
    lines = model.receive(login_ok(muted=True, rooms=[]), Login(username="alice"))
    assert texts(lines)[1] == "A moderator has silenced you here. You can read."


@pytest.mark.parametrize(
    ("ack", "asked"),
    [
        (AckReply(command="leave", room="ops"), Leave(room="Ops")),
        (AckReply(command="set_room", room="ops"), SetRoom(room="OPS", private=True)),
    ],
)
def test_a_room_is_the_one_that_the_server_spells(model: Model, ack: AckReply, asked: AnyCommand) -> None:
    """However its name was typed: none of another name begins."""
    model.receive(ack, asked)
    is_left = isinstance(asked, Leave)
    assert model.conversations.has_room("ops") != is_left
    assert is_left or model.conversations["#ops"].is_private
    assert model.conversations.room_names() == (["dev"] if is_left else ["dev", "ops"])


def test_what_the_user_did_as_a_moderator_is_noted(model: Model) -> None:
    """The others are told by events, the user by the reply alone."""
    model.conversations["#ops"].role = "owner"
    steps: list[tuple[str, Act, Role | UnsetType]] = [("bob", "kick", UNSET), ("alice", "role", "member")]
    for who, action, role in steps:
        asked = Moderate(room="ops", username=who, action=action, role=role)
        model.receive(AckReply(command="moderate", room="ops", username=who, action=action), asked)
    assert (model.conversations["#ops"].members, model.conversations["#ops"].role) == (1, "member")


def test_a_long_topic_is_cut_in_the_list(model: Model) -> None:
    """Visibly, so that most rooms take a row or two."""
    page = RoomsReply(rooms=[room_info("dev", topic="x" * 60), room_info("ops", topic="x" * 61)], more=False)
    shown = texts(model.receive(page, Rooms()))
    assert [text.partition(": ")[2] for text in shown] == ["x" * 60, f"{'x' * 60}…"]


def test_what_goes_to_the_main_room_by_its_name_stands_there(model: Model) -> None:
    """As what goes there without it."""
    lines = [
        model.receive(AckReply(command="pm", id=number, time=TIME), Pm(room=room, message="hi"))[0]
        for number, room in ((11, UNSET), (12, "all"))
    ]
    assert [(line.text, line.conversation) for line in lines] == [("09:30 all > you: hi", EVERYONE)] * 2
