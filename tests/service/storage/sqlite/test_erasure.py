"""service/storage/sqlite/erasure.py: nothing of a deleted message is left in any file, and nothing else is lost.

The words are random, of twenty letters, so that no index stores a part of one only.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING

import pytest

from service.storage import Task, verify
from service.storage.records import Post
from service.storage.sqlite import erasure, fulltext
from service.storage.sqlite.orders import OfflineStorage
from service.storage.sqlite.writer import Limits
from tests.support.erasure import BY_HAND, erase, fill, left_in_files, make_word
from tests.support.helpers import open_storage, until
from tests.support.storage import LATER, add, say, store_posts

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize("seed", range(3))
def test_nothing_of_a_deleted_message_is_left_in_any_file(tmp_path: Path, seed: int) -> None:
    """Public and direct, long and short, indexed or not yet: the bytes are gone, and the others' words are found."""
    chance, path = Random(seed), tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        words = fill(storage, chance, 1200)
        deleted = chance.sample(list(words), 200)
        for message_id in deleted:
            storage.result(storage.delete_message(None, message_id, None))
        assert left_in_files(path, [words[n] for n in deleted])
        erase(storage)
        assert left_in_files(path, [words[n] for n in deleted]) == []
        storage.index_search()
        for message_id, word in chance.sample(list(words.items()), 100):
            found = [
                page.id for n in (1, 2, 3) for page in storage.search_page(word, n, None, None, 5, rooms=True).messages
            ]
            assert (message_id in found) == (message_id not in deleted)
        assert left_in_files(path, [word for n, word in words.items() if n not in deleted])
    verify(path, Task())
    with closing(sqlite3.connect(path)) as connection:
        for index in ("message_search", "direct_search"):
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")


def test_old_copies_of_rows_that_moved_are_erased(tmp_path: Path) -> None:
    """A row grows when its message is seen, and its page is split: with this seed two words stay between the cells."""
    chance, path = Random(0), tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        alice, bob = add(storage, "alice"), add(storage, "bob")
        words: dict[int, str] = {}
        for _ in range(40):
            new = [make_word(chance) for _ in range(50)]
            posts = [Post(bob, f"{word} {'x' * chance.choice((0, 5, 30, 100))}", None) for word in new]
            words |= zip([outcome.id for outcome in store_posts(storage, alice, *posts)], new, strict=True)  # type: ignore[union-attr]
        storage.call(
            lambda c: c.executemany("UPDATE message SET seen_at = ? WHERE id = ?", [(LATER, n) for n in words])
        )
        deleted = chance.sample(list(words), len(words) // 2)
        for message_id in deleted:
            storage.delete_message(None, message_id, None)
        erase(storage)
    assert left_in_files(path, [words[n] for n in deleted]) == []


def test_a_deletion_amid_a_merge_begins_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The merge under way goes on to its end; then the later word goes, too."""
    monkeypatch.setattr(erasure, "PIECE_PAGES", 1)
    path = tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        words = fill(storage, Random(5), 400)
        storage.index_search()
        first, second = list(words)[10], list(words)[300]
        storage.result(storage.delete_message(None, first, None))
        until(lambda: storage.result(storage.erase_some()) and is_begun(storage))
        storage.result(storage.delete_message(None, second, None))
        erase(storage)
    assert left_in_files(path, [words[first], words[second]]) == []


def is_begun(storage: SqliteStorage) -> bool:
    begun = storage.read(lambda c: c.execute("SELECT count(*) FROM erasure WHERE begun").fetchone()[0])
    return bool(begun)


def test_a_restart_amid_a_merge_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left to do is in the file; without a service each step is done at once."""
    monkeypatch.setattr(erasure, "PIECE_PAGES", 1)
    path = tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        words = fill(storage, Random(6), 400)
        storage.index_search()
        message_id = list(words)[100]
        storage.result(storage.delete_message(None, message_id, None))
        until(lambda: storage.result(storage.erase_some()) and is_begun(storage))
    with closing(OfflineStorage(path)) as offline:
        while not offline.result(offline.erase_some()).wal_is_next:
            pass
        offline.empty_wal()
        assert offline.erasure().pending == 0
    assert left_in_files(path, [words[message_id]]) == []


def test_while_a_program_reads_the_wal_stays_and_erasure_is_pending(tmp_path: Path) -> None:
    """The state says so; once the read has ended, nothing is left."""
    path = tmp_path / "chat.db"
    with open_storage(path, limits=Limits(quiet=0, piece_pace=0)) as storage, closing(sqlite3.connect(path)) as reader:
        alice = add(storage, "alice")
        said = say(storage, alice, make_word(Random(1)))
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchone()
        storage.result(storage.delete_message(alice, said, None))
        until(lambda: storage.erasure() == (1, True))
        reader.execute("COMMIT")
        until(lambda: storage.erasure() == (0, False))
        assert left_in_files(path, [make_word(Random(1))]) == []


def test_a_row_keeps_what_it_has_when_it_is_rewritten(storage: SqliteStorage) -> None:
    """All columns of the neighbours, and the newest id ever given, are as before."""
    fill(storage, Random(7), 200)
    select = "SELECT * FROM message WHERE id <> 100 ORDER BY id"
    before = storage.read(lambda c: c.execute(select).fetchall())
    storage.result(storage.delete_message(None, 100, None))
    until(lambda: storage.erasure().pending == 0)
    assert storage.read(lambda c: c.execute(select).fetchall()) == before
    assert say(storage, 1, "next") == 201


def test_one_rewriting_serves_deleted_messages_nearby(storage: SqliteStorage) -> None:
    """A hundred in a row take as many pieces as fit their number, not a hundred."""
    fill(storage, Random(8), 200)

    def count(connection: sqlite3.Connection) -> int:
        connection.execute("DELETE FROM erasure")
        for message_id in range(50, 150):
            erasure.demand(connection, message_id, message_id)
        connection.execute("DELETE FROM erasure WHERE place <> 'message'")
        pieces = 0
        while connection.execute("SELECT 1 FROM erasure WHERE place = 'message'").fetchone():
            erasure.erase_some(connection)
            pieces += 1
        return pieces

    assert storage.call(count) <= 100 // erasure.PIECE_ROWS + 3


def test_the_pieces_of_a_merge_end(storage: SqliteStorage) -> None:
    """A merged index has one segment, and a further piece changes nothing."""
    fill(storage, Random(9), 400)
    storage.index_search()
    pages = {index: storage.call(merge_whole, index) for index in ("message_search", "direct_search")}
    assert all(before > after == 1 for before, after in pages.values())


def merge_whole(connection: sqlite3.Connection, index: str) -> tuple[int, int]:
    before = count_segments(connection, index)
    begin = True
    while fulltext.merge_some(connection, index, 1, begin=begin):
        begin = False
    return before, count_segments(connection, index)


def count_segments(connection: sqlite3.Connection, index: str) -> int:
    """The segments that have pages: FTS5 numbers a segment's pages from its number, shifted by 37 bits."""
    (count,) = connection.execute(f"SELECT count(DISTINCT id >> 37) FROM {index}_data WHERE id > 10").fetchone()
    return int(count)
