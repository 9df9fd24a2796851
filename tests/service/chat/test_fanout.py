"""service/chat/fanout.py: acks, and the way of a message to its readers, over a real connection."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from service.storage.sqlite import posting
from tests.support.wires import said

if TYPE_CHECKING:
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_the_assignments_examples_work_as_they_stand(wires: Wires) -> None:
    """An extra `type` and unknown fields do not matter; a broadcast has the sender and the text."""
    bob = wires.enter("bob", password="securepassword")
    alice = wires.connect()
    alice.send({"type": "command", "command": "register", "username": "alice", "password": "securepassword"})
    assert alice.read()["type"] == "login_ok"
    bob.send({"type": "command", "command": "pm", "message": "Hello, everyone!"})
    broadcast = alice.read_type("broadcast")
    assert {key: broadcast[key] for key in ("from", "message")} == {"from": "bob", "message": "Hello, everyone!"}


def test_a_public_message_reaches_everyone_else(wires: Wires) -> None:
    """Every other session gets it, the sender's other one too; the sender's own gets the ack."""
    alice, again, bob = wires.enter("alice"), wires.enter("alice"), wires.enter("bob")
    ack = alice.ask("pm", message="hi", nonce="n1")
    assert ack == {"type": "ack", "command": "pm", "id": 1, "time": ack["time"], "nonce": "n1"}
    expected = {"type": "broadcast", "id": 1, "time": ack["time"], "from": "alice", "message": "hi"}
    assert bob.read_until_pong() == [expected] == again.read_until_pong()
    assert alice.read_until_pong() == []


def test_a_direct_message_reaches_both_sides_and_nobody_else(wires: Wires) -> None:
    """Every session of the recipient and the sender's other ones get it."""
    alice, again, bob, carol = (wires.enter(name) for name in ("alice", "alice", "bob", "carol"))
    ack = alice.ask("dm", to="Bob", message="hi", nonce="n2")
    assert ack | {"time": ""} == {
        "type": "ack",
        "command": "dm",
        "id": 1,
        "time": "",
        "to": "bob",
        "status": "delivered",
        "nonce": "n2",
    }
    expected = {"type": "direct", "id": 1, "time": ack["time"], "from": "alice", "to": "bob", "message": "hi"}
    assert bob.read_until_pong() == [expected] == again.read_until_pong()
    assert alice.read_until_pong() == [] == carol.read_until_pong()


def test_a_direct_message_to_someone_away_is_stored(wires: Wires) -> None:
    """Its ack says so, and it waits."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    bob.ask("ex")
    assert bob.read_to_end() == []
    assert alice.ask("dm", to="bob", message="hi")["status"] == "stored"
    assert wires.enter("bob").hello["missed"] == 1


def test_a_nonce_makes_a_retry_safe(wires: Wires) -> None:
    """Twins in one packet, and a retry over another connection, give one id, one message and one delivery."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    twin = {"command": "pm", "message": "once", "nonce": "n"}
    alice.send(twin, twin)
    first, second = alice.read_type("ack"), alice.read_type("ack")
    again = wires.enter("alice").ask("pm", message="once", nonce="n")
    assert first == second == again
    assert said(bob.read_until_pong()) == [("once", first["id"])]
    assert alice.ask("pm", message="other", nonce="n")["code"] == "nonce_reused"
    assert alice.ask("dm", to="bob", message="once", nonce="n")["code"] == "nonce_reused"
    assert len(bob.ask("history")["messages"]) == 1


