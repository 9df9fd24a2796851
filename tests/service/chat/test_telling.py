"""service/chat/telling.py: who is told what of a change in a room, and from when on they get its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.chat import telling
from tests.support import rooms
from tests.support.cast import told
from tests.support.helpers import until

if TYPE_CHECKING:
    from service.server import Server
    from tests.support.helpers import Line, Wire
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines
OPS = {"room": "ops"}


def member(username: str, action: str, by: str = "alice", **more: Any) -> Line:
    return {"type": "member", "room": "ops", "username": username, "action": action, "by": by, **more}


class Cast:
    """Alice, who owns the room ops, twice; carol, a member; dave, none; erin, a member whose client knows no rooms."""

    def __init__(self, wires: Wires, *, private: bool) -> None:
        self.alice, self.also = (wires.enter("alice", rooms=True) for _ in range(2))
        self.bob, self.carol, self.dave = (wires.enter(name, rooms=True) for name in ("bob", "carol", "dave"))
        self.erin = wires.enter("erin")
        self.alice.ask("create", **OPS, private=private)
        for name, wire in (("carol", self.carol), ("erin", self.erin)):
            self.act(name, "invite")
            wire.ask("join", **OPS)
        self.forget()

    def act(self, name: str, action: str, **fields: Any) -> Line:
        return self.alice.ask("moderate", **OPS, username=name, action=action, **fields)

    def bring(self, wire: Wire, name: str, state: str) -> None:
        """Makes somebody invited or a member."""
        if state in ("invited", "member"):
            self.act(name, "invite")
        if state == "member":
            wire.ask("join", **OPS)
        self.forget()

    def forget(self) -> None:
        for wire in (self.alice, self.also, self.bob, self.carol, self.dave, self.erin):
            wire.read_until_pong()

    def heard(self) -> list[list[Line]]:
        """What each was told: alice, her other session, bob, carol; the others nothing."""
        assert told(self.dave) == told(self.erin) == []
        return [told(wire) for wire in (self.alice, self.also, self.bob, self.carol)]


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize(
    ("action", "fields", "more"),
    [
        ("mute", {"minutes": 5}, {"until"}),
        ("mute", {"reason": "noise"}, {"reason"}),
        ("unmute", {}, set()),
        ("role", {"role": "moderator"}, {"role"}),
        ("kick", {"reason": "enough"}, {"reason"}),
        ("ban", {"minutes": 5}, {"until"}),
    ],
)
def test_an_act_on_a_member(wires: Wires, private: bool, action: str, fields: Line, more: set[str]) -> None:
    """All members are told, the one concerned as well; the asker gets the ack; strangers and old clients nothing."""
    cast = Cast(wires, private=private)
    cast.bring(cast.bob, "bob", "member")
    if action == "unmute":
        cast.act("bob", "mute")
        cast.forget()
    assert cast.act("bob", action, **fields)["type"] == "ack"
    alice, also, bob, carol = cast.heard()
    assert alice == []
    assert also == bob == carol
    (event,) = bob
    assert set(event) == {"type", "room", "username", "action", "by"} | more
    assert event | member("bob", action) == event
    assert all(event[field] == fields[field] for field in more & set(fields))
    cast.alice.ask("pm", **OPS, message="after")
    stays = action in ("mute", "unmute", "role")
    assert [len(told(wire)) for wire in (cast.bob, cast.carol)] == [int(stays), 1]


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize(
    ("state", "action", "is_told"),
    [
        ("stranger", "invite", (True, True)),
        ("stranger", "ban", (True, False)),
        ("stranger", "unban", (True, False)),
        ("invited", "kick", (True, True)),
        ("invited", "ban", (True, True)),
    ],
)
def test_an_act_on_who_is_no_member(
    wires: Wires, private: bool, state: str, action: str, is_told: tuple[bool, bool]
) -> None:
    """In a private room they are told only if they were invited, or are by that; a kick ends the invitation."""
    cast = Cast(wires, private=private)
    cast.bring(cast.bob, "bob", state)
    if action == "unban":
        cast.act("bob", "ban")
        cast.forget()
    cast.act("bob", action)
    event = member("bob", action)
    gone = [{"type": "room", "room": "ops", "gone": True}] if action == "kick" else []
    assert cast.heard() == [[], [event], [event, *gone] if is_told[private] else [], [event]]


@pytest.mark.parametrize("action", ["invite", "unban", "unmute", "role"])
def test_an_act_that_changes_nothing_is_told_to_nobody(wires: Wires, action: str) -> None:
    """It gets its ack."""
    cast = Cast(wires, private=False)
    cast.bring(cast.bob, "bob", "member")
    assert cast.act("bob", action, role="member")["type"] == "ack"
    assert cast.heard() == [[], [], [], []]


def test_entering_and_leaving(wires: Wires) -> None:
    """The account's other sessions get the room, and as its last line that they left; members are told of both."""
    cast = Cast(wires, private=False)
    other = wires.enter("bob", rooms=True)
    wires.enter("bob")
    made = cast.bob.ask("join", **OPS)
    assert made == {
        "type": "room",
        "room": "ops",
        "created": made["created"],
        "topic": "",
        "private": False,
        "members": 4,
        "role": "member",
        "unread": 0,
        "read_id": 0,
        "last_id": 0,
    }
    assert other.read_until_pong() == [made]
    joined = member("bob", "join", by="bob", role="member")
    assert cast.heard() == [[joined], [joined], [], [joined]]
    assert cast.bob.ask("join", **OPS) == made
    assert told(other) == []
    cast.alice.ask("pm", **OPS, message="hi")
    assert [len(told(wire)) for wire in (cast.bob, other)] == [1, 1]
    cast.forget()
    assert cast.bob.ask("leave", **OPS) == {"type": "ack", "command": "leave", "room": "ops"}
    left = member("bob", "leave", by="bob")
    assert cast.heard() == [[left], [left], [], [left]]
    cast.alice.ask("pm", **OPS, message="hi")
    assert (told(other), told(cast.bob)) == ([left], [])


