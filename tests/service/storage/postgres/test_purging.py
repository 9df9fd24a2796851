"""service/storage/postgres/purging.py: old messages go, with all that is derived from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.postgres import fulltext, markers, messages, posting, purging, users
from service.storage.records import FOREVER, Post, UnknownRoom
from tests.support.pg_statements import add, make_room, rows, say
from tests.support.storage import LATER, NOW

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection

OLD = "2000-01-01T00:00:00.000Z"


def purge(connection: Connection, *, public: bool = True, direct: bool = True, room: str | None = None) -> list[int]:
    """Removes all that is old; returns how many messages each piece had."""
    pieces, after, more = [], 0, True
    while more:
        done = purging.purge_some(connection, LATER, after, public=public, direct=direct, room=room)
        assert done.after_id >= after
        pieces.append(done.removed)
        after, more = done.after_id, done.more
    return pieces


def make_old(connection: Connection) -> None:
    connection.run("UPDATE message SET sent_at = %s", (OLD,))


def test_what_is_old_goes_by_kind(connection: Connection) -> None:
    """Of the main room and others, or direct, or of one room; what is counted is what goes."""
    alice, bob = add(connection, "alice", "bob")
    make_room(connection, "ops", alice)
    for number in range(60):
        say(connection, alice, f"all {number}")
        say(connection, alice, f"direct {number}", to=bob)
        say(connection, alice, f"room {number}", room="ops")
    make_old(connection)
    say(connection, alice, "new")
    fulltext.index_some(connection)
    for public, direct, room, expected in ((True, False, None, 120), (False, True, None, 60), (True, True, "ops", 60)):
        assert purging.count_older(connection, LATER, public=public, direct=direct, room=room) == expected
    assert sum(purge(connection, room="ops")) == 60
    assert sum(purge(connection, public=False)) == 60
    assert rows(connection, "SELECT count(*) FROM unseen") == [(0,)]
    assert sum(purge(connection)) == 60
    assert rows(connection, "SELECT message FROM history") == [("new",)]
    assert rows(connection, "SELECT count(DISTINCT id) FROM search_word") == [(1,)]
    with pytest.raises(UnknownRoom):
        purge(connection, room="none")


def test_no_marker_counts_what_is_gone(connection: Connection) -> None:
    """Unread are the messages of others that are still there, after the marker, in the main room as in others."""
    alice, bob = add(connection, "alice", "bob")
    make_room(connection, "ops", alice, bob)
    for _ in range(3):
        for room in (None, "ops"):
            say(connection, alice, "x", "y", room=room)
            say(connection, bob, "z", room=room)
    markers.see_room_up_to(connection, alice, None, 1)
    markers.see_room_up_to(connection, alice, "ops", 5)
    connection.run("UPDATE message SET sent_at = %s WHERE id <= 9", (OLD,))
    assert purge(connection) == [9]

    def unread(user: int, name: str) -> tuple[int, int]:
        login = users._log_in(connection, (user, name, f"hash of {name}"), None, NOW, 60)
        return login.unread, login.rooms[0].unread

    # Left are y z in the main room's last turn and x y z before it: 10 to 12 are ops', 13 to 15 the main room's.
    assert (unread(alice, "alice"), unread(bob, "bob")) == ((1, 2), (2, 4))
    make_old(connection)
    assert sum(purge(connection)) == 9
    assert (unread(alice, "alice"), unread(bob, "bob")) == ((0, 0), (0, 0))
    say(connection, bob, "new")
    say(connection, bob, "new", room="ops")
    assert (unread(alice, "alice"), unread(bob, "bob")) == ((1, 1), (0, 0))
    assert messages.newest_given(connection) == 20


def test_a_purge_forgets_nonces_and_gives_no_id_again(connection: Connection) -> None:
    """A retry that is older than the retention may be stored anew."""
    (alice,) = add(connection, "alice")
    calls = [(alice, [Post(None, "text", "nonce")])]
    posting.store_posts(connection, calls)
    make_old(connection)
    assert purge(connection) == [1]
    assert purging.purge_some(connection, FOREVER, 0, public=True, direct=True).removed == 0
    posting.store_posts(connection, calls)
    assert rows(connection, "SELECT id, position FROM message") == [(2, 2)]


def test_the_last_before_a_time_is_found_by_halving(connection: Connection) -> None:
    """With gaps among the ids, at each place; nothing is before all, everything before the end of time."""
    (alice,) = add(connection, "alice")
    times = [f"2024-01-01T00:00:{second:02d}.000Z" for second in range(20)]
    for number, time in enumerate(times):
        connection.run(
            "INSERT INTO message (id, sender_id, sent_at, body) VALUES (%s, %s, %s, '')", (1 + number * 7, alice, time)
        )
    for number, time in enumerate([*times, FOREVER]):
        before = 1 + (number - 1) * 7 if number else 0
        assert rows(connection, "SELECT chat_last_before(%s)", time) == [(before,)]


def test_a_piece_is_bounded_by_its_work(connection: Connection) -> None:
    """Long texts are fewer at once, but never none."""
    (alice,) = add(connection, "alice")
    long = "x" * (purging.PIECE_CHARACTERS // 2)
    say(connection, alice, long, long, long, "short")
    make_old(connection)
    assert purge(connection) == [2, 2]
