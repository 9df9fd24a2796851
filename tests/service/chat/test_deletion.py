"""service/chat/deletion.py: the command `delete`, and who is told when. test_contract.py has who may delete what."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from service.storage.records import Post, Stored
from tests.support import rooms
from tests.support.cast import account, act, make_room
from tests.support.helpers import PATIENCE
from tests.support.storage import store_posts
from tests.support.wires import away

if TYPE_CHECKING:
    from service.server import Server
    from service.storage.records import Page
    from tests.support.helpers import Line, Wire
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def promote(server: Server, name: str, role: str) -> None:
    rooms.act(server.services.storage, None, name, "role", None, role=role)


def deleted_of(wire: Wire) -> list[Line]:
    return [line for line in wire.read_until_pong() if line["type"] == "deleted"]


def test_all_others_are_told_and_the_asker_gets_the_ack(wires: Wires) -> None:
    """Public: everyone's sessions, the asker's other one too; each once, with who did it and when."""
    alice, also, bob = wires.enter("alice"), wires.enter("alice"), wires.enter("bob")
    said = alice.ask("pm", message="secret", nonce="n")
    alice.send({"command": "delete", "id": said["id"], "ref": "r"})
    assert alice.read_type("ack") == {"type": "ack", "command": "delete", "id": said["id"], "ref": "r"}
    (told,) = deleted_of(bob)
    assert told == {"type": "deleted", "id": said["id"], "by": "alice", "time": told["time"]}
    assert deleted_of(also) == [told]
    assert deleted_of(alice) == []
    (entry,) = bob.ask("history")["messages"]
    assert entry == {"id": 1, "time": said["time"], "from": "alice", "message": "", "deleted": told["time"]}


def test_of_a_direct_message_both_sides_are_told_and_nobody_else(wires: Wires) -> None:
    """Every session of the two but the asking one; it is no longer missed."""
    alice, also, carol = wires.enter("alice"), wires.enter("alice"), wires.enter("carol")
    bob = wires.enter("bob", confirm=True)
    said = alice.ask("dm", to="bob", message="secret", nonce="n")["id"]
    assert alice.ask("delete", id=said)["type"] == "ack"
    assert [len(deleted_of(wire)) for wire in (also, bob, carol, alice)] == [1, 1, 0, 0]
    assert bob.ask("missed")["messages"] == []
    assert wires.enter("bob", confirm=True).hello["missed"] == 0


def test_a_second_time_it_is_an_ack_and_nobody_is_told(wires: Wires) -> None:
    """A retry of its nonce gets the first ack, and is sent to nobody."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    said = alice.ask("pm", message="secret", nonce="n")
    assert [alice.ask("delete", id=said["id"])["type"] for _ in range(2)] == ["ack", "ack"]
    assert alice.ask("pm", message="another", nonce="n") == said
    assert [line["type"] for line in bob.read_until_pong() if line["type"] != "users"] == ["broadcast", "deleted"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"id": 1}, "not_allowed"),
        ({"id": 2}, "unknown_message"),
        ({"id": 3}, "not_allowed"),
        ({"id": 99}, "unknown_message"),
        ({}, "bad_request"),
        ({"id": "1"}, "bad_request"),
        ({"id": 3, "reason": "x" * 301}, "bad_request"),
        ({"id": 3, "reason": "\0"}, "bad_request"),
    ],
)
def test_what_cannot_be_deleted_is_told(wires: Wires, command: Line, code: str) -> None:
    """Another's message, one between others, one to oneself, none; the text stays."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    away(wires, "carol")
    alice.ask("pm", message="public")
    alice.ask("dm", to="carol", message="to carol")
    alice.ask("dm", to="bob", message="to bob")
    error = bob.ask("delete", **command)
    assert (error["type"], error["code"], error["command"]) == ("error", code, "delete")
    assert alice.ask("history")["messages"][0]["message"] == "public"
    assert deleted_of(alice) == []


def test_a_moderator_deletes_with_a_reason_that_nobody_gets(server: Server, wires: Wires) -> None:
    """The role counts as it is at that moment; the reason goes to nobody."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    said = alice.ask("pm", message="secret")["id"]
    promote(server, "bob", "moderator")
    assert bob.ask("delete", id=said, reason="x" * 300)["type"] == "ack"
    (told,) = deleted_of(alice)
    assert (told["by"], set(told)) == ("bob", {"type", "id", "by", "time"})


