"""service/storage/sqlite/since.py: pages of rooms, for those who may read them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from service.storage.records import NotAMember, Post, UnknownRoom
from service.storage.sqlite import blocks, since
from service.storage.statements import rooms
from tests.support.rooms import act, join, make_ops
from tests.support.storage import NOW, add, ids_of, make_room, run, say, skip_ids, store_posts

if TYPE_CHECKING:
    import sqlite3

    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize(
    ("before", "after", "limit", "expected", "more"),
    [
        (None, None, 2, [7, 5], True),
        (5, None, 2, [3, 1], False),
        (None, 3, 2, [5, 7], False),
        (7, 1, 1, [3], True),
        (1, None, 9, [], False),
    ],
)
def test_a_page_of_a_room(
    storage: SqliteStorage, before: int | None, after: int | None, limit: int, expected: list[int], more: bool
) -> None:
    """Its messages only, in the order of a page of the main room; each names the room."""
    alice = add(storage, "alice")
    make_room(storage, "ops", alice)
    for _ in range(4):
        store_posts(storage, alice, Post(None, "x", None, room="ops"))
        say(storage, alice, "to all")
    page = storage.room_page(alice, "ops", before, after, limit)
    assert (ids_of(page), page.more) == (expected, more)
    assert {(message.room, message.recipient) for message in page.messages} <= {("ops", None)}
    assert not [message for message in storage.history_page(None, None, None, 9).messages if message.room]


def test_only_members_read_a_room(storage: SqliteStorage) -> None:
    """Who is invited to a private one knows that it is there; a gone one is read by nobody."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    make_room(storage, "ops", alice)
    secret = make_room(storage, "secret", alice, private=True)

    def refusal(user: int, room: str) -> type[Exception] | None:
        try:
            storage.room_page(user, room, None, None, 9)
        except (NotAMember, UnknownRoom) as refused:
            return type(refused)
        return None

    assert [refusal(bob, room) for room in ("ops", "secret", "none")] == [NotAMember, UnknownRoom, UnknownRoom]
    run(storage, "INSERT INTO invitation VALUES (?, ?, NULL, ?)", secret, bob, NOW)
    assert [refusal(bob, "secret"), refusal(alice, "secret")] == [NotAMember, None]
    run(storage, "UPDATE room SET gone_at = ?", NOW)
    assert refusal(alice, "secret") is UnknownRoom


# -- all conversations ------------------------------------------------------------------------------------------------
def talk(storage: SqliteStorage) -> None:
    """Messages of all kinds between alice, bob and carol, who is in one room of two."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    make_room(storage, "ops", alice, bob, carol)
    make_room(storage, "dev", alice, bob)
    each = [
        (alice, None, None), (bob, None, "ops"), (bob, carol, None), (alice, None, "dev"), (carol, alice, None),
        (alice, bob, None), (carol, carol, None), (carol, None, "ops"), (bob, None, None), (bob, None, "dev"),
    ]  # fmt: skip
    for sender, to, room in each:
        store_posts(storage, sender, Post(to, "x", None, room=room))


def read(
    storage: SqliteStorage, user: int, after: int, limit: int = 9, *, rooms: bool = True
) -> tuple[list[int], bool]:
    page = storage.since_page(user, after, limit, rooms=rooms, deleted_after=None).page
    return ids_of(page), page.more


@pytest.mark.parametrize(
    ("user", "after", "limit", "rooms", "expected"),
    [
        (3, 0, 9, True, ([1, 2, 3, 5, 7, 8, 9], False)),
        (3, 0, 9, False, ([1, 3, 5, 7, 9], False)),
        (3, 2, 2, True, ([3, 5], True)),
        (3, 7, 2, True, ([8, 9], False)),
        (3, 9, 2, True, ([], False)),
        (2, 0, 4, True, ([1, 2, 3, 4], True)),
        (1, 3, 9, True, ([4, 5, 6, 8, 9, 10], False)),
    ],
)
def test_all_that_one_may_read_comes_in_order(
    storage: SqliteStorage, user: int, after: int, limit: int, rooms: bool, expected: tuple[list[int], bool]
) -> None:
    """The main room, one's rooms, and one's talks, one's own messages too; each once."""
    talk(storage)
    assert read(storage, user, after, limit, rooms=rooms) == expected


def test_pages_follow_each_other_over_eras(storage: SqliteStorage) -> None:
    """Whatever lies between: page by page comes what one page has."""
    talk(storage)
    for gap in (1 << blocks.ERA_BITS, 3 << blocks.ERA_BITS):
        skip_ids(storage, gap)
        for to, room in ((1, None), (None, "ops"), (None, None), (2, None), (3, None)):
            store_posts(storage, 3, Post(to, "x", None, room=room))
    for user in (1, 2, 3):
        whole, _ = read(storage, user, 0, 99)
        for limit in (1, 2, 3):
            found, after, more = [], 0, True
            while more:
                ids, more = read(storage, user, after, limit)
                found += ids
                after = ids[-1]
            assert found == whole


