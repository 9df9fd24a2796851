"""service/storage/sqlite/orders.py: orders without a service. What an order does is the contract's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.errors import FileError, StorageUnavailable
from service.storage.records import UnknownUser
from service.storage.sqlite.orders import OfflineStorage
from tests.support.helpers import open_storage
from tests.support.storage import NOW, make_chat

if TYPE_CHECKING:
    from pathlib import Path


def test_an_order_is_done_at_once(tmp_path: Path) -> None:
    """Its result is there, and in the file, when the method returns; the callbacks have been called by then."""
    told: list[object] = []
    with closing(OfflineStorage(make_chat(tmp_path / "chat.db"))) as offline:
        made = offline.add_user("bob", "bob", "hash", NOW, done=told.append)
        refused = offline.enable("nobody", refused=told.append)
        assert told == [2, refused.error]
        assert offline.result(made) == 2
        with pytest.raises(UnknownUser):
            offline.result(refused)
    with open_storage(tmp_path / "chat.db") as storage:
        assert storage.find_user("bob") is not None


def test_a_refused_order_changes_nothing(tmp_path: Path) -> None:
    """Nor does it keep the next one from being done."""
    with closing(OfflineStorage(make_chat(tmp_path / "chat.db"))) as offline:
        assert isinstance(offline.disable("nobody", NOW).error, UnknownUser)
        assert offline.result(offline.disable("alice", NOW)) == 1


def test_a_file_that_cannot_be_used_is_the_error_of_the_write(tmp_path: Path) -> None:
    """Whatever SQLite says."""
    path = make_chat(tmp_path / "chat.db")
    offline = OfflineStorage(path, timeout=0.01)
    with closing(offline), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            offline.result(offline.enable("alice"))
        other.execute("ROLLBACK")
        assert offline.result(offline.enable("alice")) == 1


def test_it_has_the_database_for_itself(tmp_path: Path) -> None:
    """No service starts meanwhile, and none may run."""
    path = make_chat(tmp_path / "chat.db")
    with closing(OfflineStorage(path)), pytest.raises(FileError, match="in use"), open_storage(path):
        pass
    with open_storage(path), pytest.raises(FileError, match="in use"):
        OfflineStorage(path)
