"""service/storage/sqlite/repair.py: rows that were deleted by hand, and a file that gives its space back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING

import pytest

from service.errors import FileError, StorageUnavailable
from service.storage import Task, backup, compact, repair, verify
from service.storage.records import Post
from service.storage.sqlite import blocks, integrity
from tests.support.erasure import BY_HAND, erase, fill, left_in_files, purge
from tests.support.helpers import open_storage
from tests.support.storage import add, ids_of, make_room, say, skip_ids, store_posts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.records import Contents


def spoil(path: Path) -> dict[int, str]:
    """Makes a chat, and deletes rows with another program."""
    with open_storage(path) as storage:
        words = fill(storage, Random(21), 200)
        skip_ids(storage, 2 << blocks.BLOCK_BITS)  # so that there are counts
        say(storage, 1, "last")
        storage.index_search()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM message WHERE id BETWEEN 50 AND 70")
        connection.commit()
    return words


def test_a_row_deleted_by_hand_is_found_and_said(tmp_path: Path) -> None:
    """Verify names the file and the command that mends it; a backup is made all the same, and tells of it."""
    spoil(path := tmp_path / "chat.db")
    with pytest.raises(FileError, match=r"chat\.db: .*the counts of public messages.*repair --db .*chat\.db"):
        verify(path, Task())
    assert backup(path, tmp_path / "copy.db", Task()).misfit == "the counts of public messages do not fit the messages"
    with pytest.raises(FileError, match=r"copy\.db: "):
        verify(tmp_path / "copy.db", Task())


def test_repair_mends_it(tmp_path: Path) -> None:
    """All is sound again, what is left is found, and the words of what was deleted are not in the index."""
    words = spoil(path := tmp_path / "chat.db")
    assert repair(path, Task()).messages == 180
    assert verify(path, Task()).misfit == ""
    with open_storage(path) as storage:
        storage.index_search()
        found = {number for number, word in words.items() if ids_of(storage.search_page(word, 1, None, None, 9))}
        assert found.isdisjoint(range(50, 71))
        assert len(found) > 50


def test_neither_runs_beside_a_service(tmp_path: Path) -> None:
    """They refuse, and name the process."""
    path = tmp_path / "chat.db"
    with open_storage(path):
        for work in (repair, compact):
            with pytest.raises(FileError, match="is in use"):
                work(path, Task())
    for work in (repair, compact):
        with pytest.raises(FileError, match="holds no chat"):
            work(tmp_path / "none.db", Task())
    assert not (tmp_path / "none.db-lock").exists()


def test_what_is_stopped_has_changed_nothing(tmp_path: Path) -> None:
    """No file is left beside the database."""
    spoil(path := tmp_path / "chat.db")
    before = path.read_bytes()
    for work in (repair, compact):
        task = Task()
        task.stop()
        with pytest.raises(StorageUnavailable, match="stopped"):
            work(path, task)
    assert [file.name for file in tmp_path.glob("*.part*")] == []
    assert path.read_bytes() == before


def test_compact_gives_free_pages_back(tmp_path: Path) -> None:
    """The file is smaller, holds the same, continues its ids, and is the same database for its lock."""
    path = tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        words = fill(storage, Random(22), 400)
        purge(storage)
        erase(storage)
    held, before, now = compact(path, Task())
    assert (held.messages, now < before / 2) == (0, True)
    assert path.stat().st_size == now
    assert path.stat().st_mode & 0o777 == 0o600
    assert left_in_files(path, list(words.values())) == []
    with open_storage(path) as storage:
        assert say(storage, 1, "next") == 401


def test_nobody_writes_to_a_file_that_is_about_to_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as sqlite3, while the copy is checked: what it stored would be lost."""
    path, tried = tmp_path / "chat.db", []
    with open_storage(path) as storage:
        fill(storage, Random(24), 20)
    examine = integrity.examine

    def write_meanwhile(part: Path, watch: Callable[[sqlite3.Connection], None]) -> Contents:
        with (
            closing(sqlite3.connect(path, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            tried.append(other.execute("UPDATE message SET body = '' WHERE id = 1"))
        return examine(part, watch)

    monkeypatch.setattr(integrity, "examine", write_meanwhile)
    assert compact(path, Task())[0].messages == 20
    assert tried == []


def test_compact_waits_for_no_reader(tmp_path: Path) -> None:
    """A program that reads the old file would go on with it: it is asked to end."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        fill(storage, Random(23), 20)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("PRAGMA journal_mode = WAL").fetchall()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchall()
        with pytest.raises((FileError, StorageUnavailable)):
            compact(path, Task())
    assert verify(path, Task()).messages == 20


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM message WHERE id = 2", "the counts of a room"),
        ("DELETE FROM message WHERE id = 3", "the counts of a room"),
        ("UPDATE room SET messages = 4", "the counts of a room"),
        ("UPDATE room SET last_id = 4", "the counts of a room"),
        ("DELETE FROM member WHERE user_id = 1", "the count of a room's members"),
        ("UPDATE member SET own_unread = 0", "a member's count of unread messages"),
        ("UPDATE member SET read_position = 0 WHERE user_id = 2", "a member's count of unread messages"),
        ("UPDATE member SET read_id = 3", "a member's count of unread messages"),
    ],
)
def test_what_is_noted_of_rooms_is_checked_and_mended(tmp_path: Path, statement: str, problem: str) -> None:
    """Verify says which of it was changed by hand; repair counts it anew."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        make_room(storage, "ops", add(storage, "alice"), add(storage, "bob"))
        store_posts(storage, 1, *[Post(None, "x", None, room="ops")] * 3)
        storage.result(storage.see_room_up_to(2, "ops", 2))
        storage.index_search()
    assert verify(path, Task()).misfit == ""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
        connection.execute("DELETE FROM direct_search_docsize WHERE id NOT IN (SELECT id FROM message)")
    assert problem in integrity.examine(path, lambda _: None).misfit
    assert repair(path, Task()).misfit == ""
