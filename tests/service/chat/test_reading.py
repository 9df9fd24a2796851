"""service/chat/reading.py: pages of messages, over a real connection."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from service.chat import telling
from service.chat.pages import KEPT
from service.origin import Origin
from service.server import PAGES_AT_ONCE
from tests.support.helpers import PATIENCE, until
from tests.support.wires import away

if TYPE_CHECKING:
    from service.chat.session import Services
    from service.server import Server
    from tests.support.helpers import Line, Wire
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_missed_messages_are_fetched_once(wires: Wires) -> None:
    """Oldest first, page by page; a client that does not confirm has seen what it was sent."""
    alice = wires.enter("alice")
    away(wires, "bob")
    ids = [alice.ask("dm", to="bob", message=f"{n}")["id"] for n in range(5)]
    bob = wires.enter("bob")
    pages = [bob.ask("missed", limit=2) for _ in range(4)]
    assert [[message["id"] for message in page["messages"]] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert [page["more"] for page in pages] == [True, True, False, False]
    assert pages[0]["messages"][0] | {"time": ""} == {
        "id": ids[0],
        "time": "",
        "from": "alice",
        "to": "bob",
        "message": "0",
    }


def test_history_of_the_room_and_of_a_talk(wires: Wires) -> None:
    """Oldest first, with the partner's name for a talk, and `more` in the direction asked."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    public = [alice.ask("pm", message=f"{n}")["id"] for n in range(3)]
    direct = [wire.ask("dm", to=to, message="x")["id"] for wire, to in ((alice, "bob"), (bob, "alice"))]
    room = bob.ask("history", limit=2)
    assert (room["type"], [m["id"] for m in room["messages"]], room["more"]) == ("history", public[1:], True)
    assert "with" not in room
    assert "to" not in room["messages"][0]
    ahead = bob.ask("history", after=0, limit=2)
    assert ([m["id"] for m in ahead["messages"]], ahead["more"]) == (public[:2], True)
    back = bob.ask("history", before=public[1])
    assert ([m["id"] for m in back["messages"]], back["more"]) == (public[:1], False)
    talk = alice.ask("history", **{"with": "BOB"})
    assert (talk["with"], [m["id"] for m in talk["messages"]], talk["more"]) == ("bob", direct, False)
    assert [m["to"] for m in talk["messages"]] == ["bob", "alice"]


def test_search_finds_what_was_just_said(wires: Wires) -> None:
    """Newest first, by word beginnings, in what the user may read; `with` and `before` narrow it."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    public = alice.ask("pm", message="we Deploy at nine")["id"]
    direct = alice.ask("dm", to="bob", message="déployé")["id"]
    found = bob.ask("search", query="deploy")
    assert (found["type"], found["query"], found["more"]) == ("search", "deploy", False)
    assert [m["id"] for m in found["messages"]] == [direct, public]
    assert [m["id"] for m in bob.ask("search", query="deploy", before=direct)["messages"]] == [public]
    narrowed = bob.ask("search", query="deploy", **{"with": "Alice"})
    assert (narrowed["with"], [m["id"] for m in narrowed["messages"]]) == ("alice", [direct])
    assert bob.ask("search", query='"* OR (')["messages"] == []


def test_a_stranger_cannot_mark_or_read(wires: Wires) -> None:
    """Ids of others' direct messages change nothing, and no command shows them."""
    alice = wires.enter("alice")
    away(wires, "bob")
    secret = alice.ask("dm", to="bob", message="secret word")["id"]
    carol = wires.enter("carol")
    assert carol.hello["last_id"] == 0
    carol.ask("seen", ids=[secret])
    carol.ask("seen", id=secret)
    pages = [carol.ask("history"), carol.ask("history", **{"with": "bob"}), carol.ask("missed")]
    pages += [carol.ask("search", query="secret"), carol.ask("search", query="secret", **{"with": "alice"})]
    assert [page["messages"] for page in pages] == [[]] * 5
    assert wires.enter("bob").hello["missed"] == 1


def texts(page: Line) -> list[str]:
    return [row["message"] for row in page["messages"]]


def test_the_history_of_a_room(wires: Wires) -> None:
    """All of it for a member, also of before; rows bear the room, as the page does. The main room has none of it."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("create", room="ops")
    for n in range(3):
        alice.ask("pm", room="ops", message=f"{n}")
    assert bob.ask("history", room="ops")["code"] == "not_a_member"
    bob.ask("join", room="ops")
    page = bob.ask("history", room="OPS", limit=2)
    assert (page["room"], texts(page), page["more"]) == ("ops", ["1", "2"], True)
    assert [row["room"] for row in page["messages"]] == ["ops", "ops"]
    ahead = bob.ask("history", room="ops", after=0, limit=2)
    assert (texts(ahead), ahead["more"]) == (["0", "1"], True)
    assert texts(bob.ask("history")) == texts(bob.ask("history", room="all")) == []


def test_a_search_of_rooms(wires: Wires) -> None:
    """Of one room; of the main room alone; of all for a client that knows rooms, and without rooms for others."""
    alice, old = wires.enter("alice", rooms=True), wires.enter("alice")
    bob = wires.enter("bob", rooms=True)
    for room in ("ops", "dev"):
        alice.ask("create", room=room, private=True)
        alice.ask("pm", room=room, message=f"deploy {room}")
    alice.ask("pm", message="deploy all")
    alice.ask("dm", to="bob", message="deploy bob")

    def found(wire: Wire, **where: str) -> list[str]:
        return texts(wire.ask("search", query="deploy", **where))

    assert found(alice) == ["deploy bob", "deploy all", "deploy dev", "deploy ops"]
    assert found(old) == ["deploy bob", "deploy all"]
    for wire in (alice, old):
        assert found(wire, room="ops") == ["deploy ops"]
        assert found(wire, room="ALL") == ["deploy all"]
    assert found(bob) == ["deploy bob", "deploy all"]
    reply = alice.ask("search", query="deploy", room="ops")
    assert (reply["room"], reply["messages"][0]["room"]) == ("ops", "ops")
    assert alice.ask("search", query="deploy", room="ops", **{"with": "bob"})["code"] == "bad_request"
    assert alice.ask("history", room="ops", **{"with": "bob"})["code"] == "bad_request"


def test_a_page_of_everything_since(wires: Wires) -> None:
    """Own messages too, of all conversations in one order, each with where it was said; nothing becomes seen."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    alice.ask("pm", message="main")
    alice.ask("pm", room="ops", message="room", kind="action")
    alice.ask("dm", to="bob", message="direct")
    bob.ask("dm", to="alice", message="own")
    alice.ask("dm", to="alice", message="not for bob")
    wires.enter("carol").ask("create", room="dev")
    page = bob.ask("since", id=0)
    places = [(row["message"], row.get("room"), row.get("to"), row.get("kind")) for row in page["messages"]]
    assert places == [
        ("main", None, None, None),
        ("room", "ops", None, "action"),
        ("direct", None, "bob", None),
        ("own", None, "alice", None),
    ]
    assert (page["more"], set(page)) == (False, {"type", "messages", "more", "time"})
    short = bob.ask("since", id=1, limit=2)
    assert (texts(short), short["more"]) == (["room", "direct"], True)
    assert texts(wires.enter("bob", confirm=True).ask("since", id=0)) == ["main", "direct", "own"]
    assert bob.ask("missed")["messages"] != []


