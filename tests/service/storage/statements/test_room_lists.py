"""service/storage/statements/room_lists.py: which rooms, members and bans somebody may see, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from service.storage.records import FOREVER, BanView, KeptRoom, NotAllowed, NotAMember, Post, UnknownRoom
from service.storage.statements import room_lists
from tests.support.rooms import SOON, act, create, join, make_ops
from tests.support.storage import LATER, NOW, add, run, store_posts, token_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from service.storage.records import Role
    from service.storage.sqlite.engine import SqliteStorage


def read_all(page: Callable[[str], tuple[list[str], bool]]) -> list[str]:
    """Reads pages from the first to the last; returns the names."""
    names: list[str] = []
    more = True
    while more:
        found, more = page(names[-1] if names else "")
        names += found
    return names


def test_rooms_are_listed_by_name(storage: SqliteStorage) -> None:
    """The public ones, her own and those that she is invited to; with what concerns her where she is a member."""
    alice, zoe = add(storage, "alice"), add(storage, "zoe")
    for name, private in (("d", True), ("b", False), ("a", True), ("c", False), ("e", True)):
        create(storage, alice, name, private=private)
    act(storage, alice, "zoe", "invite", "a")
    act(storage, alice, "zoe", "invite", "e")
    for name in ("c", "e"):
        join(storage, zoe, name)
    store_posts(storage, alice, Post(None, "hi", None, room="c"))
    page = storage.rooms_page(zoe, "", 9)
    assert [(room.name, room.role, room.invited, room.unread) for room in page.rooms] == [
        *(("a", None, True, 0), ("b", None, False, 0), ("c", "member", False, 1), ("e", "member", False, 0))
    ]

    def names(after: str) -> tuple[list[str], bool]:
        page = storage.rooms_page(zoe, after, 2)
        return [room.name for room in page.rooms], page.more

    assert read_all(names) == ["a", "b", "c", "e"]
    assert names("b") == (["c", "e"], False)


def test_a_login_has_the_rooms(storage: SqliteStorage) -> None:
    """Hers and those that she is invited to, by name, as the pages have them; no other public ones."""
    ids = make_ops(storage, alice="owner", bob="member")
    for name in ("a", "z", "q"):
        create(storage, ids["alice"], name, private=True)
    act(storage, ids["alice"], "bob", "invite", "a")
    act(storage, ids["alice"], "bob", "invite", "z")
    create(storage, ids["alice"], "public")
    join(storage, ids["bob"], "z")
    act(storage, ids["alice"], "bob", "mute", until=FOREVER)
    store_posts(storage, ids["alice"], *[Post(None, "hi", None, room="ops")] * 3)
    login = storage.result(storage.resume(token_of("bob"), NOW))
    assert [(room.name, room.role, room.unread, room.last_id, room.muted_until) for room in login.rooms] == [
        ("a", None, 0, 0, None),
        ("ops", "member", 3, 3, FOREVER),
        ("z", "member", 0, 0, None),
    ]
    assert [room for room in storage.rooms_page(ids["bob"], "", 9).rooms if room.name != "public"] == login.rooms


@pytest.mark.sqlite
def test_a_login_reads_all_rooms_at_once(storage: SqliteStorage) -> None:
    """With one statement, however many there are, and one for the invitations."""
    alice = add(storage, "alice")
    for name in "abcde":
        create(storage, alice, name)

    def read(connection: sqlite3.Connection) -> int:
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        assert len(room_lists.own_rooms(connection, alice, NOW)) == 5
        connection.set_trace_callback(None)
        return len(statements)

    assert storage.call(read) == 2


def test_a_mute_that_has_ended_is_none(storage: SqliteStorage) -> None:
    """By the clock, in a page as in a login."""
    ids = make_ops(storage, alice="owner", bob="member")
    with freeze_time(NOW) as clock:
        act(storage, ids["alice"], "bob", "mute", until=SOON)
        for now, until in ((LATER, SOON), (SOON, None)):
            clock.move_to(now)
            assert storage.rooms_page(ids["bob"], "", 9).rooms[0].muted_until == until
            assert storage.read(room_lists.own_rooms, ids["bob"], now)[0].muted_until == until


def test_members_are_listed_by_name(storage: SqliteStorage) -> None:
    """In code point order, with their role and mute, and the rank of who asks."""
    roles: dict[str, Any] = {"bob": "owner", "alice": "member", "émile": "moderator", "carl": "member"}
    ids = make_ops(storage, **roles)
    act(storage, ids["bob"], "carl", "mute", until=SOON)

    def names(after: str) -> tuple[list[str], bool]:
        page = storage.members_page(ids["alice"], "ops", after, 2, ())
        return [member.name for member in page.members], page.more

    assert read_all(names) == ["alice", "bob", "carl", "émile"]
    page = storage.members_page(ids["bob"], "ops", "bob", 1, ())
    assert (page.rank, page.more) == ("owner", True)
    assert page.members == [(ids["carl"], "carl", "member", SOON)]


def test_members_are_shown_to_members(storage: SqliteStorage) -> None:
    """And, of a public room, to who ranks higher in the main one; who is invited only is no member."""
    ids = make_ops(storage, alice="owner")
    act(storage, ids["alice"], "zoe", "invite")
    with pytest.raises(NotAMember):
        storage.members_page(ids["zoe"], "ops", "", 9, ())
    act(storage, None, "zoe", "role", None, role="moderator")
    assert storage.members_page(ids["zoe"], "ops", "", 9, ()).rank == "moderator"
    storage.result(storage.set_room(ids["alice"], "ops", private=True))
    with pytest.raises(UnknownRoom):
        storage.members_page(ids["zoe"], "ops", "", 9, ())


@pytest.mark.parametrize(
    ("role", "expected"),
    [("member", ["bob", "carl", "dora", "fay"]), ("moderator", ["alice", "bob", "carl", "dora", "eve", "fay"])],
)
def test_the_main_room_shows_who_is_there(storage: SqliteStorage, role: Role, expected: list[str]) -> None:
    """And who has a role; its moderators see all accounts, but none that is closed."""
    for name in ("eve", "dora", "carl", "bob", "alice", "fay", "gone"):
        add(storage, name)
    for name in ("bob", "fay"):
        act(storage, None, name, "role", None, role="owner")
    storage.result(storage.delete_user("gone", LATER))
    asking = "dora" if role == "member" else "bob"
    user: Any = storage.find_user(asking)

    def names(after: str) -> tuple[list[str], bool]:
        page = storage.members_page(user.id, None, after, 2, ["fay", "dora", "carl", "server", "gone"])
        return [member.name for member in page.members], page.more

    assert read_all(names) == expected


def test_bans_are_listed_by_name(storage: SqliteStorage) -> None:
    """Those that hold, of accounts and of names, with who, why and until when."""
    ids = make_ops(storage, alice="owner")
    with freeze_time(NOW) as clock:
        act(storage, ids["alice"], "zoe", "ban", reason="spam")
        act(storage, None, "adam", "ban", until=SOON)
        act(storage, ids["alice"], "eve", "ban", until=LATER)
        clock.move_to(LATER)
        page = storage.bans_page(ids["alice"], "ops", "", 9)
        assert page.bans == [
            BanView("adam", None, None, NOW, SOON),
            BanView("zoe", "alice", "spam", NOW, FOREVER),
        ]
        first = storage.bans_page(ids["alice"], "ops", "", 1)
        assert ([ban.name for ban in first.bans], first.more) == (["adam"], True)
        assert [ban.name for ban in storage.bans_page(ids["alice"], "ops", "adam", 1).bans] == ["zoe"]
        assert storage.bans_page(ids["alice"], "ops", "zoe", 1) == ([], False)


def test_bans_are_shown_to_moderators(storage: SqliteStorage) -> None:
    """Of the room, or of the main one."""
    ids = make_ops(storage, alice="owner", bob="member", carl="moderator")
    act(storage, None, "eve", "ban", None)
    for room in ("ops", None):
        with pytest.raises(NotAllowed):
            storage.bans_page(ids["bob"], room, "", 9)
    with pytest.raises(NotAMember):
        storage.bans_page(ids["zoe"], "ops", "", 9)
    assert storage.bans_page(ids["carl"], "ops", "", 9).bans == []
    act(storage, None, "bob", "role", None, role="moderator")
    assert [ban.name for ban in storage.bans_page(ids["bob"], None, "", 9).bans] == ["eve"]


def test_an_operator_sees_all_rooms(storage: SqliteStorage) -> None:
    """Private ones, too, and those that are gone if asked; of one name the older first, a page at a time."""
    ids = make_ops(storage, private=True, alice="owner")
    store_posts(storage, ids["alice"], Post(None, "hi", None, room="ops"))
    with freeze_time(LATER):
        storage.result(storage.delete_room("ops"))
        create(storage, ids["alice"], "ops")
        create(storage, ids["alice"], "dev")
    gone = KeptRoom("ops", NOW, "", private=True, members=0, messages=1, gone_at=LATER)
    made = [KeptRoom(name, LATER, "", private=False, members=1, messages=0, gone_at=None) for name in ("dev", "ops")]
    assert storage.all_rooms(("", ""), 9, gone=False) == made
    assert storage.all_rooms(("", ""), 9, gone=True) == [made[0], gone, made[1]]
    assert storage.all_rooms(("ops", NOW), 9, gone=True) == made[1:]
    assert storage.all_rooms(("dev", LATER), 1, gone=True) == [gone]


def test_a_count_is_never_below_zero(storage: SqliteStorage) -> None:
    """Not even where a row was changed by hand."""
    ids = make_ops(storage, alice="owner")
    run(storage, "UPDATE member SET own_unread = 7")
    assert storage.rooms_page(ids["alice"], "", 9).rooms[0].unread == 0
