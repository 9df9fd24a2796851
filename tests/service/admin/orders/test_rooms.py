"""service/admin/orders/rooms.py: the rooms there are, and an end to one; with and without a running service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.admin.orders import rooms
from tests.support.helpers import enter, open_storage, running_server
from tests.support.storage import add, make_chat, make_room
from tests.support.storage import run as execute

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("is_running", [True, False])
def test_all_rooms_are_listed(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, is_running: bool) -> None:
    """By name, private ones too, with members and messages; those that are gone only if asked for."""
    monkeypatch.setattr(rooms, "PAGE", 1)
    with running_server(tmp_path) as server, enter(server.port, "alice", rooms=True) as alice:
        for name, private in (("ops", True), ("lab", False)):
            alice.ask("create", room=name, topic=f"about {name}", private=private)
        alice.ask("pm", room="ops", message="hi")
        alice.ask("leave", room="lab")
        alice.ask("create", room="lab")
        listed = [rows(run("rooms", *more, "--json")[1]) for more in ((), ("--gone",))] if is_running else []
    present, kept = listed or [rows(run("rooms", *more, "--json")[1]) for more in ((), ("--gone",))]
    assert [(row["name"], row["members"], row["messages"], row["private"]) for row in present] == [
        ("lab", 1, 0, False),
        ("ops", 1, 1, True),
    ]
    assert [(row["name"], row["gone"] is None, row["topic"]) for row in kept] == [
        ("lab", False, "about lab"),
        ("lab", True, ""),
        ("ops", True, "about ops"),
    ]


def test_they_stand_in_a_table(tmp_path: Path, run: Run) -> None:
    """Nothing of a topic steers the terminal."""
    with open_storage(tmp_path / "chat.db") as storage:
        make_room(storage, "ops", add(storage, "alice"))
        execute(storage, "UPDATE room SET topic = ?", "a\x1b[2J\nb")
    status, out, _ = run("rooms")
    head, row = out.splitlines()
    assert status == 0
    assert head.split() == ["NAME", "MEMBERS", "MESSAGES", "PRIVATE", "CREATED", "GONE", "TOPIC"]
    assert row.split()[:4] == ["ops", "1", "0", "no"]
    assert "\x1b" not in row


def test_members_are_told_of_the_end_of_a_room(tmp_path: Path, run: Run) -> None:
    """So is who is invited, after all that was said there; no command reads it any more, and the log has the act."""
    with running_server(tmp_path) as server:
        wires = [enter(server.port, name, rooms=True) for name in ("alice", "bob", "carol", "dave")]
        alice, bob, carol, dave = wires
        alice.ask("create", room="ops", private=True)
        for name in ("bob", "carol"):
            alice.ask("moderate", room="ops", username=name, action="invite")
        bob.ask("join", room="ops")
        alice.ask("pm", room="ops", message="the last word")
        done = run("room", "delete", "Ops")
        assert done == (0, "ops: the room is deleted, for 2 members; its messages stay in the database\n", "")
        *_, told = bob.read_until_pong()
        assert (told["type"], told["room"], told["gone"]) == ("room", "ops", True)
        assert carol.read_until_pong()[-1]["gone"] is True
        assert dave.read_until_pong() == []
        for wire in wires:
            assert wire.ask("history", room="ops")["code"] == "unknown_room"
        assert rows(run("moderation", "--json")[1])[-1]["action"] == "delete_room"
        for wire in wires:
            wire.close()


def test_without_a_service_a_room_is_deleted_as_well(tmp_path: Path, run: Run) -> None:
    """The row says for how many; a second time there is none."""
    with open_storage(tmp_path / "chat.db") as storage:
        make_room(storage, "ops", add(storage, "alice"))
    assert rows(run("room", "delete", "ops", "--json")[1]) == [{"name": "ops", "members": 1}]
    assert run("room", "delete", "ops") == (1, "", 'chat admin: there is no room "ops"\n')


@pytest.mark.parametrize("name", ["nowhere", "two words", "a\x1b[2Jb", "all"])
def test_a_room_that_there_is_not(tmp_path: Path, run: Run, name: str) -> None:
    """Nor can be, in one line; the main room cannot be deleted."""
    make_chat(tmp_path / "chat.db")
    status, out, told = run("room", "delete", name)
    assert (status, out, told.startswith("chat admin: there is no room"), "\x1b" in told) == (1, "", True, False)
