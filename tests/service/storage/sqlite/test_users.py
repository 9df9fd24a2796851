"""Statements about accounts: tokens, and markers of many users at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.records import (
    DEFAULT_LIFETIME,
    MAX_ID,
    TOKENS_PER_USER,
    Shown,
    UnknownToken,
    User,
)
from service.storage.sqlite import users
from tests.support.storage import LATER, NOW, add, say, token_of

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


def columns(storage: SqliteStorage, column: str) -> list[object]:
    """One column of all users, in the order of their ids."""
    return [
        value
        for (value,) in storage.call(
            lambda c: c.execute(f"SELECT {column} FROM user WHERE id > 0 ORDER BY id").fetchall()
        )
    ]


def tokens(storage: SqliteStorage) -> list[tuple[int, bytes]]:
    return storage.call(lambda c: c.execute("SELECT user_id, hash FROM token ORDER BY expires_at, hash").fetchall())


def test_a_login_is_noted_with_its_token(storage: SqliteStorage) -> None:
    """By either way; a token that is used again has its new end."""
    alice = add(storage, "alice")
    user = User(alice, "alice", "hash of alice", None)
    storage.call(users.log_in, user, b"l" * 32, LATER, 60)
    assert columns(storage, "last_seen_at") == [LATER]
    storage.call(users.resume, token_of("alice"), LATER)
    assert tokens(storage) == [(alice, b"l" * 32), (alice, token_of("alice"))]
    ends = storage.call(lambda c: c.execute("SELECT expires_at FROM token ORDER BY expires_at").fetchall())
    assert ends == [("2026-11-21T09:32:00.000Z",), ("2026-12-21T09:31:00.000Z",)]


def test_the_oldest_tokens_give_way(storage: SqliteStorage) -> None:
    """No account has more than so many, however often it logs in; another's stay."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    user = User(alice, "alice", "hash of alice", None)
    hashes = [b"%032d" % n for n in range(TOKENS_PER_USER + 3)]
    for n, hash_ in enumerate(hashes):
        storage.call(users.log_in, user, hash_, f"2026-11-22T09:30:00.{n:03d}Z", DEFAULT_LIFETIME)
    assert tokens(storage) == [(bob, token_of("bob")), *((alice, hash_) for hash_ in hashes[3:])]


def test_the_tokens_longest_unused_give_way_whatever_their_lifetime(storage: SqliteStorage) -> None:
    """A short life is no old age: what was used last stays, though it ends first."""
    user = User(add(storage, "alice"), "alice", "hash of alice", None)
    lifetimes = [60, *[DEFAULT_LIFETIME] * (TOKENS_PER_USER - 1), 60]
    for n, lifetime in enumerate(lifetimes):
        storage.call(users.log_in, user, b"%032d" % n, f"2026-11-22T09:30:00.{n:03d}Z", lifetime)
    storage.call(users.log_in, user, b"new".ljust(32), "2026-11-22T09:30:01.000Z", DEFAULT_LIFETIME)
    kept = {hash_ for _, hash_ in tokens(storage)}
    assert kept == {*(b"%032d" % n for n in range(2, len(lifetimes))), b"new".ljust(32)}


def test_a_token_lives_on_for_its_own_lifetime(storage: SqliteStorage) -> None:
    """From its last use; at its end it is unknown."""
    user = User(add(storage, "alice"), "alice", "hash of alice", None)
    storage.call(users.log_in, user, b"s" * 32, NOW, 90)
    storage.call(users.resume, b"s" * 32, LATER)
    assert storage.call(users.resume, b"s" * 32, "2026-11-21T09:32:29.999Z").name == "alice"
    with pytest.raises(UnknownToken):
        storage.call(users.resume, b"s" * 32, "2026-11-21T09:33:59.999Z")


def test_a_login_without_a_token_pushes_none_out(storage: SqliteStorage) -> None:
    """It stores none either, and is a login all the same; so is a registration."""
    alice = add(storage, "alice")
    storage.call(users.log_in, User(alice, "alice", "hash of alice", None), None, LATER, 0)
    storage.call(users.register, "bob", "bob", "hash", None, LATER, 0)
    assert tokens(storage) == [(alice, token_of("alice"))]
    assert columns(storage, "last_seen_at") == [LATER, LATER]


def test_markers_of_many_move_at_once(storage: SqliteStorage) -> None:
    """Each to its own id, none back, none beyond the newest message, and nobody else's."""
    ids = [add(storage, name) for name in ("alice", "bob", "carol", "dora")]
    for n in range(3):
        say(storage, ids[0], f"{n}")
    storage.call(users.move_read_markers, [ids[1]], 3)
    storage.call(users.store_receipts, [Shown(user, 2, []) for user in ids[:2]] + [Shown(ids[2], MAX_ID, [])], NOW)
    assert columns(storage, "read_id") == [2, 3, 3, 0]
