"""service/chat/rooms.py: rooms are made, joined, left, changed and listed, over real connections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from service.storage.sqlite import database
from tests.support.cast import act, make_room
from tests.support.engines import POSTGRES
from tests.support.helpers import running_server
from tests.support.wires import Wires

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from service.server import Server
    from tests.support.helpers import Line

pytestmark = pytest.mark.engines
TOPIC = "x" * 300


def names(page: Line) -> list[str]:
    """The names in a page, in their order."""
    (kind,) = {"rooms", "members", "bans"} & page.keys()
    return [row.get("room", row.get("name")) for row in page[kind]]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"room": "all"}, "room_exists"),
        ({"room": "a1l"}, "room_exists"),  # looks like the main room
        ({"room": "OPS"}, "room_exists"),
        ({"room": "0ps"}, "room_exists"),  # looks like it
        ({"room": "secret"}, "room_exists"),  # a private one of somebody else
        ({"room": "a b"}, "invalid_room"),
        ({"room": "#a"}, "invalid_room"),
        ({"room": "x" * 33}, "invalid_room"),
        ({"room": "new", "topic": "a\0b"}, "bad_request"),
        ({"room": "new", "topic": TOPIC + "x"}, "bad_request"),
    ],
)
def test_a_room_that_cannot_be_made(wires: Wires, fields: Line, code: str) -> None:
    """Each has its code; nothing is made."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("create", room="ops")
    bob.ask("create", room="secret", private=True)
    assert alice.ask("create", **fields)["code"] == code
    assert names(alice.ask("rooms")) == ["ops"]


@pytest.mark.parametrize(
    ("setting", "role", "is_made"),
    [
        ("open", "member", True),
        ("moderators", "member", False),
        ("moderators", "moderator", True),
        ("moderators", "owner", True),
        ("closed", "owner", False),
    ],
)
def test_who_may_make_rooms_is_a_setting(tmp_path: Path, setting: str, role: str, is_made: bool) -> None:
    """By the role in the main room; a name that is taken tells nothing more where none may be made."""
    with running_server(tmp_path, rooms=setting) as server:
        wires = Wires(server.port)
        alice = wires.enter("alice")
        act(server.services.storage, None, "alice", "role", role=role)  # type: ignore[arg-type]
        reply = alice.ask("create", room="ops", topic=TOPIC)
        assert reply.get("code", reply["type"]) == ("room" if is_made else "not_allowed")
        wires.close()


def test_the_limits_are_settings(tmp_path: Path) -> None:
    """Of rooms, of members, of memberships and of invitations, each at its edge."""
    limits = {"max_rooms": 2, "max_members": 2, "rooms_per_account": 1, "max_invitations": 1}
    with running_server(tmp_path, **limits) as server:
        wires = Wires(server.port)
        alice, bob, carol = (wires.enter(name) for name in ("alice", "bob", "carol"))

        def code(reply: Line) -> str:
            return str(reply.get("code", reply["type"]))

        assert [code(alice.ask("create", room=room)) for room in ("one", "two")] == ["room", "limit_reached"]
        assert [code(bob.ask("create", room="two")), code(carol.ask("create", room="three"))] == [
            "room",
            "limit_reached",
        ]
        asked = {"room": "one", "action": "invite"}
        invited = [code(alice.ask("moderate", **asked, username=name)) for name in ("carol", "bob")]
        assert invited == ["ack", "limit_reached"]
        assert code(bob.ask("join", room="one")) == "limit_reached"  # he has his one room
        assert code(carol.ask("join", room="one")) == "room"
        dave = wires.enter("dave")
        assert code(dave.ask("join", room="one")) == "limit_reached"  # it has its two members
        wires.close()


@pytest.mark.parametrize("command", ["join", "leave"])
def test_nobody_joins_or_leaves_the_main_room(wires: Wires, command: str) -> None:
    """And it is not made private; a topic that is refused with that is not set."""
    alice = wires.enter("alice", rooms=True)
    assert alice.ask(command, room="all")["code"] == "not_allowed"
    assert alice.ask("set_room", room="all", topic="x", private=True)["code"] == "not_allowed"
    assert wires.enter("alice", rooms=True).hello["topic"] == ""


