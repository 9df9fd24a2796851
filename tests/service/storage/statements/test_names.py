"""Statements about names: which look alike, and whose they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.records import LooksAlike, NameTaken
from service.storage.statements import accounts, names
from tests.support.rooms import create
from tests.support.storage import LATER, NOW, add, put_account

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize(
    ("there", "new", "alike"),
    [
        ("zig1", "zigi", True),
        ("zigl", "zig1", True),
        ("zigi", "zigl", False),
        ("z1g1", "zlgi", True),
        ("a?c", "abc", False),
        ("abc", "a*", False),
        ("a[b]", "a[b]", True),
        ("ab", "a[b]", False),
    ],
)
def test_looks_are_compared_by_the_letter(storage: SqliteStorage, there: str, new: str, *, alike: bool) -> None:
    """A `1` is an i or an l, which are not each other; what GLOB takes for a wildcard is a character."""
    storage.result(storage.add_user("there", there, "x", NOW))
    if alike:
        with pytest.raises(LooksAlike):
            storage.read(names.check_free, "new", new)
    else:
        storage.read(names.check_free, "new", new)


def test_looks_of_rooms_are_compared_alike(storage: SqliteStorage) -> None:
    """With rooms only, and not with those that are gone."""
    create(storage, add(storage, "alice"), "w1ll")
    looks = ["will", "wlll", "w1ll", "wall", "alice"]
    assert [storage.read(names.is_room_alike, look) for look in looks] == [True, True, True, False, False]
    storage.result(storage.delete_room("w1ll"))
    assert not storage.read(names.is_room_alike, "w1ll")


def test_a_former_name_is_as_taken_as_a_present_one(storage: SqliteStorage) -> None:
    """It is refused, and so is what looks like it, though the account has another name now."""
    add(storage, "will")
    storage.call(accounts.rename, "will", "bert", "bert", LATER)
    with pytest.raises(NameTaken):
        storage.read(names.check_free, "will", "vvill")
    with pytest.raises(LooksAlike):
        storage.read(names.check_free, "w1ll", "w1ll")
    assert storage.call(lambda c: c.execute("SELECT name, look, ended_at FROM former_name").fetchall()) == [
        ("will", "will", LATER)
    ]


def test_accounts_with_some_looks_are_found(storage: SqliteStorage) -> None:
    """By the whole look, or by its beginning; a `1` counts as i and l; closed accounts are left out."""
    looks = ["al1", "ali", "all", "all2", "deleted", "de1eted-7", "delete", "deletee", "server7"]
    storage.call(lambda connection: [put_account(connection, look) for look in looks])
    add(storage, "zoe")
    storage.call(accounts.delete, "zoe", LATER)
    found = storage.read(names.find_alike, ["all", "server"], "deleted")
    assert found == ["al1", "all", "de1eted-7", "deleted"]
