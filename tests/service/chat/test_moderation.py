"""service/chat/moderation.py: who may act on whom, over real connections. The tables are docs/protocol.txt's rules.

One server for all cases, and a new room for each row of a table: what one act does to its target changes no other.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.cast import account, act, make_room, told
from tests.support.helpers import running_server
from tests.support.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezegun.api import FrozenDateTimeFactory

    from service.server import Server

pytestmark = pytest.mark.engines


# A letter of a table: what the one at the left is answered who acts on the one above.
ANSWERS: Final = {
    ".": "ack",
    "u": "unknown_room",
    "n": "not_a_member",
    "d": "not_allowed",
    "b": "banned",
    "x": "unknown_user",
}
TARGETS: Final = ("nobody", "stranger", "invited", "member", "moderator", "owner", "mainmod")
# Who acts; `mainmod` and `mainowner` have that role in the main room, and none in the others. Columns as TARGETS.
PUBLIC: Final = {
    "invite": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "x......",
        "moderator": "x......",
        "owner": "x......",
        "mainmod": "x......",
        "mainowner": "x......",
    },
    "kick": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "ddddddd",
        "moderator": "xn..ddn",
        "owner": "xn...dn",
        "mainmod": "xn..ddn",
        "mainowner": "xn...dn",
    },
    "ban": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "ddddddd",
        "moderator": "....ddd",
        "owner": ".....d.",
        "mainmod": "....ddd",
        "mainowner": ".....d.",
    },
    "unban": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "ddddddd",
        "moderator": ".......",
        "owner": ".......",
        "mainmod": ".......",
        "mainowner": ".......",
    },
    "mute": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "ddddddd",
        "moderator": "xnn.ddn",
        "owner": "xnn..dn",
        "mainmod": "xnn.ddn",
        "mainowner": "xnn..dn",
    },
    "unmute": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "ddddddd",
        "moderator": "xnn.ddn",
        "owner": "xnn..dn",
        "mainmod": "xnn.ddn",
        "mainowner": "xnn..dn",
    },
    "role": {
        "stranger": "nnnnnnn",
        "invited": "nnnnnnn",
        "member": "ddddddd",
        "moderator": "ddddddd",
        "owner": "xnn..dn",
        "mainmod": "nnnnnnn",
        "mainowner": "xnn..dn",
    },
}
# Who is neither a member nor invited knows of no room, whatever the role in the main one.
_NOTHING: Final = {"stranger": "uuuuuuu", "mainmod": "uuuuuuu", "mainowner": "uuuuuuu", "invited": "nnnnnnn"}
PRIVATE: Final = {
    "invite": _NOTHING | {"member": "ddddddd", "moderator": "x......", "owner": "x......"},
    "kick": _NOTHING | {"member": "ddddddd", "moderator": "xn..ddn", "owner": "xn...dn"},
    "ban": _NOTHING | {"member": "ddddddd", "moderator": "....dd.", "owner": ".....d."},
    "unban": _NOTHING | {"member": "ddddddd", "moderator": ".......", "owner": "......."},
    "mute": _NOTHING | {"member": "ddddddd", "moderator": "xnn.ddn", "owner": "xnn..dn"},
    "unmute": _NOTHING | {"member": "ddddddd", "moderator": "xnn.ddn", "owner": "xnn..dn"},
    "role": _NOTHING | {"member": "ddddddd", "moderator": "ddddddd", "owner": "xnn..dn"},
}
MAIN_TARGETS: Final = ("nobody", "member", "mainmod", "mainowner")
MAIN: Final = {
    "invite": {"member": "dddd", "mainmod": "dddd", "mainowner": "dddd"},
    "kick": {"member": "dddd", "mainmod": "x.dd", "mainowner": "x..d"},
    "ban": {"member": "dddd", "mainmod": "..dd", "mainowner": "...d"},
    "unban": {"member": "dddd", "mainmod": "....", "mainowner": "...."},
    "mute": {"member": "dddd", "mainmod": "x.dd", "mainowner": "x..d"},
    "unmute": {"member": "dddd", "mainmod": "x.dd", "mainowner": "x..d"},
    "role": {"member": "dddd", "mainmod": "dddd", "mainowner": "x..d"},
}


class Stage:
    """A server, and a client for each of those who act."""

    def __init__(self, server: Server, wires: Wires) -> None:
        self.storage = server.services.storage
        self.numbers = count()
        people = ("stranger", "invited", "member", "moderator", "owner", "mainmod", "mainowner")
        self.actors = {name: wires.enter(f"the-{name}", rooms=True) for name in people}
        act(self.storage, None, "the-mainmod", "role", "moderator")
        act(self.storage, None, "the-mainowner", "role", "owner")

    def add_targets(self, names: tuple[str, ...]) -> dict[str, str]:
        """Makes new accounts, and returns the name of each; that of `nobody` is nobody's."""
        found = {}
        for name in names:
            found[name] = f"{name}{next(self.numbers)}"
            if name != "nobody":
                account(self.storage, found[name])
            if name in ("mainmod", "mainowner"):
                act(self.storage, None, found[name], "role", "moderator" if name == "mainmod" else "owner")
        return found

    def check(self, room: str, action: str, actor: str, targets: dict[str, str], row: str) -> None:
        """Has the actor act on each of the targets."""
        fields = {"role": "moderator"} if action == "role" else {}
        for target, letter in zip(targets, row, strict=True):
            reply = self.actors[actor].ask("moderate", room=room, username=targets[target], action=action, **fields)
            assert reply.get("code", reply["type"]) == ANSWERS[letter], (action, actor, target)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_server(tmp_path_factory.mktemp("stage")) as server:
        wires = Wires(server.port)
        yield Stage(server, wires)
        wires.close()


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("action", PUBLIC)
def test_who_may_do_what_to_whom_in_a_room(stage: Stage, action: str, private: bool) -> None:
    """Each role, and who has none there, on each other one."""
    for actor, row in (PRIVATE if private else PUBLIC)[action].items():
        targets = stage.add_targets(TARGETS)
        people = {targets[role]: role for role in ("invited", "member", "moderator", "owner")}
        if actor in ("invited", "member", "moderator", "owner"):
            people[f"the-{actor}"] = actor
        room = make_room(stage.storage, private=private, people=people)
        stage.check(room, action, actor, targets, row)


