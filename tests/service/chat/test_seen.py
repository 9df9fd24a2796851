"""service/chat/seen.py: what counts as seen, and who is told, over a real connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.wires import away

if TYPE_CHECKING:
    from tests.support.helpers import Line, Wire
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_without_confirm_a_live_message_is_seen_and_an_older_one_stays_missed(wires: Wires) -> None:
    """What was written to a client counts as seen; what it has not fetched does not."""
    alice = wires.enter("alice")
    away(wires, "bob")
    alice.ask("dm", to="bob", message="while away")
    bob = wires.enter("bob")
    alice.ask("dm", to="bob", message="live")
    assert bob.read_type("direct")["message"] == "live"
    bob.ask("ex")
    bob.read_to_end()
    bob = wires.enter("bob")
    assert [message["message"] for message in bob.ask("missed")["messages"]] == ["while away"]


def test_with_confirm_a_message_stays_missed_until_it_is_seen(wires: Wires) -> None:
    """Neither live delivery nor fetching marks it; `seen` does, for exactly what it names."""
    alice = wires.enter("alice")
    bob = wires.enter("bob", confirm=True)
    ids = [alice.ask("dm", to="bob", message=f"{n}")["id"] for n in range(3)]
    assert [m["id"] for m in bob.ask("missed")["messages"]] == ids == [m["id"] for m in bob.ask("missed")["messages"]]
    assert bob.ask("seen", ids=[ids[1], 999]) == {"type": "ack", "command": "seen", "ids": [ids[1], 999]}
    assert wires.enter("bob", confirm=True).hello["missed"] == 2
    assert bob.ask("seen", id=ids[2]) == {"type": "ack", "command": "seen", "id": ids[2]}
    assert wires.enter("bob", confirm=True).hello["missed"] == 0


def test_unread_counts_public_messages_after_the_marker(wires: Wires) -> None:
    """With confirm the marker moves by `seen` alone, never back, and an id beyond the newest counts as the newest."""
    alice = wires.enter("alice")
    away(wires, "bob", confirm=True)
    ids = [alice.ask("pm", message=f"{n}")["id"] for n in range(4)]

    def unread() -> int:
        wire = wires.enter("bob", confirm=True)
        return int(wire.hello["unread"])

    assert unread() == 4
    bob = wires.enter("bob", confirm=True)
    for seen, left in ((ids[1], 2), (ids[0], 2), (10**6, 0)):
        bob.ask("seen", id=seen)
        assert unread() == left
    alice.ask("pm", message="later")
    assert unread() == 1


def test_without_confirm_a_live_broadcast_moves_the_marker(wires: Wires) -> None:
    """What was written whole to a client counts as read."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("pm", message="live")
    bob.read_type("broadcast")
    bob.ask("ex")
    bob.read_to_end()
    assert wires.enter("bob").hello["unread"] == 0


def read_events(wire: Wire) -> list[Line]:
    return [line for line in wire.read_until_pong() if line["type"] == "read"]


def test_the_other_sessions_are_told_what_was_read(wires: Wires) -> None:
    """Those that know rooms, for a `seen` that changed something; each form as it was given, and the ack as well."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    other, old = wires.enter("bob", rooms=True), wires.enter("bob", confirm=True)
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    direct = [alice.ask("dm", to="bob", message=f"{n}")["id"] for n in range(4)]
    public, there = alice.ask("pm", message="hi")["id"], alice.ask("pm", room="ops", message="hi")["id"]
    told = ({"ids": direct[:2]}, {"with": "alice", "id": direct[2]}, {"room": "ops", "id": there})
    for fields in (*told, {"id": public}):
        for events in ([{"type": "read", **fields}], []):  # a second time it changes nothing
            assert bob.ask("seen", **fields) == {"type": "ack", "command": "seen", **fields}
            assert [read_events(wire) for wire in (other, old, bob, alice)] == [events, [], [], []]
    assert wires.enter("bob", rooms=True).hello["missed"] == 0


def test_the_marker_of_the_main_room_alone(wires: Wires) -> None:
    """With its name direct messages stay missed, and the event bears it; the ack does not."""
    alice, bob, other = (wires.enter(name, rooms=True) for name in ("alice", "bob", "bob"))
    alice.ask("dm", to="bob", message="hi")
    newest = alice.ask("pm", message="hi")["id"]
    assert bob.ask("seen", room="ALL", id=newest) == {"type": "ack", "command": "seen", "id": newest}
    assert read_events(other) == [{"type": "read", "room": "all", "id": newest}]
    again = wires.enter("bob", rooms=True).hello
    assert (again["missed"], again["unread"], again["read_id"]) == (1, 0, newest)


def test_the_markers_of_rooms_are_their_own(wires: Wires) -> None:
    """Unread counts what others said there; `seen` of the main room leaves it, and a marker never moves back."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    ids = {}
    for room in ("a", "b"):
        alice.ask("create", room=room)
        bob.ask("join", room=room)
        ids[room] = [alice.ask("pm", room=room, message=f"{n}")["id"] for n in range(3)]
    bob.ask("pm", room="a", message="my own")
    bob.ask("seen", id=ids["b"][2])

    def unread() -> list[tuple[int, int]]:
        hello = wires.enter("bob", rooms=True).hello
        return [(row["unread"], row["read_id"]) for row in hello["rooms"]]

    joined_b = ids["a"][2]  # the newest id at that moment
    assert unread() == [(3, 0), (3, joined_b)]
    for seen in (ids["a"][1], ids["a"][0]):
        bob.ask("seen", room="a", id=seen)
        assert unread() == [(1, ids["a"][1]), (3, joined_b)]


def test_no_marker_is_beyond_the_newest_message(wires: Wires) -> None:
    """Not in `read` either, whatever `seen` says; the ack has what was said."""
    alice, bob, other = (wires.enter(name, rooms=True) for name in ("alice", "bob", "bob"))
    alice.ask("create", room="ops")
    bob.ask("join", room="ops")
    other.read_until_pong()
    newest = alice.ask("pm", room="ops", message="hi")["id"]
    for fields in ({"room": "ops"}, {}):
        assert bob.ask("seen", **fields, id=10**9)["id"] == 10**9
        assert read_events(other) == [{"type": "read", **fields, "id": newest}]
    (row,) = wires.enter("bob", rooms=True).hello["rooms"]
    assert (row["unread"], row["read_id"]) == (0, newest)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"room": "ops"}, "bad_request"),
        ({"with": "alice"}, "bad_request"),
        ({"room": "ops", "ids": [1]}, "bad_request"),
        ({"with": "alice", "ids": [1]}, "bad_request"),
        ({"room": "ops", "with": "alice", "id": 1}, "bad_request"),
        ({"room": "ops", "id": 1}, "not_a_member"),
        ({"room": "zoo", "id": 1}, "unknown_room"),
        ({"with": "zoe", "id": 1}, "unknown_user"),
    ],
)
def test_what_cannot_be_seen(wires: Wires, fields: Line, code: str) -> None:
    """Each has its code."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("create", room="ops")
    assert bob.ask("seen", **fields)["code"] == code
