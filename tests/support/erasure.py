"""Shared parts of the tests of what is erased from the files: a chat of random words. Holds no test."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

from service.storage.records import Post
from service.storage.sqlite.writer import Limits
from tests.support.helpers import until
from tests.support.storage import LATER, add, make_room, store_posts

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from service.storage.contract import Storage
    from service.storage.sqlite.engine import SqliteStorage

NEVER: Final = 1e6  # seconds
BY_HAND: Final = Limits(quiet=NEVER, piece_pace=NEVER)  # the writer does no piece of its own
USERS: Final = ("alice", "bob", "carol")


def make_word(chance: Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=20))


def fill(storage: SqliteStorage, chance: Random, count: int) -> dict[int, str]:
    """Stores messages of all kinds and sizes; many direct ones are seen late. Returns the word of each."""
    ids = [add(storage, name) for name in USERS]
    make_room(storage, "ops", *ids)
    words: dict[int, str] = {}
    unseen: list[tuple[int, int]] = []
    for _ in range(count // 20):
        new = [make_word(chance) for _ in range(20)]
        texts = [f"{word} {'x y ' * chance.choice((0, 1, 20, 20, 2000))}" for word in new]
        targets = [chance.choice((None, "ops", *ids)) for _ in texts]
        posts = [
            Post(None, text, None, room=to) if isinstance(to, str) else Post(to, text, None)
            for text, to in zip(texts, targets, strict=True)
        ]
        outcomes = store_posts(storage, chance.choice(ids), *posts)
        for word, post, outcome in zip(new, posts, outcomes, strict=True):
            words[outcome.id] = word  # type: ignore[union-attr]
            if post.recipient_id is not None:
                unseen.append((post.recipient_id, outcome.id))  # type: ignore[union-attr]
        if chance.random() < 0.5:
            storage.index_search()
    chance.shuffle(unseen)
    for user_id, message_id in unseen:
        storage.result(storage.mark_seen(user_id, [message_id], LATER))
    return words


def erase(storage: SqliteStorage) -> None:
    """Does all pieces, and empties the -wal."""
    while not storage.result(storage.erase_some()).wal_is_next:
        pass
    storage._writer._piece_at = 0
    storage._writer._limits = Limits(quiet=0, piece_pace=0)
    storage.settle()
    until(lambda: storage.erasure().pending == 0)


def left_in_files(path: Path, words: list[str]) -> list[str]:
    """Those of the words that any of the database's files has."""
    data = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*") if file.is_file())
    return [word for word in words if word.encode() in data]


def purge(storage: Storage, *, public: bool = True, direct: bool = True, before: str = "9999") -> int:
    """Removes all messages of before that time; returns their number."""
    count, after_id, more = 0, 0, True
    while more:
        removed, after_id, more = storage.result(storage.purge_some(before, after_id, public=public, direct=direct))
        count += removed
    return count