@pytest.mark.parametrize("action", MAIN)
def test_who_may_do_what_to_whom_in_the_main_room(stage: Stage, action: str) -> None:
    """Everyone is a member; the roles are those that the operator gave."""
    for actor, row in MAIN[action].items():
        stage.check("all", action, actor, stage.add_targets(MAIN_TARGETS), row)


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_on_oneself_only_a_lower_role_is_allowed(stage: Stage, private: bool) -> None:
    """Beside leaving; there is another owner."""
    roles = ["member", "moderator", "owner"]
    for actor in roles:
        room = make_room(stage.storage, private=private, people={f"the-{role}": role for role in roles})
        for action in PUBLIC:
            fields = {"role": actor} if action == "role" else {}
            reply = stage.actors[actor].ask("moderate", room=room, username=f"the-{actor}", action=action, **fields)
            assert reply["code"] == "not_allowed", (actor, action)
        for role in roles[roles.index(actor) :: -1][1:]:
            fields = {"username": f"the-{actor}", "action": "role", "role": role}
            reply = stage.actors[actor].ask("moderate", room=room, **fields)
            assert reply["type"] == "ack"


def test_the_fields_of_an_act(wires: Wires) -> None:
    """The ack repeats what was asked; a role has to be named; minutes and role mean nothing to other acts."""
    alice = wires.enter("alice", rooms=True)
    wires.enter("bob")
    alice.ask("create", room="ops")
    asked = {"room": "Ops", "username": "Bob"}
    assert alice.ask("moderate", **asked, action="invite", minutes=5, role="owner") == {
        "type": "ack",
        "command": "moderate",
        "room": "ops",
        "username": "bob",
        "action": "invite",
    }
    assert alice.ask("moderate", **asked, action="role")["code"] == "bad_request"
    assert alice.ask("moderate", **asked, action="kick", reason="a\0b")["code"] == "bad_request"
    assert alice.ask("moderate", room="ops", username="no such name", action="ban")["code"] == "unknown_user"
    for refused in ("server", "deleted-9"):
        assert alice.ask("moderate", room="ops", username=refused, action="kick")["code"] == "unknown_user"


def test_a_mute_and_a_ban_end_by_the_clock(wires: Wires, clock: FrozenDateTimeFactory) -> None:
    """Until then `retry_after` says how long it takes; nobody is told of the end."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    for action, asked, code in (("mute", ("pm", "message"), "muted"), ("ban", ("join", "room"), "banned")):
        alice.ask("moderate", room="ops", username="bob", action=action, minutes=1)
        command, field = asked
        fields = {field: "hi"} | {"room": "ops"}
        refused = bob.ask(command, **fields)
        assert (refused["code"], refused["retry_after"]) == (code, 60)
        clock.tick(61)
        assert bob.ask(command, **fields)["type"] in ("ack", "room")
    alice.ask("moderate", room="ops", username="bob", action="mute")
    assert "retry_after" not in bob.ask("pm", room="ops", message="hi")


def test_the_last_owner_hands_over(wires: Wires) -> None:
    """To the moderator who is there for the longest time, before any member; alone nobody can step down."""
    alice, bob, carol = (wires.enter(name, rooms=True) for name in ("alice", "bob", "carol"))
    alice.ask("create", room="ops")
    down = {"room": "ops", "username": "alice", "action": "role", "role": "member"}
    assert alice.ask("moderate", **down)["code"] == "not_allowed"
    bob.ask("join", room="ops")
    carol.ask("join", room="ops")
    alice.ask("moderate", room="ops", username="carol", action="role", role="moderator")
    for wire in (alice, bob, carol):
        told(wire)
    assert alice.ask("moderate", **down)["type"] == "ack"
    own = {"type": "member", "room": "ops", "username": "alice", "action": "role", "role": "member", "by": "alice"}
    heir = {"type": "member", "room": "ops", "username": "carol", "action": "role", "role": "owner"}
    assert [told(wire) for wire in (alice, bob, carol)] == [[heir], [own, heir], [own, heir]]
    carol.ask("leave", room="ops")
    left = {"type": "member", "room": "ops", "username": "carol", "action": "leave", "by": "carol"}
    next_one = {"type": "member", "room": "ops", "username": "alice", "action": "role", "role": "owner"}
    assert told(bob) == [left, next_one]
    assert told(carol) == []


def test_the_last_owner_of_the_main_room_stays(server: Server, wires: Wires) -> None:
    """Nothing is handed over there."""
    alice, _ = wires.enter("alice"), wires.enter("bob")
    down = {"room": "all", "username": "alice", "action": "role", "role": "member"}
    act(server.services.storage, None, "alice", "role", "owner")
    assert alice.ask("moderate", **down)["code"] == "not_allowed"
    alice.ask("moderate", room="all", username="bob", action="role", role="owner")
    assert alice.ask("moderate", **down)["type"] == "ack"
