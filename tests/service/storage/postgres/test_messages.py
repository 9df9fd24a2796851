"""service/storage/postgres/messages.py: pages of the main room and of talks, and what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.postgres import messages
from tests.support.long_history import MESSAGES, USERS
from tests.support.pg_statements import add, say
from tests.support.storage import LATER, NOW, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.storage.postgres.connection import Connection

    Count = Callable[[Callable[[Connection], object]], int]


def test_pages_go_either_way(connection: Connection) -> None:
    """The newest of before an id first, or the oldest of after it; the bounds are left out, and more is told."""
    alice, bob = add(connection, "alice", "bob")
    for number in range(3):
        say(connection, alice, f"all {number}")
        say(connection, alice if number else bob, f"direct {number}", to=bob if number else alice)
    talk = (bob, alice)
    cases = [
        (None, None, None, 2, [5, 3], True), (None, 5, None, 9, [3, 1], False), (None, None, 1, 1, [3], True),
        (talk, None, None, 2, [6, 4], True), (talk, None, 2, 9, [4, 6], False), ((bob, bob), None, None, 9, [], False),
    ]  # fmt: skip
    for which, before, after, limit, ids, more in cases:
        page = messages.history_page(connection, which, before, after, limit)
        assert (ids_of(page), page.more) == (ids, more)
    newest = messages.history_page(connection, talk, None, None, 1).messages[0]
    assert newest[2:] == ("alice", "bob", "direct 2", None, None, None)


def test_a_page_of_ids_has_their_order(connection: Connection) -> None:
    """As the search gives them: the newest first; an id that is gone is left out."""
    (alice,) = add(connection, "alice")
    say(connection, alice, "one", "two", "three")
    page = messages.page_of(connection, [3, 9, 1, 2], 3)
    assert ([message.body for message in page.messages], page.more) == (["three", "one"], True)


def test_what_is_seen_is_no_longer_missed(connection: Connection) -> None:
    """By ids, by one who wrote, or all up to an id; what is another's is left alone."""
    alice, bob, carol = add(connection, "alice", "bob", "carol")
    say(connection, alice, "1", "2", "3", to=bob)
    say(connection, carol, "4", "5", to=bob)
    say(connection, bob, "6", to=alice)

    def missed() -> list[int]:
        return ids_of(messages.missed_page(connection, bob, 9, 9))

    assert messages.mark_seen(connection, bob, [2, 6, 7], LATER)
    assert not messages.mark_seen(connection, bob, [2, 6, 7], LATER)
    assert missed() == [1, 3, 4, 5]
    assert messages.mark_seen_up_to(connection, bob, 4, LATER, from_id=carol)
    assert missed() == [1, 3, 5]
    assert messages.mark_seen_up_to(connection, bob, 3, LATER)
    assert missed() == [5]
    assert connection.run("SELECT * FROM seen ORDER BY id").fetchall() == [(n, LATER) for n in (1, 2, 3, 4)]
    assert ids_of(messages.missed_page(connection, alice, 9, 9)) == [6]


def test_unread_ones_are_counted_by_numbers(connection: Connection) -> None:
    """Those of others after the marker, wherever it is moved to; never back, and not beyond the newest."""
    alice, bob = add(connection, "alice", "bob")
    for turn in range(4):
        say(connection, alice, f"a{turn}", "more")
        say(connection, bob, f"b{turn}")

    def unread(user: int) -> int:
        ((count,),) = connection.run(
            "SELECT chat_head() - read_position - own_unread FROM marker WHERE user_id = %s", (user,)
        ).fetchall()
        return int(count)

    assert (unread(alice), unread(bob)) == (4, 8)
    for up_to, of_alice, of_bob in ((2, 4, 6), (6, 2, 4), (5, 2, 4), (10, 1, 1), (999, 0, 0)):
        assert messages.move_read_markers(connection, [alice, bob], up_to) == (up_to != 5)
        assert (unread(alice), unread(bob)) == (of_alice, of_bob)
    say(connection, alice, "after")
    assert (unread(alice), unread(bob)) == (0, 1)


def page(talk: tuple[int, int] | None, before: int | None, after: int | None) -> Callable[[Connection], object]:
    return lambda connection: messages.history_page(connection, talk, before, after, 50)


@pytest.mark.parametrize(
    "work",
    [
        page(None, None, None),
        page(None, MESSAGES // 2, None),
        page(None, None, 5),
        page((3, 2), None, None),
        page((3, 2), MESSAGES // 2, None),
        page((3, 2), None, 7),
        page((USERS + 1, USERS + 2), None, None),
        lambda connection: messages.missed_page(connection, 3, MESSAGES, 50),
        lambda connection: messages.mark_seen(connection, 3, range(1, 51), NOW),
    ],
)
def test_a_page_looks_at_its_own_messages(looked_at: Count, work: Callable[[Connection], object]) -> None:
    """However long the history is."""
    assert looked_at(work) <= 110  # a page of 50, and one more, once in each of two tables