# What each may set of a room, alone and together; a private room stays private.
SETTINGS = [
    ({"topic": "x"}, {"stranger": "not_a_member", "member": "not_allowed", "moderator": "ack", "owner": "ack"}),
    ({"private": True}, {"stranger": "not_a_member", "member": "not_allowed", "moderator": "not_allowed"}),
    ({"topic": "x", "private": True}, {"moderator": "not_allowed", "owner": "ack"}),
    ({"private": False}, {"moderator": "not_allowed", "owner": "ack"}),
    ({}, {"stranger": "bad_request", "owner": "bad_request"}),
    ({"topic": "a\0b"}, {"owner": "bad_request"}),
]


@pytest.mark.parametrize(("fields", "answers"), SETTINGS)
def test_who_may_set_what(server: Server, wires: Wires, fields: Line, answers: dict[str, str]) -> None:
    """One field of several that is not one's own to set keeps the others from being set."""
    for role, answer in answers.items():
        wire = wires.enter(f"the-{role}", rooms=True)
        room = make_room(server.services.storage, people={} if role == "stranger" else {f"the-{role}": role})
        reply = wire.ask("set_room", room=room, **fields)
        assert reply.get("code", reply["type"]) == answer, role
        (row,) = (row for row in wire.ask("rooms")["rooms"] if row["room"] == room)
        set_topic = fields["topic"] if answer == "ack" and "topic" in fields else ""
        assert (row["topic"], row["private"]) == (set_topic, answer == "ack" and fields.get("private", False))


def test_a_private_room_stays_private(wires: Wires) -> None:
    """Its owner is refused, and a topic with that is not set."""
    alice = wires.enter("alice")
    alice.ask("create", room="ops", private=True)
    assert alice.ask("set_room", room="ops", topic="x", private=False)["code"] == "not_allowed"
    assert alice.ask("rooms")["rooms"][0]["topic"] == ""


def test_the_list_of_rooms(wires: Wires) -> None:
    """By name, page by page; with what is one's own only for members, and private ones for members and invited."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    for room, private in (("d", False), ("b", True), ("c", False), ("a", False)):
        alice.ask("create", room=room, private=private)
    assert names(bob.ask("rooms")) == ["a", "c", "d"]
    alice.ask("moderate", room="b", username="bob", action="invite")
    bob.ask("join", room="c")
    page = bob.ask("rooms", limit=2)
    assert (names(page), page["more"]) == (["a", "b"], True)
    rest = bob.ask("rooms", after="b", limit=2)
    assert (names(rest), rest["more"]) == (["c", "d"], False)
    common = {"topic": "", "private": False, "created": ""}
    rows = [row | {"created": ""} for row in page["rooms"] + rest["rooms"]]
    assert rows == [
        {"room": "a", **common, "members": 1},
        {"room": "b", **common, "private": True, "members": 1, "invited": True},
        {"room": "c", **common, "members": 2, "role": "member", "unread": 0, "read_id": 0},
        {"room": "d", **common, "members": 1},
    ]


def test_the_members_of_a_room(wires: Wires) -> None:
    """By name, with who is online; a mute is told to moderators and the muted one."""
    alice, bob, carol = (wires.enter(name, rooms=True) for name in ("alice", "bob", "carol"))
    wires.enter("dora", quiet=True).ask("create", room="ops")
    for wire in (alice, bob, carol):
        wire.ask("join", room="ops")
    dora = wires.enter("dora", quiet=True)
    dora.ask("moderate", room="ops", username="bob", action="mute")
    dora.ask("moderate", room="ops", username="alice", action="role", role="moderator")
    rows = [
        {"name": "alice", "role": "moderator", "online": True},
        {"name": "bob", "role": "member", "online": True, "muted": True},
        {"name": "carol", "role": "member", "online": True},
        {"name": "dora", "role": "owner", "online": False},
    ]
    for wire in (alice, bob, dora):
        assert wire.ask("members", room="ops") == {"type": "members", "room": "ops", "members": rows, "more": False}
    del rows[1]["muted"]
    assert carol.ask("members", room="ops")["members"] == rows
    page = carol.ask("members", room="ops", after="alice", limit=2)
    assert (names(page), page["more"]) == (["bob", "carol"], True)
    stranger = wires.enter("zoe")
    assert stranger.ask("members", room="ops")["code"] == "not_a_member"


def test_the_members_of_the_main_room(server: Server, wires: Wires) -> None:
    """Who is online or has a role; its moderators and owners see all accounts."""
    alice = wires.enter("alice")
    for name in ("bob", "carol"):
        wires.enter(name).ask("ex")
    act(server.services.storage, None, "carol", "role", role="moderator")
    page = alice.ask("members", room="all")
    while names(page) != ["alice", "carol"]:  # until the others have left
        page = alice.ask("members", room="all")
    assert "room" not in page
    assert page["members"][1] == {"name": "carol", "role": "moderator", "online": False}
    assert names(wires.enter("carol", quiet=True).ask("members", room="all")) == ["alice", "bob", "carol"]


def test_the_bans_of_a_room(wires: Wires) -> None:
    """For moderators: by name, with who, why and until when; a name without an account as well."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("create", room="ops")
    alice.ask("moderate", room="ops", username="bob", action="ban", reason="noise")
    alice.ask("moderate", room="ops", username="zoe", action="ban", minutes=5)
    page = alice.ask("bans", room="ops")
    assert [(row["name"], row["by"], row.get("reason"), "until" in row) for row in page["bans"]] == [
        ("bob", "alice", "noise", False),
        ("zoe", "alice", None, True),
    ]
    assert names(alice.ask("bans", room="ops", after="bob")) == ["zoe"]
    assert bob.ask("bans", room="ops")["code"] == "not_a_member"
    carol = wires.enter("carol")
    carol.ask("join", room="ops")
    assert carol.ask("bans", room="ops")["code"] == "not_allowed"
    assert wires.enter("zoe").ask("join", room="ops")["code"] == "banned"


