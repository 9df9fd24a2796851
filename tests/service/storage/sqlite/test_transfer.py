"""service/storage/sqlite/transfer.py: which files a copy takes, and that an incomplete one never has the name."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.errors import FileError
from service.storage.sqlite import schema
from service.storage.sqlite.backup import Task
from service.storage.sqlite.lock import FileLock
from service.storage.sqlite.transfer import reading, writing
from service.storage.transfer import TABLES, copy
from tests.support.copied import make_rich_chat
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path


def test_no_service_has_the_file_that_is_copied(tmp_path: Path) -> None:
    """Nor may one begin to meanwhile."""
    path = make_chat(tmp_path / "chat.db")
    with closing(FileLock(path)), pytest.raises(FileError, match="is in use"), reading(path, Task()):
        pass
    with reading(path, Task()), pytest.raises(FileError, match="is in use"):
        FileLock(path)


@pytest.mark.parametrize("name", ["missing.db", "empty.db"])
def test_a_file_without_a_chat_is_refused(tmp_path: Path, name: str) -> None:
    """There is nothing to copy in it."""
    (tmp_path / "empty.db").touch()
    with pytest.raises(FileError, match="holds no chat yet"), reading(tmp_path / name, Task()):
        pass


def test_a_copy_takes_no_others_place(tmp_path: Path) -> None:
    """Whatever a file of that name holds, it stays."""
    path = make_chat(tmp_path / "chat.db")
    with pytest.raises(FileError, match="is there already"), writing(path, Task()):
        pass
    with pytest.raises(FileError, match="there is no folder"), writing(tmp_path / "no" / "chat.db", Task()):
        pass


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """No file has the name, and none is left beside it but the lock's."""
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "chat.db", Task()):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["chat.db-lock"]


def test_a_copy_has_what_its_source_has(tmp_path: Path) -> None:
    """The numbers that are given next, too, and an identity of its own."""
    make_rich_chat(tmp_path / "chat.db")
    with reading(tmp_path / "chat.db", Task()) as source, writing(tmp_path / "copy.db", Task()) as target:
        copy(source, target, Task())
    assert schema.read_revision(tmp_path / "copy.db") == schema.revisions()[-1]
    with reading(tmp_path / "chat.db", Task()) as source, reading(tmp_path / "copy.db", Task()) as made:
        for table in TABLES:
            assert list(source.rows(table)) == list(made.rows(table))
        identity = "PRAGMA user_version"
        assert source.connection.execute(identity).fetchone() != made.connection.execute(identity).fetchone()
