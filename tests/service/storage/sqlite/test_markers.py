"""service/storage/sqlite/markers.py: what is noted of members and rooms is what counting gives."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.storage.records import MAX_ID, NotAMember, Post, UnknownRoom
from service.storage.sqlite import integrity, markers, messages, posting, purging, schema
from service.storage.statements import ids
from tests.support.storage import LATER, NOW, add, make_room, run, say, store_posts, unread_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.sqlite.engine import SqliteStorage

USERS = (1, 2, 3)
NAMES = ("ops", "dev")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """To a database with three users in two rooms, in a transaction that is rolled back."""
    path = tmp_path_factory.mktemp("markers") / "chat.db"
    schema.prepare(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for user in USERS:
            connection.execute("INSERT INTO user VALUES (?1, ?1, 'x', '', '', 0, 0, NULL, '', 'member', NULL)", (user,))
        for room_id, name in enumerate(NAMES, 1):
            connection.execute("INSERT INTO room VALUES (?1, ?2, ?2, '', 0, '', NULL, 3, 0, 0)", (room_id, name))
            for user in USERS:
                connection.execute("INSERT INTO member VALUES (?, ?, 'member', '', NULL, 0, 0, 0)", (room_id, user))
        yield connection


def count_unread(connection: sqlite3.Connection, room_id: int, user_id: int) -> int:
    """By walking."""
    (count,) = connection.execute(
        "SELECT count(*) FROM message AS m JOIN member AS b ON b.room_id = m.room_id AND b.user_id = ?2 "
        "WHERE m.room_id = ?1 AND m.id > b.read_id AND m.sender_id <> ?2",
        (room_id, user_id),
    ).fetchone()
    return int(count)


def noted(connection: sqlite3.Connection) -> list[tuple[int, ...]]:
    """How many are unread, by room and user, as a login takes it from what is noted."""
    return connection.execute(
        "SELECT b.room_id, b.user_id, r.messages - b.read_position - b.own_unread "
        "FROM member AS b JOIN room AS r ON r.id = b.room_id ORDER BY 1, 2"
    ).fetchall()


names = st.sampled_from([*NAMES, None])
senders = st.sampled_from(USERS)
posts = st.tuples(st.just("post"), st.lists(st.tuples(senders, names), min_size=1, max_size=9))
sights = st.tuples(st.just("see"), st.tuples(senders, names, st.floats(0, 1.2)))
purges = st.tuples(st.just("purge"), st.tuples(st.sampled_from([*NAMES, None]), st.floats(0, 1)))


@given(st.lists(st.one_of(posts, posts, sights, sights, purges), max_size=20))
def test_what_is_noted_is_what_walking_gives(connection: sqlite3.Connection, steps: list[tuple[str, Any]]) -> None:
    """For every member, after any posts, sights and purges; `verify` finds no fault, and counting anew the same."""
    connection.execute("SAVEPOINT example")
    for kind, what in steps:
        newest = ids.newest_given(connection)
        if kind == "post":
            calls = [(sender, [Post(None, "x", None, room=name)]) for sender, name in what]
            posting.store_all(connection, calls)
            connection.execute("UPDATE message SET sent_at = printf('%09d', id)")
        elif kind == "see":
            user, name, part = what
            markers.see_room_up_to(connection, user, name, round(newest * part))
        else:
            name, part = what
            before = f"{round(newest * part):09}"
            after, more = 0, True
            while more:
                _, after, more = purging.purge_some(
                    connection, before, after, public=name is None, direct=False, room=name
                )
    walked = [(room, user, count_unread(connection, room, user)) for room in (1, 2) for user in USERS]
    assert noted(connection) == walked
    assert integrity._find_misfit(connection) == ""
    markers.count_anew(connection)
    assert noted(connection) == walked
    assert integrity._find_misfit(connection) == ""
    connection.execute("ROLLBACK TO example")
    connection.execute("RELEASE example")


def test_a_marker_moves_on_and_never_back(storage: SqliteStorage) -> None:
    """Nor beyond the newest id; whether it moved is told. The main room's is another, and sees no direct message."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ops = make_room(storage, "ops", alice, bob)
    store_posts(storage, alice, *[Post(None, "x", None, room="ops")] * 4)
    say(storage, alice, "direct", to="bob")
    moved = [storage.result(storage.see_room_up_to(bob, "ops", up_to)) for up_to in (2, 2, 1, MAX_ID, 9)]
    assert moved == [2, 0, 0, 5, 0]
    assert run(storage, "SELECT read_id, read_position FROM member WHERE user_id = ?", bob) == [(5, 4)]
    assert [storage.result(storage.see_room_up_to(bob, None, 9)) for _ in range(2)] == [5, 0]
    assert (unread_in(storage, bob, ops), storage.read(messages.count_waiting, bob)) == (0, (1, 0))


@pytest.mark.parametrize(("up_to", "unread"), [(1, 5), (4, 4), (6, 3), (9, 1), (10, 0)])
def test_own_messages_are_not_unread(storage: SqliteStorage, up_to: int, unread: int) -> None:
    """Before the marker or after it, whichever side is shorter."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ops = make_room(storage, "ops", alice, bob)
    for sender in (bob, alice, alice, bob, alice, bob, bob, alice, bob, bob):
        store_posts(storage, sender, Post(None, "x", None, room="ops"))
    storage.result(storage.see_room_up_to(alice, "ops", up_to))
    assert unread_in(storage, alice, ops) == unread


def test_who_is_no_member_has_no_marker(storage: SqliteStorage) -> None:
    """And of a private room there is no word."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    make_room(storage, "ops", alice)
    make_room(storage, "secret", alice, private=True)
    for name, refusal in (("ops", NotAMember), ("secret", UnknownRoom), ("none", UnknownRoom)):
        with pytest.raises(refusal):
            storage.result(storage.see_room_up_to(bob, name, 1))


def test_one_talk_is_seen(storage: SqliteStorage) -> None:
    """Up to an id: the other's messages, no others, and once."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    for sender in (bob, carol, bob, bob):
        say(storage, sender, "x", to="alice")
    told = [storage.result(storage.see_talk_up_to(alice, bob, 3, now)) for now in (NOW, LATER)]
    assert told == [3, 0]
    assert run(storage, "SELECT seen_at FROM message") == [(NOW,), (None,), (NOW,), (None,)]
    assert storage.result(storage.see_talk_up_to(alice, carol, 9, NOW)) == 4


def test_seeing_tells_whether_anything_has_changed(storage: SqliteStorage) -> None:
    """A direct message that was unseen, or a marker that moved; the second time neither."""
    alice, _ = add(storage, "alice"), add(storage, "bob")
    first, second = say(storage, alice, "1", to="bob"), say(storage, alice, "2", to="bob")
    assert [storage.result(storage.mark_seen(2, [first], NOW)) for _ in range(2)] == [True, False]
    assert [storage.result(storage.see_up_to(2, number, NOW)) for number in (first, second, second)] == [1, 2, 0]
    say(storage, alice, "all")
    assert [storage.result(storage.see_up_to(2, 9, NOW)) for _ in range(2)] == [3, 0]