def test_the_deletion_has_its_place_in_the_order(wires: Wires) -> None:
    """Between the messages before it and those after it, for all who get them."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.send(*({"command": "pm", "message": f"{n}"} for n in range(3)), {"command": "delete", "id": 2})
    alice.send({"command": "pm", "message": "3"})
    acks = [(line["command"], line["id"]) for line in alice.read_until_pong() if line["type"] == "ack"]
    got = [(line["type"], line["id"]) for line in bob.read_until_pong() if "id" in line]
    assert got == [*(("broadcast", n) for n in (1, 2, 3)), ("deleted", 2), ("broadcast", 4)]
    assert acks == [("pm", 1), ("pm", 2), ("pm", 3), ("delete", 2), ("pm", 4)]


def test_a_deletion_after_messages_takes_no_receipt_away(server: Server, wires: Wires) -> None:
    """In one run with a message, for a client that does not confirm: the message counts as read."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.send({"command": "pm", "message": "x"}, {"command": "delete", "id": 1})
    alice.read_until_pong()
    bob.read_until_pong()
    bob.ask("ex")
    bob.read_to_end()
    assert wires.enter("bob").hello["unread"] == 0


@pytest.mark.parametrize("where", [{}, {"room": "ops"}], ids=["main", "room"])
def test_no_page_has_the_text_after_the_event(wires: Wires, where: Line) -> None:
    """Under load: two others read and search all the while, and once they were told, no reply has the text."""
    alice, *readers = (wires.enter(name, rooms=True) for name in ("alice", "bob", "carol"))
    alice.ask("create", room="ops")
    for reader in readers:
        reader.ask("join", room="ops")
    for n in range(1, 61):
        alice.send({"command": "pm", "message": f"secret number {n}", **where})
    alice.read_until_pong()
    pages: list[Line] = [{"command": "history", "limit": 200, **where}, {"command": "since", "id": 0, "limit": 200}]
    pages += [{"command": "search", "query": "secret", **where}]
    for n in range(1, 61):
        alice.send({"command": "delete", "id": n})
        for reader in readers:
            reader.send(*pages)
    alice.read_until_pong()
    for reader in readers:
        gone: set[int] = set()
        for line in reader.read_until_pong():
            if line["type"] == "deleted":
                gone.add(line["id"])
            for message in line.get("messages", ()):
                assert message["id"] not in gone or message["message"] == ""
        assert gone == set(range(1, 61))


