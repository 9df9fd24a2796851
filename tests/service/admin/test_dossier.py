"""service/admin/dossier.py: what is stored of a person, as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.admin.desk import Row
from service.admin.dossier import _write, describe
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from service.admin.desk import Work
    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines
MESSAGE: dict[str, Any] = {
    "what": "message",
    "time": "2026-11-21T09:30:00.123Z",
    "from": "alice",
    "to": None,
    "room": None,
    "kind": "text",
    "message": "hi",
    "deleted": None,
}


def test_both_files_are_their_owners(tmp_path: Path, run: Run) -> None:
    """One for programs, and one for people; the folder is made for them."""
    make_chat(tmp_path / "chat.db")
    status, out, _ = run("export", "alice", "--to", str(tmp_path / "alice"))
    files = {path.name: path for path in (tmp_path / "alice").iterdir()}
    assert (status, set(files)) == (0, {"export.jsonl", "export.txt"})
    assert out.endswith(f"{files['export.txt']}: 5 messages\n")
    assert {path.stat().st_mode & 0o777 for path in (*files.values(), tmp_path / "alice")} == {0o600, 0o700}
    lines = [json.loads(line) for line in files["export.jsonl"].read_text().splitlines()]
    assert [line["what"] for line in lines] == ["account", "token", *["message"] * 5]
    assert files["export.txt"].read_text().splitlines()[-1].endswith("Z  alice: message 4")


def test_no_export_is_replaced(tmp_path: Path, run: Run) -> None:
    """It may be another person's."""
    make_chat(tmp_path / "chat.db")
    for file in ("export.jsonl", "export.txt"):
        (tmp_path / file).write_text("precious")
        assert f"{file} is there already" in run("export", "alice", "--to", str(tmp_path))[2]
        assert (tmp_path / file).read_text() == "precious"
        (tmp_path / file).unlink()


def test_one_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    """And what a crash has left does not matter."""
    (tmp_path / "export.txt.part").write_text("left")

    def work() -> Work:
        yield Row(MESSAGE)
        assert (tmp_path / "export.jsonl.part").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(_write(work(), tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, "2026-11-21T09:30:00.123Z  alice: hi"),
        ({"to": "bob"}, "2026-11-21T09:30:00.123Z  alice to bob: hi"),
        ({"room": "ops"}, "2026-11-21T09:30:00.123Z  alice to #ops: hi"),
        ({"kind": "notice"}, "2026-11-21T09:30:00.123Z  alice (notice): hi"),
        ({"message": "two\nlines\x1b"}, "2026-11-21T09:30:00.123Z  alice: two\n    lines␛"),
        ({"message": "", "deleted": "later"}, "2026-11-21T09:30:00.123Z  alice: (deleted later)"),
    ],
)
def test_a_message_is_a_line_for_people(more: dict[str, Any], line: str) -> None:
    """Whose further lines are indented, and in which nothing steers a terminal."""
    assert describe(MESSAGE | more) == line


def test_other_rows_say_what_they_are() -> None:
    """Without what is not there."""
    row = {"what": "account", "name": "alice", "last_seen": "today", "disabled": None}
    assert describe(row) == "account, name alice, last seen today"
