"""service/storage/postgres/markers.py: read markers in rooms, and single talks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.postgres import markers, messages
from service.storage.records import NotAMember
from tests.support.pg_statements import add, make_room, rows, say
from tests.support.storage import LATER, ids_of

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection


def test_a_marker_in_a_room_counts_what_it_passes(connection: Connection) -> None:
    """Unread are those of others after it; it never goes back, and not beyond the newest id."""
    alice, bob = add(connection, "alice", "bob")
    ops = make_room(connection, "ops", alice, bob)
    for turn in range(3):
        say(connection, alice, f"a{turn}", "more", room="ops")
        say(connection, bob, f"b{turn}", room="ops")
        say(connection, alice, "to all")

    def unread(user: int) -> int:
        ((count,),) = rows(
            connection,
            "SELECT messages - read_position - own_unread FROM member JOIN room ON room.id = room_id "
            "WHERE room_id = %s AND user_id = %s",
            *(ops, user),
        )
        return int(count)

    assert (unread(alice), unread(bob)) == (3, 6)
    for up_to, result, of_alice, of_bob in ((2, 2, 3, 4), (4, 4, 2, 4), (3, 0, 2, 4), (9, 9, 1, 1), (99, 12, 0, 0)):
        assert [markers.see_room_up_to(connection, user, "ops", up_to) for user in (alice, bob)] == [result] * 2
        assert (unread(alice), unread(bob)) == (of_alice, of_bob)
    assert markers.see_room_up_to(connection, alice, None, 7) == 7
    assert rows(connection, "SELECT read_id, read_position FROM marker WHERE user_id = %s", alice) == [(7, 1)]


def test_only_a_member_has_a_marker(connection: Connection) -> None:
    """It is refused before anything changes."""
    alice, bob = add(connection, "alice", "bob")
    make_room(connection, "ops", alice)
    with pytest.raises(NotAMember):
        markers.see_room_up_to(connection, bob, "ops", 1)


def test_a_talk_is_seen_apart(connection: Connection) -> None:
    """What others wrote to the user stays unseen."""
    alice, bob, carol = add(connection, "alice", "bob", "carol")
    say(connection, alice, "1", "2", to=carol)
    say(connection, bob, "3", to=carol)
    assert markers.see_talk_up_to(connection, carol, alice, 99, LATER) == 3
    assert markers.see_talk_up_to(connection, carol, alice, 99, LATER) == 0
    assert ids_of(messages.missed_page(connection, carol, 9, 9)) == [3]