def test_a_page_that_was_read_before_has_no_text_after(
    server: Server, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion is told while the page is on its way."""
    alice, bob, storage = wires.enter("alice"), wires.enter("bob"), server.services.storage
    alice.ask("pm", message="secret")
    has_read, is_told, read_page = threading.Event(), threading.Event(), storage.history_page

    def read_slowly(*args: Any) -> Page:
        page = read_page(*args)
        has_read.set()
        is_told.wait(PATIENCE)
        return page

    monkeypatch.setattr(storage, "history_page", read_slowly)
    bob.send({"command": "history"})
    has_read.wait(PATIENCE)
    alice.ask("delete", id=1)
    assert bob.read_type("deleted")["id"] == 1
    is_told.set()
    assert [message["message"] for message in bob.read_type("history")["messages"]] == [""]


def test_in_a_room_its_members_are_told(wires: Wires) -> None:
    """Their sessions that know rooms, at its place in the order; neither strangers nor older clients."""
    alice, also, bob, carol = (wires.enter(name, rooms=True) for name in ("alice", "alice", "bob", "carol"))
    old = wires.enter("bob")
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    alice.send({"command": "pm", "room": "ops", "message": "secret"}, {"command": "delete", "id": 1})
    alice.send({"command": "pm", "room": "ops", "message": "next"})
    alice.read_until_pong()
    (told,) = deleted_of(also)
    assert told == {"type": "deleted", "id": 1, "room": "ops", "by": "alice", "time": told["time"]}
    assert [line.get("id") for line in bob.read_until_pong() if "id" in line] == [1, 1, 2]
    assert [deleted_of(wire) for wire in (alice, carol, old)] == [[], [], []]


# Who may delete a message in a room, by the rank of who asks and of who has sent it there.
MAY_DELETE = {
    "stranger": {"public": ["unknown_message"] * 3, "private": ["unknown_message"] * 3},
    "member": {"public": ["not_allowed"] * 3, "private": ["not_allowed"] * 3},
    "moderator": {"public": ["ack", "not_allowed", "not_allowed"], "private": ["ack", "not_allowed", "not_allowed"]},
    "owner": {"public": ["ack", "ack", "not_allowed"], "private": ["ack", "ack", "not_allowed"]},
    "mainmod": {"public": ["ack", "unknown_message", "unknown_message"], "private": ["unknown_message"] * 3},
    "mainowner": {"public": ["ack", "ack", "unknown_message"], "private": ["unknown_message"] * 3},
}


@pytest.mark.parametrize("kind", ["public", "private"])
def test_who_may_delete_in_a_room(server: Server, wires: Wires, kind: str) -> None:
    """Who ranks higher there, and does not know of a private room by a role in the main one."""
    storage = server.services.storage
    senders = {f"a-{role}": role for role in ("member", "moderator", "owner")}
    for asker, answers in MAY_DELETE.items():
        wire = wires.enter(f"the-{asker}")
        if asker.startswith("main"):
            act(storage, None, f"the-{asker}", "role", "moderator" if asker == "mainmod" else "owner")
        people = senders | ({f"the-{asker}": asker} if asker in senders.values() else {})
        room = make_room(storage, private=kind == "private", people=people)
        for sender, answer in zip(senders, answers[kind], strict=True):
            (stored,) = store_posts(storage, account(storage, sender), Post(None, "x", None, room=room))
            assert isinstance(stored, Stored)
            reply = wire.ask("delete", id=stored.id)
            assert reply.get("code", reply["type"]) == answer, (asker, sender)


@pytest.mark.parametrize("end", ["leave", "kick", "ban", "mute", "gone"])
def test_a_sender_may_delete_whatever_has_become_of_the_membership(wires: Wires, end: str) -> None:
    """Those who are members now are told; a second time it is an ack again."""
    alice, bob, carol = (wires.enter(name, rooms=True) for name in ("alice", "bob", "carol"))
    alice.ask("create", room="ops")
    for wire in (bob, carol):
        wire.ask("join", room="ops")
    said = bob.ask("pm", room="ops", message="secret")["id"]
    if end in ("kick", "ban", "mute"):
        alice.ask("moderate", room="ops", username="bob", action=end)
    for wire in {"leave": [bob], "gone": [bob, carol, alice]}.get(end, []):
        wire.ask("leave", room="ops")
    assert [bob.ask("delete", id=said)["type"] for _ in range(2)] == ["ack", "ack"]
    assert [len(deleted_of(wire)) for wire in (alice, carol, bob)] == ([0, 0, 0] if end == "gone" else [1, 1, 0])


def test_a_sender_who_has_no_rank_any_more_counts_as_a_member(wires: Wires) -> None:
    """What an owner has written before leaving can then be deleted by a moderator."""
    alice, bob, carol = (wires.enter(name) for name in ("alice", "bob", "carol"))
    alice.ask("create", room="ops")
    for name, wire in (("bob", bob), ("carol", carol)):
        wire.ask("join", room="ops")
        alice.ask("moderate", room="ops", username=name, action="role", role="moderator")
    said = alice.ask("pm", room="ops", message="secret")["id"]
    assert carol.ask("delete", id=said)["code"] == "not_allowed"
    alice.ask("leave", room="ops")
    assert carol.ask("delete", id=said)["type"] == "ack"
    assert bob.ask("history", room="ops")["messages"][0]["message"] == ""