def test_a_row_tells_where_it_was_said(storage: SqliteStorage) -> None:
    """And that it was deleted."""
    talk(storage)
    storage.result(storage.delete_message(2, 2, None))
    rows = storage.since_page(3, 0, 3, rooms=True, deleted_after=None).page.messages
    assert [(row.room, row.recipient, row.body, row.deleted is None) for row in rows] == [
        (None, None, "x", True),
        ("ops", None, "", False),
        (None, "carol", "x", True),
    ]


def test_a_page_is_one_state_of_the_database(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed while it is read is in none of its parts, or a cursor could pass over a part of it."""
    talk(storage)
    kept = since._find_ids

    def find_ids(connection: sqlite3.Connection, *arguments: Any, **named: Any) -> list[int]:
        connection.execute("SELECT count(*) FROM era").fetchone()  # the state is that of the first read
        storage.store_posts(1, [Post(None, "late", None), Post(None, "late", None, room="ops")])
        storage.settle()
        return kept(connection, *arguments, **named)

    monkeypatch.setattr(since, "_find_ids", find_ids)
    assert read(storage, 3, 8) == ([9], False)
    monkeypatch.undo()
    assert read(storage, 3, 8) == ([9, 11, 12], False)


@pytest.mark.parametrize("page", ["room", "search", "members"])
def test_a_page_has_nothing_of_after_the_end_of_a_membership(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Also if a member is put out between the look at the membership and that at the rows."""
    ids = make_ops(storage, alice="owner", bob="member")
    kept = rooms.find_standing

    def go_on() -> None:
        act(storage, ids["alice"], "bob", "kick")
        join(storage, ids["zoe"])
        store_posts(storage, ids["alice"], Post(None, "late", None, room="ops"))
        storage.index_search()

    def find_standing(connection: sqlite3.Connection, user_id: int, room: str) -> rooms.Standing | None:
        standing = kept(connection, user_id, room)
        if user_id == ids["bob"]:
            with ThreadPoolExecutor(1) as others:  # whoever waits for a write gives up the connection
                others.submit(go_on).result()
        return standing

    monkeypatch.setattr(rooms, "find_standing", find_standing)
    if page == "members":
        assert [member.name for member in storage.members_page(ids["bob"], "ops", "", 9, ()).members] == [
            "alice",
            "bob",
        ]
    elif page == "search":
        assert storage.search_page("late", ids["bob"], None, None, 9, room="ops").messages == []
    else:
        assert storage.room_page(ids["bob"], "ops", None, None, 9).messages == []


# -- what was deleted meanwhile ---------------------------------------------------------------------------------------
def deleted(storage: SqliteStorage, user: int, after: int, moment: str, *, rooms: bool = True) -> list[int] | None:
    """What is told; None: too much."""
    news = storage.since_page(user, after, 1, rooms=rooms, deleted_after=moment)
    return None if news.deleted_more else list(news.deleted or ())


def test_deletions_are_told_to_who_may_read(storage: SqliteStorage) -> None:
    """Of what came before the cursor; those of rooms to members that know rooms."""
    talk(storage)
    for message_id in range(1, 11):
        storage.result(storage.delete_message(None, message_id, None))
    assert [deleted(storage, user, 10, NOW) for user in (1, 2, 3)] == [
        [1, 2, 4, 5, 6, 8, 9, 10],
        [1, 2, 3, 4, 6, 8, 9, 10],
        [1, 2, 3, 5, 7, 8, 9],
    ]
    assert deleted(storage, 3, 5, NOW, rooms=False) == [1, 3, 5]
    assert storage.since_page(3, 5, 1, rooms=True, deleted_after=None).deleted is None
    run(storage, "DELETE FROM member WHERE user_id = 2")
    assert deleted(storage, 2, 10, NOW) == [1, 3, 6, 9]  # not what was the own of a room, either


def test_too_many_deletions_are_not_told(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the edge; of others' only so many are looked at."""
    talk(storage)
    for message_id in range(1, 11):
        storage.result(storage.delete_message(None, message_id, None))
    for most, expected in ((7, [1, 2, 3, 5, 7, 8, 9]), (6, None)):
        monkeypatch.setattr(since, "MAX_DELETED", most)
        assert deleted(storage, 3, 10, NOW) == expected
    monkeypatch.setattr(since, "MAX_DELETED", 7)
    for looked_at, is_told in ((10, True), (9, False)):
        monkeypatch.setattr(since, "DELETED_LOOKED_AT", looked_at)
        assert (deleted(storage, 3, 10, NOW) is not None) == is_told


def test_no_deletion_is_missed_though_the_clock_is_set_back(storage: SqliteStorage) -> None:
    """Who asks from the time that the page or the login before had gets all later ones."""
    talk(storage)
    with freeze_time("2030-01-01"):
        storage.result(storage.delete_message(None, 1, None))
    moment = storage.since_page(3, 10, 1, rooms=True, deleted_after=NOW).time
    with freeze_time("2029-01-01"):
        storage.result(storage.delete_message(None, 2, None))
    assert deleted(storage, 3, 10, moment) == [1, 2]
