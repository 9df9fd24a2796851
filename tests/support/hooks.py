"""Shared parts of the tests of webhooks: one that is made, and pieces of a text. Holds no test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.accounts.authentication import hash_token
from service.accounts.names import look_of
from service.storage.records import Hook, Post
from tests.support.storage import NOW

if TYPE_CHECKING:
    from service.storage.contract import AccountStorage, Storage

SECRET: Final = "the-secret"
HASH: Final = hash_token(SECRET)


def add_hook(storage: AccountStorage, name: str = "monitor", room: str | None = None, secret: str = SECRET) -> None:
    """Makes a webhook."""
    storage.result(storage.add_hook(name, look_of(name), room, hash_token(secret), NOW))


def known_hook(storage: Storage, secret: str = SECRET) -> Hook:
    """The webhook with that secret, which there is."""
    hook = storage.find_hook(hash_token(secret))
    assert hook is not None
    return hook


def pieces(*texts: str, key: str | None = None, room: str | None = None, created: str | None = None) -> list[Post]:
    """The pieces of one text; their nonces are the key and a number."""
    return [
        Post(None, text, None if key is None else f"{key}{n}", "notice", room, created) for n, text in enumerate(texts)
    ]