UNKNOWN_COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("pm", {"message": "hi"}),
    ("pm", {"message": "hi", "nonce": "n", "created": "x"}),
    ("history", {}),
    ("search", {"query": "hi"}),
    ("seen", {"id": 1}),
    ("join", {}),
    ("leave", {}),
    ("members", {}),
    ("bans", {}),
    ("set_room", {"topic": "x"}),
    ("set_room", {"private": True}),
    *(("moderate", {"username": "bob", "action": action}) for action in ("invite", "kick", "ban", "unban", "mute")),
    ("moderate", {"username": "bob", "action": "role", "role": "owner"}),
]


def test_a_private_room_is_to_others_as_none(server: Server, wires: Wires) -> None:
    """To a stranger, to a moderator of the main room, and after a kick or ban: the same code and words."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    kicked, banned, operator = (wires.enter(name, rooms=True) for name in ("kicked", "banned", "carol"))
    act(server.services.storage, None, "carol", "role", role="owner")
    alice.ask("create", room="secret", private=True)
    for name, wire in (("kicked", kicked), ("banned", banned)):
        alice.ask("moderate", room="secret", username=name, action="invite")
        wire.ask("join", room="secret")
        alice.ask("moderate", room="secret", username=name, action="kick" if name == "kicked" else "ban")
    for wire in (bob, operator, kicked, banned):
        for command, fields in UNKNOWN_COMMANDS:
            private, unknown = (wire.ask(command, **fields, room=room) for room in ("secret", "absent"))
            assert private["code"] == "unknown_room", (command, fields)
            assert {**private, "message": private["message"].replace("secret", "absent")} == unknown
        assert names(wire.ask("rooms")) == []
    assert alice.ask("history", room="secret")["messages"] == []


# Who may do what by the membership, in a public room and in a private one: the columns are WHO; the owner
# comes last, who may change the room.
WHO = ("stranger", "invited", "member", "moderator", "mainmod", "muted", "banned", "owner")
ANSWERS = {
    "u": "unknown_room",
    "n": "not_a_member",
    "d": "not_allowed",
    "m": "muted",
    "b": "banned",
}
WHO_MAY: list[tuple[str, Line, str, str]] = [
    ("pm", {"message": "hi"}, "nn..nmn.", "un..umu."),
    ("history", {}, "nn..n.n.", "un..u.u."),
    ("search", {"query": "hi"}, "nn..n.n.", "un..u.u."),
    ("seen", {"id": 1}, "nn..n.n.", "un..u.u."),
    ("members", {}, "nn....n.", "un..u.u."),
    ("bans", {}, "nnd..dn.", "und.udu."),
    ("set_room", {"topic": "x"}, "nnd..dn.", "und.udu."),
    ("set_room", {"private": True}, "nnddndn.", "unddudu."),
    ("join", {}, "......b.", "u...u.u."),
    ("leave", {}, "nn..n.n.", "un..u.u."),
]


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_who_may_do_what_by_the_membership(server: Server, wires: Wires, private: bool) -> None:
    """A role in the main room lets one act in a public room, and neither read nor write there."""
    storage = server.services.storage
    clients = {who: wires.enter(f"the-{who}", rooms=True) for who in WHO}
    act(storage, None, "the-mainmod", "role", "moderator")
    people = {f"the-{who}": who for who in ("invited", "member", "moderator", "owner")}
    for command, fields, *rows in WHO_MAY:
        room = make_room(storage, private=private, people=people | {"the-muted": "member", "the-banned": "member"})
        act(storage, room, "the-muted", "mute")
        act(storage, room, "the-banned", "ban")
        for who, letter in zip(WHO, rows[private], strict=True):
            reply = clients[who].ask(command, **fields, room=room)
            assert reply.get("code", ".") == ANSWERS.get(letter, "."), (command, fields, who)


@pytest.mark.parametrize("action", ["kick", "ban", "mute", "role"])
def test_what_is_done_to_who_is_away_holds_at_the_next_login(wires: Wires, action: str) -> None:
    """The login shows it, and nothing of a room that was lost comes live."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    bob.ask("ex")
    bob.read_to_end()
    alice.ask("moderate", room="ops", username="bob", action=action, role="moderator")
    bob = wires.enter("bob", rooms=True)
    alice.ask("pm", room="ops", message="hi")
    heard = [line["message"] for line in bob.read_until_pong()]
    if action in ("kick", "ban"):
        assert (bob.hello["rooms"], heard) == ([], [])
    else:
        (row,) = bob.hello["rooms"]
        told = (row["role"], row.get("muted", False))
        assert (told, heard) == (("member", True) if action == "mute" else ("moderator", False), ["hi"])