def test_a_room_is_made_for_all_sessions_of_its_owner(wires: Wires) -> None:
    """The others get it as the reply has it, and its messages from then on."""
    alice, also, bob = (wires.enter(name, rooms=True) for name in ("alice", "alice", "bob"))
    made = alice.ask("create", **OPS, topic="deploys")
    assert (made["role"], made["topic"], made["members"], made["last_id"]) == ("owner", "deploys", 1, 0)
    assert also.read_until_pong() == [made]
    alice.ask("pm", **OPS, message="hi")
    assert [line["message"] for line in told(also)] == ["hi"]
    assert told(bob) == []


def test_a_topic_is_told_without_what_is_ones_own(wires: Wires) -> None:
    """To the members, and not to the asker; the same topic again is told to nobody."""
    cast = Cast(wires, private=False)
    assert cast.alice.ask("set_room", **OPS, topic="deploys") == {"type": "ack", "command": "set_room", "room": "ops"}
    event = {"type": "room", "room": "ops", "topic": "deploys", "private": False, "members": 3}
    assert cast.heard() == [[], [event], [], [event]]
    cast.alice.ask("set_room", **OPS, topic="deploys")
    assert cast.heard() == [[], [], [], []]


def test_a_room_that_becomes_private_is_gone_for_who_was_invited(wires: Wires) -> None:
    """The invitations end with that; those who are told have `gone` and no more."""
    cast = Cast(wires, private=False)
    cast.bring(cast.bob, "bob", "invited")
    cast.alice.ask("set_room", **OPS, private=True)
    event = {"type": "room", "room": "ops", "topic": "", "private": True, "members": 3}
    assert cast.heard() == [[], [event], [{"type": "room", "room": "ops", "gone": True}], [event]]
    assert cast.bob.ask("join", **OPS)["code"] == "unknown_room"


