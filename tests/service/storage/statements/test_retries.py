"""service/storage/statements/retries.py: what is known of a message that comes once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import StorageFull
from service.storage.records import NonceReused, Post, Stored
from service.storage.statements import retries
from tests.support.storage import add, say

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


def test_a_full_storage_knows_its_retries(storage: SqliteStorage) -> None:
    """What is stored already is acknowledged again; the new and the changed are refused, each with its reason."""
    alice, full = add(storage, "alice"), StorageFull("full")
    say(storage, alice, "hi", nonce="n")
    posts = [Post(None, "hi", "n"), Post(None, "ho", "n"), Post(None, "new", "m"), Post(None, "new", None)]
    ((again, changed, *others),) = storage.call(retries.refuse_new, [(alice, posts)], full)
    assert isinstance(again, Stored)
    assert (again.id, again.fresh) == (1, False)
    assert isinstance(changed, NonceReused)
    assert others == [full, full]


def test_a_nonce_is_its_senders_alone(storage: SqliteStorage) -> None:
    """What another has stored with it is no retry; nor is what has none."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    say(storage, alice, "hi", nonce="n")
    assert storage.read(retries.find_stored, bob, Post(None, "hi", "n")) is None
    assert [storage.read(retries.is_used, *used) for used in ((alice, "n"), (bob, "n"), (alice, None))] == [
        True,
        False,
        False,
    ]
