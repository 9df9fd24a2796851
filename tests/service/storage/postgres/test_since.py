"""service/storage/postgres/since.py: pages of rooms, and of all conversations, for those who may read them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from service.storage.postgres import deletion, messages, posting, since
from service.storage.records import MAX_DELETED, NotAMember, Post, UnknownRoom
from tests.support.long_history import MESSAGES, ROOMS
from tests.support.pg_statements import add, make_room
from tests.support.storage import NOW, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.storage.postgres.connection import Connection

    Count = Callable[[Callable[[Connection], object]], int]


def read_on(connection: Connection, user: int, limit: int, *, rooms: bool = True) -> list[int]:
    """All that the user may read, page by page."""
    ids: list[int] = []
    more = True
    while more:
        after = ids[-1] if ids else 0
        news = since.since_page(connection, user, after, limit, rooms=rooms, deleted_after=None)
        ids += ids_of(news.page)
        more = news.page.more
    return ids


def test_a_page_of_a_room_is_for_its_members(connection: Connection) -> None:
    """Its messages only, either way; who is no member gets none."""
    alice, bob = add(connection, "alice", "bob")
    make_room(connection, "ops", alice)
    posting.store_posts(connection, [(alice, [Post(None, "x", None, room="ops"), Post(None, "all", None)] * 4)])
    for before, after, limit, ids, more in ((None, None, 2, [7, 5], True), (None, 3, 2, [5, 7], False)):
        page = since.room_page(connection, alice, "ops", before, after, limit)
        assert (ids_of(page), page.more) == (ids, more)
        assert {message.room for message in page.messages} == {"ops"}
    with pytest.raises(NotAMember):
        since.room_page(connection, bob, "ops", None, None, 9)
    with pytest.raises(UnknownRoom):
        since.room_page(connection, bob, "dev", None, None, 9)


@pytest.mark.parametrize("seed", range(4))
def test_pages_of_all_conversations_leave_nothing_out(connection: Connection, seed: int) -> None:
    """Whatever the page's size and however the messages lie among many rooms, each page goes on where one ended."""
    chance = Random(seed)
    alice, bob, carol = add(connection, "alice", "bob", "carol")
    rooms = [f"room{number}" for number in range(30)]
    for number, name in enumerate(rooms):
        make_room(connection, name, *((alice, bob) if number % 3 else (bob,)))
    readable: list[int] = []
    in_rooms: list[int] = []
    for number in range(1, 500):
        sender = chance.choice((alice, bob))
        busy = rooms[: chance.choice((2, 4, 30))]
        places: list[tuple[str | None, int | None]] = [(None, None), (chance.choice(busy), None), (None, alice)]
        room, to = chance.choice([*places, (None, carol)])
        if room is not None and rooms.index(room) % 3 == 0:
            sender = bob
        posting.store_posts(connection, [(sender, [Post(to, "x", None, room=room)])])
        if room is not None and rooms.index(room) % 3:
            in_rooms.append(number)
        elif room is None and (to is None or alice in {sender, to}):
            readable.append(number)
    for limit in (1, 7, 50, 200, 500):
        assert read_on(connection, alice, limit) == sorted(readable + in_rooms)
        assert read_on(connection, alice, limit, rooms=False) == readable


def test_what_was_deleted_is_told_to_who_may_read_it(connection: Connection) -> None:
    """Of what came before the cursor, and from that time on; too much of it is not told one by one."""
    alice, bob, carol = add(connection, "alice", "bob", "carol")
    make_room(connection, "ops", alice, bob)
    posts = [Post(None, "x", None), Post(bob, "x", None), Post(None, "x", None, room="ops"), Post(carol, "x", None)]
    posting.store_posts(connection, [(alice, posts * 2)])
    times = [deletion.delete(connection, None, number, None).time for number in (1, 2, 3, 4, 7)]

    def deleted(user: int, after: int, *, rooms: bool = True, from_time: str = "") -> object:
        return since.since_page(connection, user, after, 9, rooms=rooms, deleted_after=from_time).deleted

    assert deleted(bob, 8) == [1, 2, 3, 7]
    assert deleted(bob, 8, rooms=False) == [1, 2]
    assert deleted(bob, 3) == [1, 2, 3]
    assert deleted(carol, 8) == [1, 4]
    assert deleted(bob, 8, from_time=times[-1]) in ([7], [1, 2, 3, 7])  # all may be of one millisecond
    news = since.since_page(connection, bob, 8, 9, rooms=True, deleted_after=None)
    assert (news.deleted, news.time >= times[-1]) == (None, True)


def test_too_many_deletions_are_said_to_be(connection: Connection) -> None:
    """Over the limit none is named."""
    (alice,) = add(connection, "alice")
    for more in (0, 1):
        connection.run("DELETE FROM message")
        connection.run(
            "INSERT INTO message (id, sender_id, sent_at, body, deleted_at) "
            "SELECT n, %s, %s, '', %s FROM generate_series(1, %s) AS n",
            (alice, NOW, NOW, MAX_DELETED + more),
        )
        news = since.since_page(connection, alice, 9_999, 9, rooms=True, deleted_after=NOW)
        assert (len(news.deleted or ()), news.deleted_more) == ((0, True) if more else (MAX_DELETED, False))


@pytest.mark.parametrize("after", [0, MESSAGES // 2, MESSAGES - 300])
def test_a_page_looks_at_a_few_messages_of_each_room(looked_at: Count, after: int) -> None:
    """A user of 200 rooms: not all that was said there since."""
    work = lambda connection: since.since_page(connection, 3, after, 200, rooms=True, deleted_after=NOW)  # noqa: E731
    assert looked_at(work) <= ROOMS * since.FIRST_OF_ROOM + 5 * 201 + 26 * 201


@pytest.mark.parametrize(("before", "after"), [(None, None), (MESSAGES // 2, None), (None, 5)])
def test_a_page_of_a_room_looks_at_its_own_messages(looked_at: Count, before: int | None, after: int | None) -> None:
    """However much else was said meanwhile."""
    # A transaction is under way already, so the page is read without one_state's.
    order = "DESC" if after is None else "ASC"
    values = {"room": 3, "after": after or 0, "before": before or MESSAGES}
    work = lambda connection: messages.read_page(connection, since._ROOM.format(order), values, 50, order)  # noqa: E731
    assert looked_at(work) <= 51
