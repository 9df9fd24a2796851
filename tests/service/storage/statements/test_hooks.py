"""service/storage/statements/hooks.py: what is stored of webhooks, and that the file stays whole with what they say."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from service.errors import StorageFull, StorageUnavailable
from service.storage.records import Banned, Stored
from service.storage.sqlite import integrity
from service.storage.sqlite.writer import Limits
from tests.support.helpers import open_storage
from tests.support.hooks import HASH, SECRET, add_hook, known_hook, pieces
from tests.support.rooms import act, create
from tests.support.storage import NOW, add, run, say, unread_in

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.sqlite
def test_only_the_hash_is_in_the_file(tmp_path: Path) -> None:
    """Whoever reads a backup cannot speak as the webhook."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        add_hook(storage)
        assert run(storage, "SELECT hash, room_id FROM hook") == [(HASH, None)]
    assert SECRET.encode() not in path.read_bytes()


def test_the_views_show_what_it_said_and_no_user(storage: SqliteStorage) -> None:
    """The message has its name, as anybody's has; users are people."""
    add(storage, "alice")
    add_hook(storage)
    storage.result(storage.post_by_hook(HASH, pieces("hi")))
    assert run(storage, "SELECT name FROM users") == [("alice",)]
    assert run(storage, "SELECT sender, message, kind FROM history") == [("monitor", "hi", "notice")]


@pytest.mark.parametrize("room", [None, "ops"])
def test_pieces_have_nothing_between_them(storage: SqliteStorage, room: str | None) -> None:
    """However many come in one transaction, from however many threads."""
    alice = add(storage, "alice")
    create(storage, alice, "ops")
    add_hook(storage, room=room)
    created = known_hook(storage).created
    posts = pieces(*"abcdefg", room=room, created=created)
    writes = [storage.post_by_hook(HASH, posts) for _ in range(3)]
    threads = [threading.Thread(target=say, args=(storage, alice, "between")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for write in writes:
        ids = [stored.id for stored in storage.result(write)]
        assert ids == list(range(ids[0], ids[0] + len(posts)))


@pytest.mark.sqlite
def test_the_counts_of_a_room_fit(tmp_path: Path) -> None:
    """What is derived from the messages is as for a member's, before and after a reader's marker."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        alice = add(storage, "alice")
        change = create(storage, alice, "ops")
        assert change.room is not None
        add_hook(storage, room="ops")
        posts = pieces("one", "two", key="k", room="ops", created=change.room.created)
        for _ in range(2):
            storage.result(storage.post_by_hook(HASH, posts, beyond="k2"))
        storage.result(storage.see_room_up_to(alice, "ops", 1))
        assert unread_in(storage, alice, change.room.id) == 1
        storage.index_search()
    assert integrity.verify(path, lambda _: None).users == 1


@pytest.mark.sqlite
def test_nothing_is_stored_of_what_is_refused(tmp_path: Path) -> None:
    """On a full disk all pieces are refused, but a retry of what is there gets its answer."""
    known = pieces("one", "two", key="k")
    with open_storage(tmp_path / "chat.db") as storage:
        add_hook(storage)
        storage.result(storage.post_by_hook(HASH, known))
    with open_storage(tmp_path / "chat.db", max_db=1) as storage:
        with pytest.raises(StorageFull):
            storage.result(storage.post_by_hook(HASH, pieces("one", "two")))
        assert [stored.id for stored in storage.result(storage.post_by_hook(HASH, known))] == [1, 2]
        assert run(storage, "SELECT count(*) FROM message") == [(2,)]


@pytest.mark.sqlite
def test_it_does_not_wait_for_a_full_queue(tmp_path: Path) -> None:
    """Whoever sends it is told at once, and sends it again."""
    stands, go = threading.Event(), threading.Event()

    def stand_still(_: object) -> None:
        stands.set()
        go.wait(20)

    with open_storage(tmp_path / "chat.db", limits=Limits(queue=1)) as storage:
        storage.submit(stand_still)
        stands.wait(20)
        storage.submit(lambda _: None)
        with pytest.raises(StorageUnavailable, match="too much waits"):
            storage.post_by_hook(HASH, pieces("hi"))
        go.set()


def test_the_name_of_who_was_banned_is_none_for_a_webhook(storage: SqliteStorage) -> None:
    """As it is none for a new account; nothing is made."""
    act(storage, None, "monitor", "ban", None)
    with pytest.raises(Banned):
        add_hook(storage)
    assert run(storage, "SELECT count(*) FROM hook") == [(0,)]


def test_a_used_nonce_of_a_piece_is_found(storage: SqliteStorage) -> None:
    """The outcome of a retry has all pieces, in order."""
    add_hook(storage)
    posts = pieces("one", "two", key="k")
    first = storage.result(storage.post_by_hook(HASH, posts, beyond="k2"))
    again = storage.result(storage.post_by_hook(HASH, posts, beyond="k2"))
    assert again == [Stored(stored.id, stored.time, fresh=False, seen=False) for stored in first]
    assert run(storage, "SELECT used_at FROM hook") == [(first[-1].time,)]
    assert run(storage, "SELECT created_at FROM hook") == [(NOW,)]
