"""service/storage/statements/bans.py: a ban of a name that nobody has, and who gets that name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from service.storage.records import Banned
from service.storage.statements import bans
from tests.support.rooms import SOON, act, create, join, make_ops
from tests.support.storage import LATER, NOW, add, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.storage.contract import Write
    from service.storage.sqlite.engine import SqliteStorage


# How somebody comes to have the name yan.
WAYS: dict[str, Callable[[SqliteStorage], Write[Any]]] = {
    "register": lambda storage: storage.register("yan", "yan", "hash", None, NOW),
    "add": lambda storage: storage.add_user("yan", "yan", "hash", NOW),
    "rename": lambda storage: storage.rename_user("bert", "yan", "yan", LATER),
}


def test_a_name_banned_from_the_main_room_is_not_given(storage: SqliteStorage) -> None:
    """By no way, until the ban ends; nothing is made."""
    add(storage, "bert")
    with freeze_time(NOW) as clock:
        act(storage, None, "yan", "ban", None, until=SOON)
        for way in WAYS.values():
            with pytest.raises(Banned) as refused:
                storage.result(way(storage))
            assert (refused.value.name, refused.value.until) == ("yan", SOON)
        assert (storage.find_user("yan"), storage.find_user("bert") is None) == (None, False)
        clock.move_to(SOON)
        assert storage.result(storage.register("yan", "yan", "hash", None, SOON)).name == "yan"


@pytest.mark.parametrize("way", WAYS)
def test_a_ban_of_a_name_becomes_the_accounts(storage: SqliteStorage, way: str) -> None:
    """Whoever has the name from now on; it follows a rename then."""
    add(storage, "bert")
    ids = make_ops(storage, alice="owner")
    act(storage, ids["alice"], "yan", "ban")
    storage.result(WAYS[way](storage))
    yan: Any = storage.find_user("yan")
    with pytest.raises(Banned):
        join(storage, yan.id)
    storage.result(storage.rename_user("yan", "ivo", "ivo", LATER))
    assert [ban.name for ban in storage.bans_page(ids["alice"], "ops", "", 9).bans] == ["ivo"]
    assert act(storage, ids["alice"], "ivo", "unban").fresh
    assert join(storage, yan.id).fresh


def test_a_member_who_gets_a_banned_name_stays(storage: SqliteStorage) -> None:
    """Nobody is a member and banned; an invitation ends, and a ban of the account itself is not doubled."""
    ids = make_ops(storage, alice="owner", bert="member")
    for room in ("dev", "web"):
        create(storage, ids["alice"], room)
    act(storage, ids["alice"], "bert", "invite", "dev")
    act(storage, ids["alice"], "bert", "ban", "web", reason="own")
    for room in ("ops", "dev", "web"):
        act(storage, ids["alice"], "yan", "ban", room)
    storage.result(storage.rename_user("bert", "yan", "yan", LATER))
    assert run(storage, "SELECT room_id, user_id, name, reason FROM ban ORDER BY room_id") == [
        (2, ids["bert"], None, None),
        (3, ids["bert"], None, "own"),
    ]
    assert run(storage, "SELECT count(*) FROM invitation") == [(0,)]
    assert not join(storage, ids["bert"]).fresh


def test_a_ban_is_put_in_the_place_of_another(storage: SqliteStorage) -> None:
    """Of the same account or name in the same room; others stay."""
    make_ops(storage, alice="owner")
    ban = bans.Ban(SOON, "spam")
    for room_id, whom in ((1, 1), (1, "1"), (0, 1), (1, 1)):
        storage.call(bans.put, room_id, whom, ban, None, NOW)
    assert run(storage, "SELECT room_id, user_id, name FROM ban ORDER BY id") == [
        (1, None, "1"),
        (None, 1, None),
        (1, 1, None),
    ]
    assert storage.read(bans.find, 1, "1") == ban
    storage.call(bans.delete, 1, "1")
    assert storage.read(bans.find, 1, "1") is None
    assert storage.read(bans.find, 1, 1) == ban


def test_a_ban_holds_until_its_end(storage: SqliteStorage) -> None:
    """At that very moment no more."""
    make_ops(storage, alice="owner")
    storage.call(bans.put, 1, 1, bans.Ban(SOON, None), None, NOW)
    with pytest.raises(Banned) as refused:
        storage.read(bans.check, 1, 1, "2026-11-21T09:39:59.999Z", "alice")
    assert (refused.value.until, refused.value.name) == (SOON, "alice")
    storage.read(bans.check, 1, 1, SOON)
    storage.read(bans.check, 0, 1, NOW)
