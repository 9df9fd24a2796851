"""What there is to see beside the talk."""

from __future__ import annotations

import pytest

from client.chat.model import Model
from client.full.sight import look, state
from service.wire.protocol import Login, LoginOkReply, RoomInfo

ROOM = RoomInfo(
    room="ops", topic="Deploys\x1b[2J", private=False, role="owner", members=1, unread=3, read_id=1, created="t"
)


def model(held: str = "*") -> Model:
    made = Model(divides="always")
    login = LoginOkReply(
        username="alice",
        users=["alice", "bob"],
        missed=0,
        unread=0,
        last_id=9,
        token="t",
        time="",
        topic="all of us",
        rooms=[ROOM],
    )
    made.receive(login, Login(username="alice"))
    made.arrivals.hold(held)
    return made


@pytest.mark.parametrize(
    ("held", "title", "topic", "here"),
    [
        ("*", "all", "all of us", "2 online"),
        ("#ops", "#ops", "Deploys\u241b[2J", "1 member"),
        ("bob", "@bob", "", "online"),
        ("carol", "@carol", "", "away"),
    ],
)
def test_the_held_one(held: str, title: str, topic: str, here: str) -> None:
    """Its title, its topic, made safe, and who is there in words."""
    seen = look(model(held))
    assert (seen.target, seen.title, seen.topic, seen.here) == (held, title, topic, here)


def test_all_of_them() -> None:
    """The list has each, with what is unread."""
    assert [(tab.title, tab.unread, tab.is_held) for tab in look(model()).tabs] == [
        ("all", 0, True),
        ("#ops", 3, False),
    ]


@pytest.mark.parametrize(
    ("is_connected", "pending", "words"),
    [
        (True, 2, "2 online"),
        (False, 0, "Reconnecting"),
        (False, 1, "Reconnecting, 1 message waits"),
        (False, 3, "Reconnecting, 3 messages wait"),
    ],
)
def test_the_state(is_connected: bool, pending: int, words: str) -> None:
    """Nothing is said of the connection while it is well."""
    made = model()
    made.is_connected = is_connected
    assert state(look(made), pending) == (words, is_connected)
