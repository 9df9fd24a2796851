"""Rooms while much is said in them: who is put out gets all that came before and nothing after, by ids."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.storage.sqlite.backup import Task, backup
from tests.support.engines import select
from tests.support.helpers import running_server
from tests.support.under_load import OPS, ROUNDS, put_out_under_load, talk
from tests.support.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.server import Server

pytestmark = pytest.mark.engines


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def wires(server: Server) -> Iterator[Wires]:
    wires = Wires(server.port)
    yield wires
    wires.close()


@pytest.mark.parametrize("action", ["kick", "ban"])
def test_who_is_put_out_gets_what_came_before_and_nothing_after(wires: Wires, action: str) -> None:
    """Carol, who stays, hears the order of all; bob's lines, his own messages and his pages fit into it."""
    put_out_under_load(wires, wires, action)


def test_pages_of_everything_miss_nothing(tmp_path: Path, wires: Wires) -> None:
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
    visible = "SELECT id FROM history WHERE room IN ('ops', 'dev') OR room IS NULL AND (recipient IS NULL OR "
    stored = select(tmp_path / "chat.db", f"{visible} recipient = 'bob' OR sender = 'bob') ORDER BY id")
    assert read == [row[0] for row in stored]
    assert len(read) == ROUNDS * 8 * 4


@pytest.mark.sqlite
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
