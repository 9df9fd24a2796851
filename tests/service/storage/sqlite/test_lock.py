"""service/storage/sqlite/lock.py: one service for one database, however its file is named."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from service.errors import FileError, SchemaError
from service.storage.sqlite import schema
from service.storage.sqlite.lock import FileLock
from tests.support.helpers import PATIENCE, ROOT, Process, open_storage
from tests.support.storage import add, say

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["chat.db", "linked.db", "folder/../chat.db", "linked/chat.db", "relative"])
def test_a_second_storage_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by another way to the same file; the error names the holder."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked.db").symlink_to("chat.db")
    (tmp_path / "linked").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = type(tmp_path)("chat.db") if name == "relative" else tmp_path / name
    expected = rf"chat\.db is in use \(process {os.getpid()}\)\. Stop that service first"
    with open_storage(tmp_path / "chat.db"), pytest.raises(FileError, match=expected), open_storage(path):
        pass
    with open_storage(path):  # and it is free again
        pass


def test_a_second_service_ends_with_one_line(tmp_path: Path) -> None:
    """Status 1, and the process in its way; what a killed service leaves behind is in nobody's."""
    with Process(tmp_path) as service:
        second = subprocess.run(
            [sys.executable, "-m", "service", "0", "--db", str(tmp_path / "chat.db")],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        (line,) = second.stderr.splitlines()
        assert f"chat.db is in use (process {service.program.pid})" in line
        service.stop(signal.SIGKILL)
    with Process(tmp_path):
        pass


def test_a_current_database_needs_no_lock_to_be_found_so(tmp_path: Path) -> None:
    """init-db beside a service changes nothing and says so; but to upgrade a file it must have it."""
    path = tmp_path / "chat.db"
    with open_storage(path):
        assert schema.init_db(path) == "current"
    other = tmp_path / "other.db"
    other.touch()
    lock = FileLock(other)
    with pytest.raises(FileError, match="in use"):
        schema.init_db(other)
    lock.close()
    assert schema.init_db(other) == "upgraded"


def test_a_file_that_is_not_ours_gets_no_lock_beside_it(tmp_path: Path) -> None:
    """What is refused leaves nothing behind."""
    (tmp_path / "letter").write_text("no database\n" * 100)
    with pytest.raises(SchemaError), open_storage(tmp_path / "letter"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_a_file_system_without_locks_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The service runs all the same."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open_storage(tmp_path / "chat.db") as storage:
        assert add(storage, "alice") == 1
    assert "No locks available" in caplog.text


def test_a_lock_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """A folder, or a link to elsewhere, in its place is named."""
    (tmp_path / "chat.db-lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match=r"cannot make .*chat\.db-lock: Too many levels of symbolic links"):
        FileLock(tmp_path / "chat.db")
    assert not (tmp_path / "elsewhere").exists()


def test_the_newest_ids_stand_in_it(tmp_path: Path) -> None:
    """They are there with each acknowledgement, and still there when the lock is taken again."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        alice = add(storage, "alice")
        for _ in range(12):
            say(storage, alice, "hi")
        assert (tmp_path / "chat.db-lock").read_text().splitlines()[2:] == ["user 1", "message 12"]
    lock = FileLock(path)
    assert lock.newest == "user 1\nmessage 12\n"
    lock.close()


@pytest.mark.parametrize("text", ["", "garbage", "pid 1\n", "pid 1\nfile 2\nmessage x\n", f"pid 1\nfile 2\nm {10**30}"])
def test_a_spoilt_record_counts_as_none(tmp_path: Path, text: str) -> None:
    """Nothing is concluded from what this program did not write."""
    (tmp_path / "chat.db-lock").write_text(text)
    lock = FileLock(tmp_path / "chat.db")
    assert (lock.identity, lock.newest) == (0, "")
    lock.close()
