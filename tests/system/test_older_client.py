"""The client of 0.1.0 against this service, while others use rooms: it notices nothing of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.cast import act
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, enter, running_server

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = "22cd64a"  # the commit that was 0.1.0
TYPED: Final = ["pm hello, everyone", "dm bob hello", "missed", "history", "history bob", "search hello", "users", "ex"]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of 0.1.0."""
    folder = tmp_path_factory.mktemp("older")
    git = ["git", "archive", VERSION, "client", "service"]
    archive = subprocess.run(git, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("there is no history here: a copy of the files, or a shallow clone")
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def use(older: Path, folder: Path, *, rooms: bool) -> list[str]:
    """Has alice use the client of 0.1.0, and returns what it prints, without its numbers; with `rooms` she has some."""
    folder.mkdir()
    with running_server(folder, motd="") as server, enter(server.port, "bob", rooms=True) as bob:
        with enter(server.port, "alice", confirm=True) as alice:
            bob.ask("dm", to="alice", message="while you were away")
            bob.ask("pm", message="hello from bob")
            if rooms:
                for room, private in (("ops", True), ("dev", False), ("new", True)):
                    bob.ask("create", room=room, private=private, topic="hello topic")
                    bob.ask("moderate", room=room, username="alice", action="invite")
                for room in ("ops", "dev"):
                    alice.ask("join", room=room)
                    bob.ask("pm", room=room, message="hello room")
                bob.ask("delete", id=bob.ask("pm", room="ops", message="hello")["id"])
        bob.read_until_pong()
        is_over = Event()

        def busy() -> None:
            """Bob goes on in rooms while she is there."""
            while rooms and not is_over.is_set():
                bob.ask("pm", room="ops", message="hello room")
                bob.ask("set_room", room="ops", topic="hello")
                bob.ask("seen", room="ops", id=1)
                for action in ("mute", "unmute", "role"):
                    bob.ask("moderate", room="ops", username="alice", action=action, role="moderator")
                act(server.services.storage, "dev", "alice", "mute")

        thread = Thread(target=busy, name="busy")
        thread.start()
        try:
            program = subprocess.run(
                [sys.executable, "-m", "client", "127.0.0.1", str(server.port), "alice"],
                cwd=older,
                env=os.environ | {"CHAT_PASSWORD": PASSWORD},
                input="\n".join(TYPED) + "\n",
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=True,
            )
        finally:
            is_over.set()
            thread.join()
    return [re.sub(r"\d+", "", line) for line in (program.stdout + program.stderr).splitlines()]


def test_it_shows_the_same_with_rooms_and_without(older: Path, tmp_path: Path) -> None:
    """Whatever it is asked: neither messages nor topics, roles, acts or markers of rooms."""
    without = use(older, tmp_path / "without", rooms=False)
    assert any("hello from bob" in line for line in without)
    assert any("while you were away" in line for line in without)
    assert use(older, tmp_path / "with", rooms=True) == without
