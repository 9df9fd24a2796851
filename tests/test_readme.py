"""README.txt says what is so: its queries run, its options and lists are complete, its files exist."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import fields
from typing import TYPE_CHECKING

from client.commands import help_texts
from service.config import Settings
from service.protocol import COMMANDS, EVENTS
from tests.helpers import ROOT, enter, running_server

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.txt").read_text()
QUERIES = re.findall(r'^    sqlite3 chat\.db "(SELECT.*)"$', README, re.MULTILINE)


def test_its_queries_run_while_the_service_writes(tmp_path: Path) -> None:
    """Each gives what its heading says, read by another connection in the midst of a chat."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        alice.ask("pm", message="Hello, everyone!")
        alice.ask("dm", to="bob", message="hello there")
        bob.ask("dm", to="alice", message="at last")
        alice.send(*({"command": "dm", "to": "alice", "message": "on and on"} for _ in range(200)))
        with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
            today, most, talk, word, last = (connection.execute(query).fetchall() for query in QUERIES)
        alice.read_until_pong()
    assert [row[1:] for row in today] == [("alice", "Hello, everyone!")]
    assert most[0][0] == "alice"
    assert ("bob", 1) in most
    assert [row[1:] for row in talk] == [("alice", "hello there"), ("bob", "at last")]
    assert [row[1:] for row in word] == [("alice", None, "Hello, everyone!"), ("alice", "bob", "hello there")]
    assert {row[0] for row in last} == {"alice", "bob"}


def test_its_options_are_all_there_with_their_defaults() -> None:
    """The list of options is that of the settings."""
    listed = dict(re.findall(r"^      (PORT|--[a-z-]+) +(\S+) ", README, re.MULTILINE))
    defaults = {f"--{field.name.replace('_', '-')}": field.default for field in fields(Settings)}
    defaults["PORT"] = defaults.pop("--port")
    assert listed == {
        name: f"{value:g}" if isinstance(value, float) else str(value) or "none" for name, value in defaults.items()
    }


def test_its_operations_are_those_of_the_client() -> None:
    """The list of operations is what HELP shows."""
    operations = [text for text in help_texts() if re.match(r"[A-Z]+ ", text)]
    assert operations
    assert [text for text in operations if f"    {text}\n" not in README] == []


def test_its_commands_and_events_are_those_of_the_wire() -> None:
    """Both lists are complete."""
    flat = " ".join(README.split())
    assert f"Commands: {', '.join(COMMANDS)}." in flat
    assert f"Events: {', '.join(EVENTS)}." in flat


def test_the_rooms_it_names_exist() -> None:
    """The maps of the folders name each module there, and no other."""
    for folder in ("service", "client"):
        text = (ROOT / folder / "README.txt").read_text()
        listed = set(re.findall(r"^ *([a-z_]+\.py) ", text, re.MULTILINE))
        there = {path.name for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py"}
        assert listed == there
