"""Who is in the room that is held."""

from __future__ import annotations

import pytest

from client.chat.addressing import EVERYONE
from client.chat.people import People
from client.chat.roll import Person, Roll, RollCall
from service.wire.protocol import MemberEvent, MemberInfo, MembersReply


def called(*members: tuple[str, str]) -> Roll:
    """That of ops, with these members; alice and bob are online."""
    people = People()
    people.meet("alice", ["alice", "bob"])
    roll = Roll(people)
    assert roll.call("#ops") == RollCall(room="ops")
    page = MembersReply(room="ops", members=[MemberInfo(name=a, role=b, online=False) for a, b in members], more=False)
    roll.take(page, RollCall(room="ops"))
    return roll


def event(action: str, username: str = "bob", room: str = "ops", role: str = "member") -> MemberEvent:
    return MemberEvent(room=room, username=username, action=action, role=role, time="")


def test_members_of_a_room() -> None:
    """With their ranks, in words that are short, and who is online by what is known of everybody."""
    roll = called(("zoe", "owner"), ("bob", "moderator"), ("you", "later"))
    assert roll.list("#ops") == [
        Person("bob", "mod", is_online=True),
        Person("@you", "later", is_online=False),
        Person("zoe", "owner", is_online=False),
    ]


def test_other_conversations() -> None:
    """In the main room are those online, in a talk the two; nothing needs to be asked."""
    roll = called()
    assert [person.name for person in roll.list(EVERYONE)] == ["alice", "bob"]
    assert roll.list("carol") == [Person("alice"), Person("carol", is_online=False)]
    assert (roll.call(EVERYONE), roll.call("carol"), roll.list("#other")) == (None, None, [])


@pytest.mark.parametrize(
    ("happened", "names"),
    [
        (event("join"), ["bob", "zoe"]),
        (event("leave", "zoe"), []),
        (event("kick", "zoe"), []),
        (event("ban", "zoe"), []),
        (event("mute", "zoe"), ["zoe"]),
        (event("join", room="other"), ["zoe"]),
    ],
)
def test_what_happens(happened: MemberEvent, names: list[str]) -> None:
    """Who comes and goes changes the list."""
    roll = called(("zoe", "member"))
    roll.happen(happened)
    assert [person.name for person in roll.list("#ops")] == names


def test_a_rank_and_a_name_change() -> None:
    """They are shown as they are now."""
    roll = called(("zoe", "member"))
    roll.happen(event("role", "zoe", role="moderator"))
    roll.rename("zoe", "zora")
    assert roll.list("#ops") == [Person("zora", "mod", is_online=False)]


def test_it_is_asked_for_once() -> None:
    """Until it may be of yesterday, or another room is held; a late answer for that one is dropped."""
    roll = called(("zoe", "member"))
    assert roll.call("#ops") is None
    roll.forget()
    assert roll.call("#ops") == RollCall(room="ops")
    assert roll.call("#dev") == RollCall(room="dev")
    roll.take(MembersReply(room="ops", members=[], more=False), RollCall(room="ops"))
    assert roll.list("#dev") == []
