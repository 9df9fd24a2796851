"""Clients that say much, and one who is put out of a room meanwhile. Holds no test."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.support.helpers import Line, Wire
    from tests.support.wires import Wires

ROUNDS: Final = 25
OPS: Final = {"room": "ops"}


def talk(wire: Wire, *places: Line) -> Thread:
    """Starts a client that says much in these places, and reads its answers; the caller joins the thread."""

    def run() -> None:
        for n in range(ROUNDS):
            wire.send(*({**place, "message": f"word {n}"} for place in places for _ in range(8)))
            wire.read_until_pong()

    thread = Thread(target=run, name="talk")
    thread.start()
    return thread


def put_out_under_load(here: Wires, there: Wires, action: str) -> None:
    """Bob is put out again and again while others talk; those who do it and who hear the order of all are here."""
    alice, carol, bob = (
        wires.enter(name, rooms=True) for name, wires in (("alice", here), ("carol", here), ("bob", there))
    )
    alice.ask("create", **OPS)
    carol.ask("join", **OPS)
    talkers = [here.enter("dave"), there.enter("erin")]
    for talker in talkers:
        talker.ask("join", **OPS)
    carol.read_until_pong()
    threads = [talk(talker, {"command": "pm", **OPS}) for talker in talkers]
    acts = [{"command": "moderate", **OPS, "username": "bob", "action": act} for act in (action, "unban")]
    pages: list[Line] = [{"command": "history", **OPS}, {"command": "search", "query": "word"}]
    pages += [{"command": "since", "id": 0, "limit": 200}]
    heard: list[Line] = []
    for n in range(ROUNDS):
        own = {"command": "pm", **OPS, "message": "mine"}
        bob.send({"command": "join", **OPS}, own, pages[n % 3], own, pages[(n + 1) % 3])
        alice.send(*acts)
        bob.send(own, pages[(n + 2) % 3], own)
        heard += bob.read_until_pong()
        alice.read_until_pong()
    for thread in threads:
        thread.join()
    alice.ask("pm", message="the end")  # what was done elsewhere may still be on its way
    heard += read_to_the_end(bob)
    expected, mine = due_to_bob(read_to_the_end(carol), action)
    live = [line for line in heard if line.get("room") and line["type"] in ("broadcast", "member")]
    live = [line for line in live if line["type"] == "broadcast" or line["action"] == action]
    assert [line.get("id", action) for line in live] == expected
    assert [line["id"] for line in heard if line["type"] == "ack"] == mine
    assert expected.count(action) > 1
    is_in = False
    for line in heard:
        if line["type"] in ("room", "member") and line.get("action") in (None, action):
            is_in = line["type"] == "room"
        assert is_in or not any(row.get("room") for row in line.get("messages", ()))


def read_to_the_end(wire: Wire) -> list[Line]:
    """The lines before the message that is the last of all."""
    lines: list[Line] = []
    while not lines or lines[-1].get("message") != "the end":
        lines.append(wire.read())
    return lines[:-1]


def due_to_bob(order: list[Line], action: str) -> tuple[list[object], list[int]]:
    """What bob must have been sent, by the order of all: ids, and the act that puts him out; and his own ids."""
    is_in, expected, mine = False, list[object](), list[int]()
    for line in order:
        if line["type"] == "member" and line["username"] == "bob" and line["action"] in ("join", action):
            is_in = line["action"] == "join"
            expected += [] if is_in else [action]
        elif line["type"] == "broadcast" and line["from"] == "bob":
            assert is_in
            mine.append(line["id"])
        elif line["type"] == "broadcast" and is_in:
            expected.append(line["id"])
    return expected, mine