def test_a_room_that_its_last_member_leaves_is_gone(wires: Wires) -> None:
    """Who was invited is told; another room may have the name then, and has nothing of the old one."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    old = alice.ask("create", **OPS, private=True)
    alice.ask("pm", **OPS, message="secret")
    alice.ask("moderate", **OPS, username="bob", action="invite")
    bob.read_until_pong()
    alice.ask("leave", **OPS)
    gone = {"type": "room", "room": "ops", "created": old["created"], "gone": True}
    assert [line for line in bob.read_until_pong() if line["type"] == "room"] == [gone]
    new = bob.ask("create", **OPS)
    assert new["created"] > old["created"]
    assert bob.ask("history", **OPS)["messages"] == []
    assert bob.ask("pm", **OPS, created=old["created"], message="hi")["code"] == "unknown_room"
    assert bob.ask("pm", **OPS, created=new["created"], message="hi")["type"] == "ack"


def test_a_room_that_the_operator_deletes_is_gone_for_all(server: Server, wires: Wires) -> None:
    """Its members and who was invited are told, and get nothing of it any more."""
    cast = Cast(wires, private=False)
    cast.bring(cast.bob, "bob", "invited")
    storage, services = server.services.storage, server.services
    storage.result(storage.delete_room("ops", done=lambda change: telling.tell(services, change)))
    gone = {"type": "room", "room": "ops", "gone": True}
    assert cast.heard() == [[gone], [gone], [gone], [gone]]
    assert cast.alice.ask("pm", **OPS, message="hi")["code"] == "unknown_room"


def test_the_main_room_tells_without_its_name(server: Server, wires: Wires) -> None:
    """Acts and topics there go to all clients that know rooms; kick and ban end the sessions."""
    alice, bob, carol, erin = (wires.enter(name, rooms=name != "erin") for name in ("alice", "bob", "carol", "erin"))
    storage = server.services.storage
    rooms.act(storage, None, "alice", "role", None, role="owner")
    assert alice.ask("set_room", room="all", topic="hello") == {"type": "ack", "command": "set_room"}
    assert told(carol) == told(bob) == [{"type": "room", "topic": "hello"}]
    assert wires.enter("carol", rooms=True).hello["topic"] == "hello"
    for action in ("mute", "kick"):
        acted = alice.ask("moderate", room="all", username="bob", action=action)
        assert acted == {"type": "ack", "command": "moderate", "username": "bob", "action": action}
        event = {"type": "member", "username": "bob", "action": action, "by": "alice"}
        assert told(carol) == [event]
    ended = [line for line in bob.read_to_end() if line["type"] != "users"]
    assert [line.get("action", line.get("reason")) for line in ended] == ["mute", "kick", "kicked"]
    assert told(erin) == []
    bob = wires.enter("bob")
    assert bob.ask("pm", message="hi")["code"] == "muted"
    alice.ask("moderate", room="all", username="bob", action="ban")
    assert bob.read_to_end()[-1] == {"type": "bye", "reason": "kicked"}
    until(lambda: not server.services.roster.sessions_of(2))


def test_the_one_concerned_is_told_by_the_operators_act(server: Server, wires: Wires) -> None:
    """It has no `by`."""
    cast = Cast(wires, private=False)
    cast.bring(cast.bob, "bob", "member")
    storage, services = server.services.storage, server.services
    from tests.support.cast import UNLIMITED

    storage.result(
        storage.moderate(
            *(None, "ops", "bob", "kick"),
            role=None,
            until=None,
            reason=None,
            limits=UNLIMITED,
            done=lambda change: telling.tell(services, change),
        )
    )
    event = {"type": "member", "room": "ops", "username": "bob", "action": "kick"}
    assert cast.heard() == [[event]] * 4
