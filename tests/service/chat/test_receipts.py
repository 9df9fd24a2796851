"""Receipts: what was written to clients becomes seen in a real database, at the latest with the next flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.chat.receipts import Receipts
from service.delivery.run import Note
from service.errors import StorageUnavailable
from service.storage.records import MAX_ID, Post, Shown
from tests.support.helpers import open_storage
from tests.support.storage import NOW, add, ids_of, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from service.storage.contract import Storage, Write

pytestmark = pytest.mark.engines
NAMES = ("alice", "bob", "carol")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """Alice (1), bob (2) and carol (3), and what alice wrote: 1 to all, 2 to bob, 3 to carol, 4 to bob."""
    with open_storage(tmp_path / "chat.db") as storage:
        for name in NAMES:
            add(storage, name)
        posts = [Post(recipient, "hello", None) for recipient in (None, 2, 3, 2)]
        storage.wait(storage.store_posts(1, posts))
        yield storage


def waiting(storage: Storage, user_id: int) -> tuple[list[int], int]:
    """The ids of the direct messages that the user has not seen, and how many public ones are unread."""
    login = storage.result(storage.resume(token_of(NAMES[user_id - 1]), NOW))
    return ids_of(storage.missed_page(user_id, MAX_ID, 200)), login.unread


def flush(storage: Storage, receipts: Receipts) -> None:
    """Flushes and waits; there must be something to flush."""
    write = receipts.flush()
    assert write is not None
    storage.wait(write)


def test_notes_change_nothing_until_they_are_flushed(storage: Storage) -> None:
    """A note costs no write; a flush stores all that were taken."""
    receipts = Receipts(storage)
    for note in (Note(1), Note(0, (2,)), Note(0, [4])):
        receipts.note(2, note)
    assert waiting(storage, 2) == ([2, 4], 1)
    flush(storage, receipts)
    assert waiting(storage, 2) == ([], 0)


@pytest.mark.parametrize(
    ("note", "left"),
    [(Note(1), ([2, 4], 0)), (Note(0, (2,)), ([4], 1)), (Note(0, (4,)), ([2], 1)), (Note(0, (3,)), ([2, 4], 1))],
    ids=["public", "older direct", "newer direct", "another's direct"],
)
def test_a_note_marks_what_it_names_alone(storage: Storage, note: Note, left: tuple[list[int], int]) -> None:
    """A public id moves the marker and sees no direct message; a direct id sees just that one, if it is the user's."""
    receipts = Receipts(storage)
    receipts.note(2, note)
    flush(storage, receipts)
    assert waiting(storage, 2) == left
    assert waiting(storage, 3) == ([3], 1)


def test_a_flush_stores_the_notes_of_all(storage: Storage) -> None:
    """Each of several users gets what is theirs."""
    receipts = Receipts(storage)
    receipts.note(2, Note(1, (2, 4)))
    receipts.note(3, Note(1, (3,)))
    flush(storage, receipts)
    assert (waiting(storage, 2), waiting(storage, 3)) == (([], 0), ([], 0))


def test_one_users_notes_are_stored_alone(storage: Storage) -> None:
    """A login needs its own user's notes only; the others' stay for the next flush."""
    receipts = Receipts(storage)
    receipts.note(2, Note(1, (2, 4)))
    receipts.note(3, Note(1, (3,)))
    write = receipts.store(2)
    assert write is not None
    storage.wait(write)
    assert (waiting(storage, 2), waiting(storage, 3)) == (([], 0), ([3], 1))
    assert receipts.store(2) is None
    flush(storage, receipts)
    assert waiting(storage, 3) == ([], 0)