def trace_sqlite(monkeypatch: pytest.MonkeyPatch, statements: list[str]) -> None:
    connect = database.connect

    def connect_traced(*args: Any, **more: Any) -> sqlite3.Connection:
        connection = connect(*args, **more)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(database, "connect", connect_traced)


def trace_postgres(monkeypatch: pytest.MonkeyPatch, statements: list[str]) -> None:
    """But for what the writer does by itself now and then."""
    from service.storage.postgres import fulltext, node
    from service.storage.postgres.connection import Connection

    monkeypatch.setattr(node, "BEAT", 1e5)
    monkeypatch.setattr(fulltext, "index_some", lambda _: False)
    for name in ("call", "execute", "executemany", "run", "run_several"):
        method = getattr(Connection, name)

        def traced(self: Connection, statement: str, *rest: Any, method: Any = method) -> Any:
            statements.append(statement)
            return method(self, statement, *rest)

        monkeypatch.setattr(Connection, name, traced)


def test_for_a_private_room_the_same_statements_run_as_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a stranger asks, on all connections of the service; only the values differ."""
    statements: list[str] = []
    (trace_postgres if POSTGRES else trace_sqlite)(monkeypatch, statements)
    with running_server(tmp_path) as server:
        wires = Wires(server.port)
        alice, bob = wires.enter("alice"), wires.enter("bob", rooms=True)
        alice.ask("create", room="secret", private=True)

        def run(command: str, fields: Line, room: str) -> list[str]:
            bob.read_until_pong()
            statements.clear()
            assert bob.ask(command, **fields, room=room)["code"] == "unknown_room"
            bob.read_until_pong()
            asked = [statement for statement in statements if not statement.startswith("PRAGMA")]  # those are upkeep's
            return [re.sub(r"'[^']*'|[0-9]+", "?", statement) for statement in asked]

        for command, fields in UNKNOWN_COMMANDS:
            run(command, fields, "absent")  # what is looked up once for all
            assert run(command, fields, "secret") == run(command, fields, "absent") != [], (command, fields)
        wires.close()
