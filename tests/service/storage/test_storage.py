"""service/storage/__init__.py: the engine that a name asks for, and what operators do with a database."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service import storage
from service.errors import ConfigError, FileError
from service.storage.records import Contents
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "postgresql://localhost/chat"


def test_a_path_opens_a_database_and_makes_it(tmp_path: Path) -> None:
    """As a text or as a Path."""
    for db in (tmp_path / "chat.db", str(tmp_path / "chat.db")):
        with closing(storage.open_storage(db, lambda _: None)) as opened:
            assert opened.engine.startswith("SQLite 3.")
    assert (tmp_path / "chat.db").exists()


def test_a_database_is_made_once(tmp_path: Path) -> None:
    """The second time it is current; the revision is the same."""
    (first, revision), (second, same) = (storage.init_db(tmp_path / "chat.db") for _ in range(2))
    assert (first, second, same) == ("created", "current", revision)


def test_a_backup_is_verified_and_comes_back(tmp_path: Path) -> None:
    """Each tells what it holds."""
    path, copy = make_chat(tmp_path / "chat.db"), tmp_path / "copy.db"
    held = storage.backup(path, copy, storage.Task())
    assert held == Contents(users=1, messages=5, revision=held.revision)
    assert storage.verify(copy, storage.Task()) == held
    restored, old = storage.restore(copy, path, storage.Task())
    assert restored == held
    assert old is not None
    with pytest.raises(FileError, match="no file"):
        storage.verify(tmp_path / "missing.db", storage.Task())


@pytest.mark.parametrize(
    "work",
    [
        lambda _: storage.open_storage(URL, lambda _: None),
        lambda _: storage.open_offline(URL),
        lambda _: storage.exists(URL),
        lambda _: storage.init_db(URL.replace("postgresql", "postgres")),
    ],
)
def test_postgresql_needs_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], object]
) -> None:
    """Where it is missing that is a bad setting, with what to type. No file of that name is made."""
    monkeypatch.chdir(tmp_path)
    for name in [*sys.modules]:
        if name.startswith("service.storage.postgres."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"needs a package: .* -m pip install 'psycopg\[binary\]'"):
        work(tmp_path)
    assert list(tmp_path.iterdir()) == []
