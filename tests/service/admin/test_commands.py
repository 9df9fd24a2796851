"""service/admin/commands.py: what is typed becomes an order."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from service.admin import __main__ as admin
from service.admin.commands import COMMANDS
from tests.support.helpers import PASSWORD
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run


@pytest.mark.parametrize("word", COMMANDS)
def test_each_command_says_what_it_takes(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And what it is for; each can give its rows as JSON."""
    with pytest.raises(SystemExit) as ended:
        admin.main([word, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "--json" in told
    assert COMMANDS[word].explain.split(";")[0] in " ".join(told.split())


def test_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """At a terminal it is typed unseen, and two that differ change nothing."""
    answers = iter([PASSWORD, f"other {PASSWORD}"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert admin.main(["password", "alice"]) == 1
    assert capsys.readouterr().err == "chat admin: the two differ; nothing was changed\n"


def test_no_database_is_made_by_a_name_alone(tmp_path: Path, run: Run) -> None:
    """A name that can be none is refused before anything is opened."""
    assert run("add", "two words", stdin=PASSWORD)[0] == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [["delete-user", "alice"], ["purge", "--before", "2026-01-01"], ["room", "delete", "ops"]]
)
@pytest.mark.parametrize("answer", ["", "y", "no"])
def test_what_cannot_be_undone_is_asked_for(
    command: list[str], answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a terminal, before anything is done; only the whole word says yes."""
    typed = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    assert admin.main(command) == 1
    assert capsys.readouterr().err.endswith("Type yes: chat admin: nothing was changed\n")


def test_yes_is_taken_for_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the command is done, as it is in a script without a question."""
    make_chat(tmp_path / "chat.db")
    typed = io.StringIO("yes\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    assert admin.main(["delete-user", "alice", "--db", str(tmp_path / "chat.db")]) == 0
