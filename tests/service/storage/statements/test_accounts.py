"""service/storage/statements/accounts.py: passwords, and the tokens that end with them or by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.records import PasswordChanged, User
from service.storage.statements import accounts
from tests.support.storage import EXPIRY, NOW, add, run, token_of

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


def tokens(storage: SqliteStorage) -> list[tuple[int, bytes]]:
    return run(storage, "SELECT user_id, hash FROM token ORDER BY expires_at, hash")


def test_a_logout_ends_its_token_alone(storage: SqliteStorage) -> None:
    """Another one of the account stays; one that is unknown changes nothing."""
    alice = add(storage, "alice")
    storage.result(storage.log_in(User(alice, "alice", "hash of alice", None), b"l" * 32, NOW, lifetime=60))
    for _ in range(2):
        storage.call(accounts.log_out, b"l" * 32)
    assert tokens(storage) == [(alice, token_of("alice"))]


def test_a_change_of_password_is_done_once(storage: SqliteStorage) -> None:
    """Of two that checked the same old password the second is refused, and changes neither hash nor tokens."""
    user = User(add(storage, "alice"), "alice", "hash of alice", None)
    storage.call(accounts.change_password, user, "first")
    storage.result(storage.log_in(user._replace(password_hash="first"), b"n" * 32, NOW, lifetime=60))
    with pytest.raises(PasswordChanged):
        storage.call(accounts.change_password, user, "second")
    assert run(storage, "SELECT password_hash FROM user WHERE id = ?", user.id) == [("first",)]
    assert tokens(storage) == [(1, b"n" * 32)]


def test_expired_tokens_are_counted(storage: SqliteStorage) -> None:
    """What ends at this very moment goes as well."""
    for name in ("alice", "bob"):
        add(storage, name)
    assert storage.call(accounts.delete_expired_tokens, NOW) == 0
    assert storage.call(accounts.delete_expired_tokens, EXPIRY) == 2
    assert tokens(storage) == []
