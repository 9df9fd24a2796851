"""service/storage/sqlite/purging.py: what is derived from messages fits those that are left. See test_contract.py."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.storage import Task, verify
from service.storage.records import Post, UnknownRoom
from service.storage.sqlite import purging, unread
from service.storage.sqlite.orders import OfflineStorage
from tests.support.erasure import BY_HAND, erase, fill, left_in_files, purge
from tests.support.helpers import open_storage
from tests.support.storage import NOW, add, make_room, run, say, skip_ids, store_posts, unread_in

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


def tallied(storage: SqliteStorage) -> list[tuple[int, ...]]:
    return storage.read(lambda c: c.execute("SELECT * FROM tally WHERE messages <> 0 ORDER BY 1, 2, 3").fetchall())


def count_anew(storage: SqliteStorage) -> None:
    def count(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM tally")
        connection.execute("DELETE FROM direct")
        while unread.complete_blocks(connection):
            pass

    storage.call(count)


def test_the_counts_fit_at_all_levels(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a purge of some they are as if they were counted anew."""
    monkeypatch.setattr(unread, "BLOCK_BITS", 2)
    monkeypatch.setattr(unread, "LEVEL", 2)
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for n in range(70):
        say(storage, (alice, bob)[n % 3 == 0], f"{n}", "bob" if n % 5 == 0 else None)
    assert max(level for level, *_ in tallied(storage)) > 2
    storage.result(storage.purge_some("9999", 0, public=True, direct=False))
    corrected = tallied(storage)
    count_anew(storage)
    assert corrected == tallied(storage)


def test_of_long_messages_few_are_removed_at_once(storage: SqliteStorage) -> None:
    """The search index looks at each word; one message goes, however long it is."""
    add(storage, "alice")
    for length in (1_000, purging.PIECE_CHARACTERS - 1_000, 1, purging.PIECE_CHARACTERS + 1, 1, 1):
        say(storage, 1, "x" * length)
    pieces, after, more = [], 0, True
    while more:
        removed, after, more = storage.result(storage.purge_some("9999", after, public=True, direct=True))
        pieces.append((removed, after))
    assert pieces == [(2, 2), (1, 3), (1, 4), (2, 6)]


@pytest.mark.parametrize("public", [True, False])
def test_verify_holds_and_the_texts_are_gone_from_the_file(tmp_path: Path, public: bool) -> None:
    """Indexed or not, whole or in part."""
    path = tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        words = fill(storage, random.Random(11), 800)
        rows = storage.read(lambda c: c.execute("SELECT id, recipient_id IS NULL FROM message").fetchall())
        purge(storage, public=public, direct=not public)
        erase(storage)
        assert left_in_files(path, [words[n] for n, is_public in rows if is_public == public]) == []
        say(storage, 1, "next")
    assert verify(path, Task()).messages == 1 + sum(is_public != public for _, is_public in rows)


def test_free_pages_are_used_again(tmp_path: Path) -> None:
    """As many messages as were purged find room without a larger file."""
    path = tmp_path / "chat.db"
    with open_storage(path, limits=BY_HAND) as storage:
        fill(storage, random.Random(12), 800)
        storage.index_search()
        full = storage.read(lambda c: c.execute("PRAGMA page_count").fetchone())
        purge(storage)
        erase(storage)
        for n in range(100):
            say(storage, 1, f"{n} {'x' * 4000}")
        assert storage.read(lambda c: c.execute("PRAGMA page_count").fetchone()) <= full


def test_a_gap_of_ids_costs_one_piece(storage: SqliteStorage) -> None:
    """Such as after a restore: a purge jumps to the next message that there is."""
    alice = add(storage, "alice")
    say(storage, alice, "one")
    skip_ids(storage, 10**9)
    say(storage, alice, "two")
    first = storage.result(storage.purge_some("9999", 0, public=True, direct=True))
    second = storage.result(storage.purge_some("9999", first.after_id, public=True, direct=True))
    assert (first.removed + second.removed, second.more) == (2, False)


