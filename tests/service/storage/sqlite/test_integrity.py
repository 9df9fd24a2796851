"""service/storage/sqlite/integrity.py: a damaged or cut file is noticed at the start, while served, by verify."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from service.errors import FileError, SchemaError, StorageDamaged
from service.storage.sqlite import backup, integrity
from service.storage.sqlite.writer import Limits
from tests.support.helpers import PATIENCE, ROOT, Process, enter, open_storage
from tests.support.storage import add, ids_of, make_chat, say

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage

PAGE = 4096
PARTS = ("", "-wal", "-lock")
NEVER_QUIET = Limits(quiet=3600.0)  # nothing is read or moved in a quiet moment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with alice and her five messages, closed."""
    return make_chat(tmp_path / "chat.db")


def damage(path: Path, first: int = 2, pages: int = 1_000) -> None:
    """Overwrites pages, from that one of 1, 2, … on. No connection of this process may be open."""
    with path.open("r+b") as file:
        file.seek((first - 1) * PAGE)
        file.write(b"\xff" * min(pages * PAGE, path.stat().st_size - (first - 1) * PAGE))


def all_ids(storage: SqliteStorage) -> list[int]:
    return ids_of(storage.history_page(None, None, 0, 200))


# -- at the start -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("first", [2, 6, 13])
def test_a_damaged_file_is_not_served(path: Path, first: int) -> None:
    """The service ends with status 1 and one line that says what to do; the file is left as it is."""
    damage(path, first)
    before = path.read_bytes()
    ended = subprocess.run(
        [sys.executable, "-m", "service", "0", "--db", str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"chat service: {path} is damaged: ")
    assert f"service.admin verify {path}" in line
    assert "restore BACKUP" in line
    assert path.read_bytes() == before


def test_a_cut_file_is_not_served(path: Path) -> None:
    """A file that ends early is damaged, too."""
    os.truncate(path, path.stat().st_size - PAGE)
    with pytest.raises(FileError, match="damaged"), open_storage(path):
        pass


def test_the_check_at_the_start_is_bounded(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that would take too long is served, and the log says how to check it whole."""
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    monkeypatch.setattr(integrity, "find_problem", lambda connection, _: connection.execute(endless).fetchall())
    caplog.set_level("INFO")
    with open_storage(path, check_seconds=0.05) as storage:
        assert all_ids(storage) == [1, 2, 3, 4, 5]
    assert "too large to be checked whole" in caplog.text


def test_a_small_file_is_checked_whole_and_at_once(path: Path) -> None:
    """The bound is no wait."""
    with open_storage(path, check_seconds=3600.0) as storage:
        assert all_ids(storage) == [1, 2, 3, 4, 5]


def test_a_start_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    """What a crash in the midst of making the database leaves, a file with its -journal, is no hindrance."""
    path = tmp_path / "chat.db"
    with closing(sqlite3.connect(tmp_path / "half.db", isolation_level=None)) as half:
        half.execute("PRAGMA cache_size = 1")
        half.execute("CREATE TABLE scratch (n)")
        half.execute("BEGIN")
        half.execute("DROP TABLE scratch")
        half.execute("CREATE TABLE other AS SELECT zeroblob(100000) AS n")
        for suffix in ("", "-journal"):
            shutil.copy(tmp_path / f"half.db{suffix}", f"{path}{suffix}")
    with pytest.raises(SchemaError, match="another program's"), open_storage(path):
        pass
    assert not (tmp_path / "chat.db-journal").exists()


# -- the -wal ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def image(tmp_path: Path) -> tuple[Path, list[tuple[int, int]]]:
    """What a crash leaves: a database whose messages are all in the -wal; and how long that was after which id."""
    path, crashed = tmp_path / "live.db", tmp_path / "crashed.db"
    commits = []
    with open_storage(path, limits=NEVER_QUIET) as storage:
        alice = add(storage, "alice")
        for n in range(8):
            newest = say(storage, alice, f"message {n} " * 200)
            commits.append((path.with_name("live.db-wal").stat().st_size, newest))
        for part in PARTS:
            shutil.copy(f"{path}{part}", f"{crashed}{part}")
    return crashed, commits


def take(image: Path, folder: Path) -> Path:
    """A copy of the crash to start from."""
    folder.mkdir()
    for part in PARTS:
        shutil.copy(f"{image}{part}", folder / f"chat.db{part}")
    return folder / "chat.db"


def check_intact(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_wal_cut_anywhere_is_noticed_and_loses_only_what_was_cut(
    tmp_path: Path, image: tuple[Path, list[tuple[int, int]]], caplog: pytest.LogCaptureFixture
) -> None:
    """Whole commits before the cut are there; the start names the lost ids, and none of these is given again."""
    crashed, commits = image
    end, last = commits[-1]
    edges = {
        0,
        1,
        31,
        32,
        33,
        *(size + by for size, _ in commits for by in (-PAGE, -1, 0, 1, 24)),
        *range(0, end, 5003),
    }
    for cut in sorted(edge for edge in edges if edge <= end):
        path = take(crashed, tmp_path / f"cut{cut}")
        os.truncate(f"{path}-wal", cut)
        kept = max((newest for size, newest in commits if size <= cut), default=0)
        caplog.clear()
        with open_storage(path) as storage:
            assert all_ids(storage) == list(range(1, kept + 1))
            named = f"has lost the ids {kept + 1} to {last} of its table message" in caplog.text
            assert named == (kept < last), cut
            assert say(storage, add(storage, "bob"), "next") == last + 1
        check_intact(path)


@pytest.mark.parametrize("tail", [b"\0" * 10_000, os.urandom(10_000), b"\x37\x7f\x06\x82" * 2_000])
def test_garbage_behind_the_last_commit_costs_nothing(
    tmp_path: Path, image: tuple[Path, list[tuple[int, int]]], tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What a disk may have written of a commit that was not acknowledged is left out, without a word."""
    crashed, commits = image
    path = take(crashed, tmp_path / "tail")
    os.truncate(f"{path}-wal", commits[-1][0])
    with open(f"{path}-wal", "ab") as wal:  # noqa: PTH123 (a name, not a path)
        wal.write(tail)
    with open_storage(path) as storage:
        assert all_ids(storage) == [newest for _, newest in commits]
    check_intact(path)
    assert "has lost" not in caplog.text


# -- which ids there were ---------------------------------------------------------------------------------------------
def put_older_copy(path: Path, copy: Path) -> None:
    shutil.copy(copy, path)


def put_older_backup(path: Path, copy: Path) -> None:
    backup.backup(copy, path.with_name("backup.db"), backup.Task())
    shutil.copy(path.with_name("backup.db"), path)


def put_another_chat(path: Path, _: Path) -> None:
    with open_storage(path.with_name("another.db")) as storage:
        add(storage, "bob")
    path.with_name("another.db").replace(path)


def remove(path: Path, _: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("change", "alarms"),
    [(put_older_copy, True), (put_older_backup, False), (put_another_chat, False), (remove, False)],
)
def test_only_a_file_that_had_more_has_lost_something(
    path: Path, change: Any, alarms: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup, a new or another chat in its place raises no alarm; in each case ids go on where they were."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with open_storage(path) as storage:
        assert say(storage, 1, "6") == 6
    change(path, copy)
    with open_storage(path) as storage:
        assert ("has lost the ids 6 to 6 of its table message" in caplog.text) == ("has lost" in caplog.text) == alarms
        assert say(storage, add(storage, "carol"), "next") == 7
    caplog.clear()
    with open_storage(path):
        assert caplog.text == ""  # said once


# -- while it is served -----------------------------------------------------------------------------------------------
def test_damage_that_a_reader_meets_ends_the_storing(path: Path) -> None:
    """Nobody gets wrong data, nothing more is acknowledged, and the log says once what to do."""
    with Process(path.parent) as service, enter(service.port, "bob") as bob:
        damage(path)
        assert bob.ask("history")["code"] == "storage_unavailable"
        for _ in range(20):
            assert bob.ask("pm", message="hi")["code"] == "storage_unavailable"
        assert bob.ask("ping")["type"] == "pong"
        assert service.stop() == 0
    (line,) = [line for line in service.log if "is damaged" in line]
    assert "CRITICAL nothing more is stored" in line
    assert "restore BACKUP" in line


def test_damage_that_the_writer_meets_ends_the_storing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What can still be read is; the log says it once."""
    with open_storage(path, limits=NEVER_QUIET) as storage:
        storage.call(lambda c: c.execute("PRAGMA shrink_memory") and None)  # so that it reads the pages anew
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'message'"
        (page,) = storage.read(lambda c: c.execute(query).fetchone())
        program = f"import pathlib, {__name__} as t; t.damage(pathlib.Path({str(path)!r}), {page}, 1)"
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)  # another process: see `damage`
        for _ in range(3):
            with pytest.raises(StorageDamaged):
                storage.call(lambda c: c.execute("UPDATE message SET body = body || '!'") and None)
        assert storage.find_user("alice") is not None
    assert caplog.text.count("is damaged") == 1


# -- verify -----------------------------------------------------------------------------------------------------------
def spoil(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_sound_file_is_counted(path: Path) -> None:
    """Beside a service too; and nothing changes in it."""
    assert integrity.verify(path, lambda _: None)[:2] == (1, 5)
    before = path.read_bytes()
    with open_storage(path) as storage:
        say(storage, 1, "one more")
        assert integrity.verify(path, lambda _: None)[:2] == (1, 6)
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (damage, "malformed"),
        (lambda path: spoil(path, "UPDATE message SET sender_id = 77 WHERE id = 3"), "a row names another"),
        (lambda path: spoil(path, "INSERT INTO tally VALUES (0, 0, 0, 4)"), "the counts of public messages"),
        (lambda path: spoil(path, "DELETE FROM message_search_docsize WHERE id = 2"), "index does not fit the public"),
        (
            lambda path: spoil(path, "INSERT INTO direct_search_docsize VALUES (2, x'')"),
            "index does not fit the other",
        ),
        (lambda path: path.unlink(), "there is no file"),
        (lambda path: os.truncate(path, 0), "holds no chat yet"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(path: Path, change: Any, problem: str) -> None:
    """In one line."""
    change(path)
    with pytest.raises(FileError, match=problem) as caught:
        integrity.verify(path, lambda _: None)
    assert "\n" not in str(caught.value)
