"""The benchmarks with a long history: generate.py makes one of the service's databases, and history.py's cells run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from benchmarks import generate, history
from benchmarks.peers import CellError
from service.storage import Task, verify
from service.storage.sqlite import messages, schema
from tests.support.helpers import open_storage

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 20_000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated database."""
    path = tmp_path_factory.mktemp("generate") / "history.db"
    generate.make(path, COUNT)
    return path


def test_the_file_is_whole_and_current(path: Path) -> None:
    """SQLite finds no damage, FTS5 neither, and the schema is the service's."""
    assert schema.prepare(path) == "current"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for index in ("message_search", "direct_search"):
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")


def test_it_has_the_messages_asked_for(path: Path) -> None:
    """Eight in ten are public; the others are in rooms, or of two who talk; times and ids grow together."""
    with closing(sqlite3.connect(path)) as connection:
        shares = connection.execute(
            "SELECT round(avg(recipient_id IS NOT NULL), 1), round(avg(room_id IS NOT NULL), 1) FROM message"
        )
        assert shares.fetchone() == (0.1, 0.1)
        times = [time for (time,) in connection.execute("SELECT sent_at FROM message ORDER BY id")]
        assert times == sorted(times)
        assert connection.execute("SELECT max(length(body)) < 200, min(length(body)) > 30 FROM message").fetchone() == (
            1,
            1,
        )


def test_its_counts_and_words_are_there(path: Path) -> None:
    """The last user has read nothing, the first one everything; a common word is found; all derived data fits."""
    assert verify(path, Task()).messages == COUNT
    with open_storage(path) as storage:
        assert storage.read(messages.count_waiting, 1)[1] == 0
        assert storage.read(messages.count_waiting, generate.USERS)[1] > 0.7 * COUNT
        word = generate.make_words()[0]
        assert len(storage.search_page(word, 1, None, None, 20).messages) == 20


def test_the_progress_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal it is a line for each tenth, and one at the end."""
    generate.make(tmp_path / "history.db", 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "100 messages:  40 %, messages"
    assert lines[-1].startswith("100 messages made in")
    assert len(lines) <= 12


def test_a_finished_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run takes what the first has made; one of an older schema goes."""
    made: list[Path] = []

    def make(path: Path, count: int) -> None:
        made.append(path)
        path.touch()

    monkeypatch.setattr(generate, "make", make)
    (tmp_path / "history-100-0001.db").touch()
    first = generate.history(100, tmp_path)
    assert [first] == list(tmp_path.iterdir())
    assert generate.history(100, tmp_path) == first
    assert len(made) == 1


@pytest.mark.parametrize("name", list(history.CELLS))
def test_a_cell_gives_the_figures_of_its_targets(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the small file, and a few times only; it leaves the file as long as it was."""
    for limit, number in (("TIMES", 3), ("SEARCHES", 2), ("STARTS", 1), ("INSERTS", 1000), ("ROUNDS", 1)):
        monkeypatch.setattr(history, limit, number)
    monkeypatch.setattr(generate, "history", lambda: path)
    cell = history.CELLS[name]
    figures = cell.measure(None)
    assert all(figure > 0 for figure in figures.values())
    assert {target.metric for target in cell.targets} <= set(figures)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT max(id) FROM message").fetchone() == (COUNT,)


def test_a_start_with_something_to_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning before the service listens, as of a file too large to be checked whole, is no failure."""
    monkeypatch.setattr(history, "STARTS", 1)
    monkeypatch.setenv("CHAT_HOST", "0.0.0.0")  # noqa: S104 (for its warning; for a moment)
    assert history.starts(path)["max s"] > 0
    monkeypatch.setenv("CHAT_HOST", "nowhere.invalid")
    with pytest.raises(CellError, match="cannot listen"):
        history.starts(path)
