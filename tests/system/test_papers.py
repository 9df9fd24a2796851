"""README.txt says what is so: its queries run, its options and lists are complete, its files exist."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from client.__main__ import main
from client.chat.operations import help_texts
from service.config import Settings, show_default
from service.wire.protocol import COMMANDS, EVENTS
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    defaults = {f"--{field.name.replace('_', '-')}": show_default(field) for field in fields(Settings)}
    defaults["PORT"] = defaults.pop("--port")
    assert listed == defaults


def test_its_operations_are_those_of_the_client() -> None:
    """The list of operations is what HELP shows."""
    operations = [text for text in help_texts() if re.match(r"[A-Z]+ ", text)]
    assert operations
    assert [text for text in operations if f"    {text}\n" not in README] == []


def test_its_options_for_scripts_are_those_of_the_client(capsys: pytest.CaptureFixture[str]) -> None:
    """The list is that of --help."""
    with pytest.raises(SystemExit):
        main(["--help"])
    known = re.findall(r"^  (--[a-z]+(?: [A-Z]+)?)", capsys.readouterr().out.partition("for scripts:")[2], re.MULTILINE)
    assert len(known) == 7
    assert set(known) == set(re.findall(r"^    (--[a-z]+(?: [A-Z]+)?)  ", README, re.MULTILINE))


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


@contextmanager
def example(folder: Path, port: int, heading: str) -> Iterator[subprocess.Popen[str]]:
    """The shell runs the lines under a heading, in a process group of its own, which is ended at the end."""
    (lines,) = re.findall(rf"^{re.escape(heading)}:\n\n((?:    .*\n)+)", README, re.MULTILINE)
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    program = subprocess.Popen(
        ["sh", "-c", lines.replace("12000", str(port))],
        cwd=ROOT,
        env=os.environ | {"CHAT_PASSWORD": PASSWORD, "PATH": f"{folder}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield program
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
        program.communicate(timeout=PATIENCE)


def test_its_examples_for_scripts_run(tmp_path: Path) -> None:
    """A cron job posts, a pipeline counts, and a bot answers whoever writes to it, in their own words."""
    with running_server(tmp_path) as server, enter(server.port, "zoë") as zoe:
        with example(tmp_path, server.port, "To the room, with what a command says, as from cron") as cron:
            assert cron.wait(PATIENCE) == 0
            assert zoe.read_type("broadcast")["message"].startswith("Filesystem")
        zoe.ask("pm", message="Hello, everyone!")
        zoe.ask("pm", message="well: hello again")
        with example(tmp_path, server.port, "How often each said hello, out of the last 500 messages") as count:
            assert count.communicate(timeout=PATIENCE)[0].split() == ["2", "zoë"]
        with example(tmp_path, server.port, "A bot that answers direct messages"):
            while "echo" not in zoe.read_type("users")["users"]:
                pass
            for text in ('hi \\ there, "to":"echo"', "wie geht's?\n"):
                zoe.ask("dm", to="echo", message=text)
                assert zoe.read_type("direct")["message"] == f"You wrote: {text}"
