"""The conversations of a user, and what is unread in them."""

from __future__ import annotations

import pytest

from client.chat.addressing import EVERYONE
from client.chat.conversations import Conversations, Divides
from client.chat.receipts import Receipts
from service.wire.protocol import LoginOkReply, RoomReply
from tests.support.events import TIME, direct, login_ok, public, room_info, stored

LATER = "2026-11-22T09:30:00.123Z"


def conversations(*rooms: str, divides: Divides = "rooms") -> tuple[Conversations, Receipts]:
    receipts = Receipts()
    made = Conversations(receipts, divides)
    login = login_ok(rooms=[room_info(room) for room in rooms])
    receipts.start(login)
    made.start(login)
    return made, receipts


def targets(of: Conversations) -> list[str]:
    return [tab.target for tab in of.tabs()]


@pytest.mark.parametrize(
    ("divides", "rooms", "is_divided"),
    [
        ("rooms", (), False),
        ("rooms", ("ops",), True),
        ("always", (), True),
        ("never", ("ops",), False),
    ],
)
def test_what_stands_apart(divides: Divides, rooms: tuple[str, ...], *, is_divided: bool) -> None:
    """At a terminal conversations stand apart once the user is in a room beside the main one."""
    made, _ = conversations(*rooms, divides=divides)
    assert made.is_divided == is_divided
    assert [made.is_shown(target) for target in (EVERYONE, "#ops", "bob")] == [True, not is_divided, not is_divided]


def test_the_order_is_that_of_names() -> None:
    """The main room, then rooms, then people; numbers count from 1."""
    made, _ = conversations("ops", "dev")
    for name in ("zoe", "bob"):
        made[name]
    assert targets(made) == [EVERYONE, "#dev", "#ops", "bob", "zoe"]
    assert [(tab.number, tab.title) for tab in made.tabs()][1:4] == [(2, "#dev"), (3, "#ops"), (4, "@bob")]


@pytest.mark.parametrize(
    ("message", "target"),
    [
        (public(), EVERYONE),
        (public(room="ops"), "#ops"),
        (direct(), "bob"),
        (direct(sender="alice", to="carol"), "carol"),
        (direct(sender="alice", to="alice"), "alice"),
        (stored(1, room="ops"), "#ops"),
        (stored(1, to="alice"), "bob"),
    ],
)
def test_whose_a_message_is(message: object, target: str) -> None:
    """A direct one belongs to the talk with the other person."""
    made, _ = conversations()
    assert made.target_of(message, "alice") == target  # type: ignore[arg-type]


def test_the_neighbours_are_a_circle() -> None:
    """Forward and backward, from the held one."""
    made, _ = conversations("ops")
    made["bob"]
    assert [made.neighbour(step) for step in (1, -1, 3)] == ["#ops", "bob", None]
    made.hold("bob")
    assert made.neighbour(1) == EVERYONE


def test_alone_there_is_no_neighbour() -> None:
    """In the main room, without anybody to talk to."""
    made, _ = conversations()
    assert made.neighbour(1) is None


def test_the_next_unread_one() -> None:
    """One that calls comes first; else the next in order; none if nothing is unread elsewhere."""
    made, receipts = conversations("dev", "ops")
    assert made.next_unread() is None
    receipts.of("#ops").miss(11, is_mention=False)
    receipts.of("#dev").miss(12, is_mention=False)
    assert made.next_unread() == "#dev"
    made.hold("#dev")
    assert made.next_unread() == "#ops"
    made["bob"]
    receipts.of("bob").miss(13, is_mention=True)
    assert made.next_unread() == "bob"


def test_a_room_that_was_made_anew_is_another_one() -> None:
    """Nothing is kept of the one before, neither after a loss nor when the user comes in again."""
    made, receipts = conversations("ops", "dev")
    made["#ops"].topic = "old"
    receipts.of("#ops").miss(11, is_mention=False)
    new = RoomReply(room="ops", created=LATER, topic="new", role="member", last_id=20)
    assert (made.enter(new).topic, receipts.of("#ops").unread) == ("new", 0)
    lost = made.start(login_ok(rooms=[room_info("ops")]), is_back=True)
    assert sorted(room.title for room in lost) == ["#dev", "#ops"]
    assert (made["#ops"].topic, targets(made)) == ("", [EVERYONE, "#ops"])


def test_a_held_room_that_is_lost_stays_held() -> None:
    """What is typed for it must not go elsewhere."""
    made, _ = conversations("ops", "dev")
    made.hold("#ops")
    made.drop("#ops")
    assert (made.held, targets(made)) == ("#ops", [EVERYONE, "#dev", "#ops"])


def test_an_invitation_is_no_membership() -> None:
    """The room is in no list of conversations before it is joined."""
    made = Conversations(Receipts())
    made.start(login_ok(rooms=[room_info("ops", role="", invited=True)]))
    assert (made.is_divided, targets(made), made.has_room("ops")) == (False, [EVERYONE], False)
    made.enter(RoomReply(room="ops", created=TIME, role="member", last_id=11))
    assert (made.is_divided, targets(made), made.has_room("ops")) == (True, [EVERYONE, "#ops"], True)


@pytest.mark.parametrize(
    ("login", "main_room"),
    [(login_ok(), ""), (login_ok(rooms=[]), ""), (login_ok(rooms=[room_info()]), "lobby")],
)
def test_how_the_main_room_is_confirmed(login: LoginOkReply, main_room: str) -> None:
    """By itself where conversations stand apart, else with the direct messages."""
    receipts = Receipts()
    made = Conversations(receipts)
    made.main_room = "lobby"
    made.start(login)
    assert receipts.main_room == main_room


def test_a_talk_goes_over_to_a_new_name() -> None:
    """With its count, and held if it was."""
    made, receipts = conversations("ops")
    made.hold("bob")
    receipts.of("bob").miss(11, is_mention=True)
    made.rename("bob", "bobby")
    assert made.held == "bobby"
    assert [(tab.target, tab.unread) for tab in made.tabs()][2:] == [("bobby", 1)]


def test_talks_are_forgotten_beyond_a_thousand() -> None:
    """Those that were met first, but not what is unread or held."""
    made, receipts = conversations()
    made.hold("first")
    made["second"]
    receipts.of("second").miss(11, is_mention=True)
    for number in range(1_000):
        made[f"user{number}"]
    assert len(made.tabs()) == 1 + 1_000
    assert {"first", "second"} <= set(targets(made))
    assert "user0" not in made
