"""Rooms while much is said in them: who is put out gets all that came before and nothing after, by ids."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from service.storage.sqlite.backup import Task, backup
from tests.support.helpers import running_server
from tests.support.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.server import Server
    from tests.support.helpers import Line, Wire

pytestmark = pytest.mark.engines
ROUNDS = 25
OPS = {"room": "ops"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def wires(server: Server) -> Iterator[Wires]:
    wires = Wires(server.port)
    yield wires
    wires.close()


def talk(wire: Wire, *places: Line) -> Thread:
    """Starts a client that says much in these places, and reads its answers; the caller joins the thread."""

    def run() -> None:
        for n in range(ROUNDS):
            wire.send(*({**place, "message": f"word {n}"} for place in places for _ in range(8)))
            wire.read_until_pong()

    thread = Thread(target=run, name="talk")
    thread.start()
    return thread


@pytest.mark.parametrize("action", ["kick", "ban"])
def test_who_is_put_out_gets_what_came_before_and_nothing_after(wires: Wires, action: str) -> None:
    """Carol, who stays, hears the order of all; bob's lines, his own messages and his pages fit into it."""
    alice, bob, carol = (wires.enter(name, rooms=True) for name in ("alice", "bob", "carol"))
    alice.ask("create", **OPS)
    carol.ask("join", **OPS)
    talkers = [wires.enter(name) for name in ("dave", "erin")]
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
    expected, mine = due_to_bob(carol.read_until_pong(), action)
    live = [line for line in heard if line["type"] == "broadcast" or line.get("action") == action]
    assert [line.get("id", action) for line in live] == expected
    assert [line["id"] for line in heard if line["type"] == "ack"] == mine
    assert expected.count(action) > 1
    is_in = False
    for line in heard:
        if line["type"] in ("room", "member") and line.get("action") in (None, action):
            is_in = line["type"] == "room"
        assert is_in or not any(row.get("room") for row in line.get("messages", ()))


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


def test_pages_of_everything_miss_nothing(server: Server, wires: Wires) -> None:
    """Read while others write in the main room, in rooms and directly: each id once, and as the database has it."""
    alice, bob = wires.enter("alice"), wires.enter("bob", rooms=True)
    for room in ("ops", "dev", "private"):
        alice.ask("create", room=room)
    for room in ("ops", "dev"):
        bob.ask("join", room=room)
    places = [{"command": "pm", "room": room} for room in ("ops", "private", "dev")]
    direct = [{"command": "dm", "to": name} for name in ("bob", "alice")]
    threads = [talk(alice, *places), talk(wires.enter("alice"), {"command": "pm"}, *direct)]
    read: list[int] = []
    is_over = False
    while not is_over:
        is_over = not any(thread.is_alive() for thread in threads)
        more = True
        while more:
            page = bob.ask("since", id=read[-1] if read else 0, limit=30)
            read += [row["id"] for row in page["messages"]]
            more = page["more"]
    for thread in threads:
        thread.join()
    with closing(sqlite3.connect(server.services.settings.db)) as database:
        visible = "SELECT id FROM history WHERE room IN ('ops', 'dev') OR room IS NULL AND (recipient IS NULL OR "
        stored = database.execute(f"{visible} recipient = 'bob' OR sender = 'bob') ORDER BY id").fetchall()
    assert read == [row[0] for row in stored]
    assert len(read) == ROUNDS * 8 * 4


def test_a_backup_after_a_deletion_has_none_of_the_text(server: Server, wires: Wires, tmp_path: Path) -> None:
    """Made beside the service, while others write; whatever was said between."""
    alice = wires.enter("alice")
    alice.ask("create", **OPS)
    thread = talk(wires.enter("alice"), {"command": "pm", **OPS})
    for n in range(ROUNDS):
        said = alice.ask("pm", **OPS, message=f"secret {n}")["id"]
        assert alice.ask("delete", id=said)["type"] == "ack"
    backup(Path(server.services.settings.db), tmp_path / "copy.db", Task())
    thread.join()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        deleted, secrets = copy.execute("SELECT count(deleted_at), sum(body LIKE 'secret%') FROM message").fetchone()
    assert (deleted, secrets) == (ROUNDS, 0)
