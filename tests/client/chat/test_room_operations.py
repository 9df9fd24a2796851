"""The operations about rooms: what is typed becomes a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from client.chat.actions import Action, AtTerminal, InChat, Mistake
from client.chat.interpreter import Interpreter
from client.chat.room_operations import ROOM_OPERATIONS
from client.net.link import OfflineError
from service.wire.protocol import Bans, Create, Dm, Members, Moderate, Pm, Rooms, SetRoom
from tests.support.deeds import Deeds

if TYPE_CHECKING:
    from client.chat.actions import ChatActions


def interpreter(*typed: str) -> Interpreter:
    made = Interpreter(knows={"bob", "carol"}.__contains__, has_room={"ops", "dev"}.__contains__)
    for line in typed:
        made.take(line)
    return made


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("rooms", Rooms()),
        ("rooms ops", Rooms(after="ops")),
        ("members", Members(room="all")),
        ("members #ops bob", Members(room="ops", after="bob")),
        ("bans ops", Bans(room="ops")),
        ("topic New words", SetRoom(room="all", topic="New words")),
        ("topic #ops new", SetRoom(room="ops", topic="new")),
        ("private ops", SetRoom(room="ops", private=True)),
        ("invite bob", Moderate(room="all", username="bob", action="invite")),
        ("invite @bob #ops", Moderate(room="ops", username="bob", action="invite")),
        ("kick bob", Moderate(room="all", username="bob", action="kick")),
        ("kick #ops bob too loud", Moderate(room="ops", username="bob", action="kick", reason="too loud")),
        ("ban bob 30 spam", Moderate(room="all", username="bob", action="ban", minutes=30, reason="spam")),
        ("ban bob 30", Moderate(room="all", username="bob", action="ban", minutes=30)),
        ("ban bob spam 30", Moderate(room="all", username="bob", action="ban", reason="spam 30")),
        ("unban bob", Moderate(room="all", username="bob", action="unban")),
        ("silence bob 525600", Moderate(room="all", username="bob", action="mute", minutes=525_600)),
        ("unsilence #ops bob", Moderate(room="ops", username="bob", action="unmute")),
        ("role bob Owner", Moderate(room="all", username="bob", action="role", role="owner")),
    ],
)
def test_a_line_becomes_a_command(line: str, action: Action) -> None:
    """In the main room where no other one is held or named."""
    assert interpreter().take(line) == action


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("/members", Members(room="ops")),
        ("/members dev", Members(room="dev")),
        ("/kick bob", Moderate(room="ops", username="bob", action="kick")),
        ("/kick #all bob", Moderate(room="all", username="bob", action="kick")),
        ("/topic hi", SetRoom(room="ops", topic="hi")),
        ("/pm hi", Pm(message="hi")),
        ("/me waves", Pm(room="ops", message="waves", kind="action")),
        ("hi there", Pm(room="ops", message="hi there")),
        ("/dm #Dev hi", Pm(room="dev", message="hi")),
        ("/dm bob hi", Dm(to="bob", message="hi")),
    ],
)
def test_in_a_room_it_is_meant(line: str, action: Action) -> None:
    """Lines of talk go there, and operations act there; PM goes to the main room as ever."""
    assert interpreter("talk ops").take(line) == action


@pytest.mark.parametrize(
    "line",
    [
        "silence bob 0",
        "ban bob 525601",
        "ban bob 99999999999999999999",
        "kick bob " + "x" * 301,
        "topic " + "x" * 301,
        "create new " + "x" * 301,
        "role bob king",
        "unban bob now",
        "leave",
        "leave all",
        "join two words",
    ],
)
def test_a_mistake_does_nothing(line: str) -> None:
    """It is said in one line."""
    action = interpreter().take(line)
    assert isinstance(action, Mistake)
    assert len(action.text) <= 120


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("join #ops", "enter(Join(room='ops', ref=UNSET))"),
        ("create new", "enter(Create(room='new', topic=…, private=False, ref=UNSET))"),
        ("leave ops", "leave('ops')"),
        ("topic #ops", "show_topic('ops')"),
    ],
)
def test_a_line_becomes_a_deed(line: str, done: str) -> None:
    """Of the session, or of the terminal, which then holds the room."""
    deeds, action = Deeds(), interpreter().take(line)
    assert isinstance(action, (InChat, AtTerminal))
    action.do(cast("object", deeds))  # type: ignore[arg-type]
    assert deeds.done == [done]


def test_without_a_terminal_a_room_is_joined_and_no_more() -> None:
    """There is nothing to hold."""
    deeds, action = Deeds(), Interpreter(has_terminal=False).take("create new a topic")
    assert isinstance(action, AtTerminal)
    assert action.otherwise
    action.otherwise.do(deeds)  # type: ignore[arg-type]
    assert deeds.done == [f"ask({Create(room='new', topic='a topic')!r})"]


class Offline:
    """Has no connection."""

    def leave(self, room: str) -> None:
        raise OfflineError(room)


def test_leaving_the_held_room_turns_to_the_main_one() -> None:
    """Lines go there no more once that was asked for; without a connection they do."""
    held = interpreter("talk ops")
    action = held.take("/leave")
    assert isinstance(action, InChat)
    with pytest.raises(OfflineError):
        action.do(cast("ChatActions", Offline()))
    assert held.prompt == "#ops> "
    action.do(cast("ChatActions", Deeds()))
    assert held.prompt == "PM/DM/EX> "


@pytest.mark.parametrize(
    ("line", "is_talk"),
    [
        ("kick off at nine", True),
        ("role play tonight", True),
        ("members only, please", True),
        ("kick bob", False),
        ("topic of the day", False),
        ("leave ops", False),
    ],
)
def test_plain_talk_that_begins_so(line: str, *, is_talk: bool) -> None:
    """Nothing is done by a line of talk; one that may be meant comes back with a slash, and the same again is sent."""
    plain = interpreter()
    plain.begin("all")
    assert (plain.take(line) == Pm(message=line)) == is_talk
    if not is_talk:
        assert plain.take_draft() == f"/{line}"
        assert plain.take(line) == Pm(message=line)


def test_what_is_left_out_is_asked_for() -> None:
    """The room that is held is not."""
    asked = interpreter()
    for line, question in (("kick", "Who? "), ("bob", "PM/DM/EX> "), ("role bob", "Member, moderator or owner? ")):
        asked.take(line)
        assert asked.prompt == question


def test_every_row_is_of_rooms() -> None:
    """HELP rooms has them all."""
    assert all(row.is_of_rooms for row in ROOM_OPERATIONS)