def test_a_flush_goes_in_pieces(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many users there are, no write takes long; its last piece comes after the others."""
    pieces: list[int] = []
    store = storage.store_receipts

    def count_and_store(shown: Sequence[Shown], now: str, **callbacks: Any) -> Write[None]:
        pieces.append(len(shown))
        return store(shown, now, **callbacks)

    monkeypatch.setattr(storage, "store_receipts", count_and_store)
    receipts = Receipts(storage, batch=2)
    for user_id, note in ((1, Note(4)), (2, Note(1, (2, 4))), (3, Note(1))):
        receipts.note(user_id, note)
    flush(storage, receipts)
    assert len(pieces) == 2
    assert (waiting(storage, 2), waiting(storage, 3)) == (([], 0), ([3], 0))


def test_many_direct_messages_are_stored_soon(storage: Storage) -> None:
    """Few notes of direct messages wait for the next flush, a batch of them does not."""
    receipts = Receipts(storage, batch=2)
    receipts.note(2, Note(1, (2,)))
    receipts.flush_many()
    storage.settle()
    assert waiting(storage, 2) == ([2, 4], 1)
    receipts.note(2, Note(0, (4,)))
    receipts.flush_many()
    storage.settle()
    assert waiting(storage, 2) == ([], 0)
    assert receipts.flush() is None


def test_without_notes_there_is_nothing_to_write(storage: Storage) -> None:
    """A flush submits no write when there is nothing new: not at first, not a second time."""
    receipts = Receipts(storage)
    assert receipts.flush() is None
    receipts.note(2, Note(0))
    assert receipts.flush() is None
    receipts.note(2, Note(1, (2,)))
    flush(storage, receipts)
    assert receipts.flush() is None


def test_marker_moves_only_forward(storage: Storage) -> None:
    """An older public id that is noted after a newer one takes nothing back, within a flush and after it."""
    storage.wait(storage.store_posts(1, [Post(None, "the fifth", None)]))
    receipts = Receipts(storage)
    receipts.note(2, Note(5))
    receipts.note(2, Note(1))
    flush(storage, receipts)
    assert waiting(storage, 2)[1] == 0
    receipts.note(2, Note(1))
    flush(storage, receipts)
    assert waiting(storage, 2)[1] == 0


def test_what_could_not_be_stored_is_stored_later(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the storage fails nothing of a flush is stored; the next one stores it all, with what was noted since."""
    storage.wait(storage.store_posts(1, [Post(None, "the fifth", None)]))
    receipts = Receipts(storage)
    receipts.note(2, Note(1, (2,)))
    receipts.note(3, Note(5, (3,)))

    def fail(_: Sequence[Shown], now: str, *, refused: Any) -> Write[None]:
        receipts.note(2, Note(5, (4,)))  # written to bob while the flush is under way
        return storage.note_presence(1, now, done=lambda _: refused(StorageUnavailable("database or disk is full")))

    with monkeypatch.context() as broken:
        broken.setattr(storage, "store_receipts", fail)
        flush(storage, receipts)
    assert (waiting(storage, 2), waiting(storage, 3)) == (([2, 4], 2), ([3], 2))
    flush(storage, receipts)
    assert (waiting(storage, 2), waiting(storage, 3)) == (([], 0), ([], 0))
    assert receipts.flush() is None


def test_notes_outlive_a_storage_that_is_closing(storage: Storage) -> None:
    """A flush that comes after the end of the storage loses nothing: the notes are there for the next."""
    receipts = Receipts(storage)
    receipts.note(2, Note(0, (2,)))
    storage.close()
    for _ in range(2):
        flush(storage, receipts)


def test_notes_are_expected_while_an_outbox_is_open(storage: Storage) -> None:
    """Of each user on their own, until the last of their outboxes is closed."""
    receipts = Receipts(storage)
    for user_id in (2, 2, 3):
        receipts.expect(user_id)
    receipts.expect_no_more(3)
    receipts.expect_no_more(2)
    assert [receipts.are_expected(user_id) for user_id in (1, 2, 3)] == [False, True, False]
    receipts.expect_no_more(2)
    assert not receipts.are_expected(2)


def test_a_bug_is_not_tried_again(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a write raise would do so at each flush."""
    receipts = Receipts(storage)
    receipts.note(2, Note(1, (2,)))

    def fail(_: Sequence[Shown], now: str, *, refused: Any) -> Write[None]:
        return storage.note_presence(1, now, done=lambda _: refused(ZeroDivisionError()))

    monkeypatch.setattr(storage, "store_receipts", fail)
    flush(storage, receipts)
    assert receipts.flush() is None