def test_what_a_client_claims_is_ignored(wires: Wires) -> None:
    """`from`, `id` and `time` are the service's to give."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("pm", **{"message": "hi", "from": "bob", "id": 99, "time": "2000-01-01T00:00:00.000Z"})
    line = bob.read_type("broadcast")
    assert (line["from"], line["id"]) == ("alice", 1)
    assert not line["time"].startswith("2000")


def test_a_note_to_self_waits(wires: Wires) -> None:
    """One may write to oneself: other sessions get it live, and without one it is missed at the next login."""
    alice, again = wires.enter("alice"), wires.enter("alice")
    note = alice.ask("dm", to="alice", message="milk")
    assert note["status"] == "delivered"
    assert said(again.read_until_pong()) == [("milk", note["id"])]


@pytest.mark.sqlite
def test_messages_that_are_not_stored_are_answered_one_by_one(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its `ref`; nobody else hears of them, and the next is stored."""

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    alice, bob = wires.enter("alice"), wires.enter("bob")
    with monkeypatch.context() as broken:
        broken.setattr(posting, "store_all", fail)
        alice.send(*({"command": "pm", "message": "hi", "ref": f"{n}"} for n in range(3)))
        errors = [line for line in alice.read_until_pong() if line["type"] == "error"]
    assert [(line["code"], line["command"], line["ref"]) for line in errors] == [
        ("storage_unavailable", "pm", f"{n}") for n in range(3)
    ]
    assert alice.ask("pm", message="again")["id"] == 1
    assert said(bob.read_until_pong()) == [("again", 1)]


def test_one_refused_message_holds_up_no_other(wires: Wires) -> None:
    """Of several in one packet each has its own outcome, in their order."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    pms = [("one", "n"), ("two", "n"), ("three", "m")]
    alice.send(*({"command": "pm", "message": text, "nonce": nonce} for text, nonce in pms))
    outcomes = [line.get("code", line["type"]) for line in alice.read_until_pong()]
    assert outcomes == ["ack", "nonce_reused", "ack"]
    assert [text for text, _ in said(bob.read_until_pong())] == ["one", "three"]


def test_a_message_to_a_room_reaches_its_members_whose_clients_know_rooms(wires: Wires) -> None:
    """Each once, in the order of all messages; the sender gets the ack; no stranger and no older client anything."""
    alice, again, bob, carol = (wires.enter(name, rooms=True) for name in ("alice", "alice", "bob", "carol"))
    old, dave = wires.enter("bob"), wires.enter("dave")
    alice.ask("create", room="ops")
    for wire in (bob, dave):
        wire.ask("join", room="ops")
    for wire in (again, bob, alice):
        wire.read_until_pong()
    ack = alice.ask("pm", room="Ops", message="one", nonce="n", kind="action")
    assert ack == {"type": "ack", "command": "pm", "room": "ops", "id": 1, "time": ack["time"], "nonce": "n"}
    heard = {"type": "broadcast", "room": "ops", "id": 1, "time": ack["time"], "from": "alice", "message": "one"}
    assert again.read_until_pong() == bob.read_until_pong() == [heard | {"kind": "action"}]
    texts = [("pm", {}, "two"), ("pm", {"room": "ops"}, "three"), ("dm", {"to": "bob"}, "four")]
    alice.send(*({"command": command, **where, "message": text} for command, where, text in texts))
    alice.read_until_pong()
    assert said(bob.read_until_pong()) == [("two", 2), ("three", 3), ("four", 4)]
    assert [said(wire.read_until_pong()) for wire in (carol, old, dave)] == [
        [("two", 2)],
        [("two", 2), ("four", 4)],
        [("two", 2)],
    ]
    assert dave.ask("pm", room="ops", message="from an older client")["room"] == "ops"
    assert said(bob.read_until_pong()) == [("from an older client", 5)]


def test_a_retry_to_a_room_gets_its_ack_whatever_has_become_of_the_membership(wires: Wires) -> None:
    """With the first id, and nobody hears it twice; the nonce is used for any other target."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    for room in ("ops", "dev"):
        alice.ask("create", room=room)
    bob.ask("join", room="ops")
    once = {"room": "ops", "message": "once", "nonce": "n"}
    first = bob.ask("pm", **once)
    alice.ask("moderate", room="ops", username="bob", action="ban")
    alice.read_until_pong()
    assert bob.ask("pm", **once) == first
    assert bob.ask("pm", **once | {"nonce": "m"})["code"] == "not_a_member"
    for where in ({}, {"room": "dev"}):
        assert bob.ask("pm", message="once", nonce="n", **where)["code"] == "nonce_reused"
    alice.ask("leave", room="ops")
    assert bob.ask("pm", **once) == first
    assert alice.read_until_pong() == []