def test_eras_without_direct_messages_are_forgotten(storage: SqliteStorage) -> None:
    """Pages of a talk walk those that are left."""
    add(storage, "bob")
    for _ in range(2):
        say(storage, 1, "direct", "bob")
        skip_ids(storage, 1 << 15)
    assert purge(storage, public=False) == 2
    assert storage.read(lambda c: c.execute("SELECT count(*) FROM era").fetchone()) == (0,)
    said = say(storage, 1, "again", "bob")
    assert [message.id for message in storage.history_page((1, 1), None, None, 9).messages] == [said]


def test_a_purge_goes_on_without_a_service(tmp_path: Path) -> None:
    """An operator's order in pieces, each in a transaction of its own."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        fill(storage, random.Random(13), 200)
    with closing(OfflineStorage(path)) as offline:
        first = offline.result(offline.purge_some("9999", 0, public=True, direct=True))
        assert (0 < first.removed <= purging.PIECE, first.more) == (True, True)
        assert offline.count_older("9999", public=True, direct=True) == 200 - first.removed
    verify(path, Task())


def test_a_purge_of_one_room_removes_nothing_else(storage: SqliteStorage) -> None:
    """Also of a gone one of that name; a name that no room ever had is refused."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    make_room(storage, "ops", alice, bob)
    say_all = [Post(None, "x", None, room="ops"), Post(None, "x", None), Post(bob, "x", None)]
    store_posts(storage, alice, *say_all * 50)
    run(storage, "UPDATE room SET gone_at = ?", NOW)
    ops = make_room(storage, "ops", alice, bob)
    store_posts(storage, bob, *say_all)
    assert storage.count_older("9999", public=False, direct=False, room="ops") == 51
    removed: list[int] = []
    after, more = 0, True
    while more:
        piece = storage.result(storage.purge_some("9999", after, public=False, direct=False, room="ops"))
        removed, after, more = [*removed, piece.removed], piece.after_id, piece.more
    assert removed == [purging.PIECE, 11]
    assert run(storage, "SELECT count(*), count(recipient_id) FROM message") == [(102, 51)]
    assert unread_in(storage, alice, ops) == 0
    with pytest.raises(UnknownRoom):
        storage.count_older("9999", public=False, direct=False, room="none")
    with pytest.raises(UnknownRoom):
        storage.result(storage.purge_some("9999", 0, public=True, direct=True, room="none"))


def test_rooms_are_purged_with_the_main_room(storage: SqliteStorage) -> None:
    """A purge of public messages takes both, and no direct one; who had not read them has fewer unread."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ops = make_room(storage, "ops", alice, bob)
    store_posts(storage, alice, Post(None, "x", None, room="ops"), Post(None, "x", None), Post(bob, "x", None))
    assert unread_in(storage, bob, ops) == 1
    assert [storage.count_older("9999", public=p, direct=not p) for p in (True, False)] == [2, 1]
    assert purge(storage, direct=False) == 2
    assert unread_in(storage, bob, ops) == 0
    assert run(storage, "SELECT id FROM message") == [(3,)]


def test_of_large_rooms_few_are_purged_at_once(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member's marker is looked at; one room goes, however large it is."""
    monkeypatch.setattr(purging, "PIECE_MEMBERS", 4)
    members = [add(storage, f"user{n}") for n in range(5)]
    for n, count in enumerate((2, 2, 1, 5)):
        make_room(storage, f"room{n}", *members[:count])
        store_posts(storage, 1, *[Post(None, "x", None, room=f"room{n}")] * 2)
    pieces, after, more = [], 0, True
    while more:
        removed, after, more = storage.result(storage.purge_some("9999", after, public=True, direct=False))
        pieces.append(removed)
    assert pieces == [4, 2, 2]