def test_since_tells_what_was_deleted(wires: Wires) -> None:
    """Up to the id, at that time or later, of what the user may read; beyond the id a row stands without its text."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    asked = [{}, {"room": "ops"}, {"to": "bob"}, {"to": "alice"}, {}]
    ids = [alice.ask("dm" if "to" in where else "pm", **where, message="x")["id"] for where in asked]
    time = bob.ask("since", id=0)["time"]
    for id_ in ids:
        alice.ask("delete", id=id_)
    page = bob.ask("since", id=ids[3], deleted_after=time)
    assert page["deleted"] == ids[:3]
    assert [(row["id"], row["message"], "deleted" in row) for row in page["messages"]] == [(ids[4], "", True)]
    assert wires.enter("bob", confirm=True).ask("since", id=ids[3], deleted_after=time)["deleted"] == [ids[0], ids[2]]
    later = max(row["deleted"] for row in alice.ask("history")["messages"])
    assert bob.ask("since", id=ids[4], deleted_after=later[:-1] + "Z0")["code"] == "bad_request"


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 0, "room": "ops"},
        {"id": 0, "room": "all"},
        {"id": 0, "deleted_after": ""},
        {"id": 0, "deleted_after": "yesterday"},
        {"id": 0, "deleted_after": "2026-11-21T09:30:00Z"},
    ],
)
def test_what_since_does_not_take(wires: Wires, fields: Line) -> None:
    """A room, and what is no time of this service."""
    assert wires.enter("alice").ask("since", **fields)["code"] == "bad_request"


@pytest.mark.parametrize("action", ["kick", "ban", "delete"])
@pytest.mark.parametrize("command", ["history", "search", "since", "members"])
def test_a_page_that_was_read_before_the_end_of_a_membership_is_not_given_after_it(
    server: Server, wires: Wires, monkeypatch: pytest.MonkeyPatch, action: str, command: str
) -> None:
    """The act is told while the page is on its way: it is an error of that moment, or has no row of the room."""
    alice, bob, storage = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True), server.services.storage
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    alice.ask("pm", room="ops", message="secret")
    bob.read_until_pong()
    reading = {"history": "room_page"}.get(command, f"{command}_page")
    has_read, is_told, read_page = threading.Event(), threading.Event(), getattr(storage, reading)

    def read_slowly(*args: Any, **more: Any) -> Any:
        page = read_page(*args, **more)
        has_read.set()
        is_told.wait(PATIENCE)
        return page

    monkeypatch.setattr(storage, reading, read_slowly)
    where = {"id": 0} if command == "since" else {"room": "ops"}
    bob.send({"command": command, "query": "secret", "ref": "r", **where})
    has_read.wait(PATIENCE)
    if action == "delete":
        storage.result(storage.delete_room("ops", done=lambda change: telling.tell(server.services, change)))
    else:
        alice.ask("moderate", room="ops", username="bob", action=action)
    assert bob.read_type("room" if action == "delete" else "member")["room"] == "ops"
    is_told.set()
    while (reply := bob.read()).get("ref") != "r":
        pass
    if command == "since":
        assert reply["messages"] == []
    else:
        assert reply["code"] == ("unknown_room" if action == "delete" else "not_a_member")


def lose_much(services: Services) -> None:
    """Loses more texts than are kept in mind."""
    for _ in range(KEPT + 1):
        services.losses.add_text(1_000, "then")


def test_a_page_that_waits_for_its_turn_is_given(server: Server, wires: Wires) -> None:
    """However much is lost in the wait: what was lost before it is read is not in it."""
    alice, services = wires.enter("alice"), server.services
    id_ = alice.ask("pm", message="hi")["id"]
    with ExitStack() as others:
        for _ in range(PAGES_AT_ONCE):
            others.enter_context(services.pages.turn(Origin("192.0.2.1", "192.0.2.1"), "bob"))
        alice.send({"command": "history", "ref": "r"})
        until(lambda: services.pages.waiting)
        services.delivery.run(lose_much, services)
    while (page := alice.read()).get("ref") != "r":
        pass
    assert [message["id"] for message in page["messages"]] == [id_]
