"""How far one conversation was read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.chat.marker import Marker
from service.wire.protocol import History
from tests.support.events import stored

SEAM = 100


def marker(unread: int = 0) -> Marker:
    made = Marker()
    made.start(unread, SEAM)
    return made


def miss(to: Marker, *ids: int, is_mention: bool = False) -> None:
    for message_id in ids:
        to.miss(message_id, is_mention=is_mention)


def show(to: Marker, asked: History, *ids: int, more: bool = True) -> None:
    to.page(asked, [stored(message_id) for message_id in ids], "alice", more=more)


def test_what_came_while_another_one_was_held_is_unread() -> None:
    """It is read by the page that shows it, and only then confirmed."""
    one = marker()
    one.live(101)
    miss(one, 102, 103, is_mention=True)
    assert (one.unread, one.mentions, one.take()) == (2, 2, 101)
    show(one, History(), 101, 102, 103)
    assert (one.unread, one.mentions, one.take(), one.take()) == (0, 0, 103, None)


def test_a_page_that_is_too_short_leaves_the_older_ones_unread() -> None:
    """They are read as the pages go down, and nothing above is confirmed before."""
    one = marker(unread=2)
    miss(one, 101, 102, 103)
    show(one, History(), 102, 103)
    assert (one.unread, one.take()) == (3, None)
    show(one, History(before=102), 90, 99, 101)
    assert (one.unread, one.take()) == (0, 103)


def test_what_was_shown_between_unread_ones_does_not_count_twice() -> None:
    """A conversation that was left half read, and missed more: never is something confirmed that was not shown."""
    one = marker()
    miss(one, 101, 102, 103)
    show(one, History(), 103)
    one.live(104)
    miss(one, 105)
    show(one, History(), 103, 104, 105)
    assert (one.unread > 0, one.take()) == (True, None)
    show(one, History(before=103), 100, 101, 102)
    assert (one.unread, one.take()) == (0, 105)


@pytest.mark.parametrize(("read", "left"), [(100, 3), (102, 1), (103, 0), (500, 0)])
def test_another_session_reads(read: int, left: int) -> None:
    """What it has shown is unread no more here."""
    one = marker()
    miss(one, 101, 102, 103, is_mention=True)
    one.read(read)
    assert (one.unread, one.mentions) == (left, left)


def test_of_what_was_unread_at_the_login_only_the_number_is_known() -> None:
    """Another session that read a part of it changes nothing; one that read all does."""
    one = marker(unread=5)
    one.read(50)
    assert one.unread == 5
    one.read(SEAM)
    assert (one.unread, one.take()) == (0, None)


def test_single_messages_are_read() -> None:
    """Each once; one that is not known to be unread changes nothing."""
    one = marker()
    miss(one, 101, 102)
    for message_id in (101, 101, 7):
        one.read_one(message_id)
    assert one.unread == 1


def test_the_divider_stands_where_unread_begins() -> None:
    """In the page that holds it; own messages are never unread."""
    one = marker()
    miss(one, 101)
    one.live(102, is_own=True)
    miss(one, 103)
    page = [stored(99), stored(101), stored(102, sender="alice"), stored(103)]
    assert one.first_unread(History(), page, "alice") == 101
    assert one.first_unread(History(before=50), page, "alice") is None
    assert one.first_unread(History(), page[3:], "alice") is None


def test_a_gap_above_a_page_reads_nothing() -> None:
    """Nor does a page that goes forward."""
    one = marker(unread=3)
    show(one, History(before=50), 48, 49, more=False)
    show(one, History(after=50), 51, 52, more=False)
    assert one.unread == 3


@given(
    unread=st.integers(0, 6),
    steps=st.lists(st.sampled_from(["live", "miss", "own", "newest 1", "newest 3", "older 2", "take"]), max_size=40),
)
def test_nothing_is_confirmed_that_was_not_shown(unread: int, steps: list[str]) -> None:
    """Whatever comes while the conversation is held or is not; and once all was shown, nothing is unread."""
    one, said, shown = marker(unread), dict.fromkeys(range(SEAM - 9, SEAM + 1), "bob"), set[int]()
    shown.update(sorted(said)[: 10 - unread])

    def page(before: int, limit: int) -> bool:
        asked = History(before=before) if before <= max(said) else History()
        wanted = sorted(message_id for message_id in said if message_id < before)
        messages = [stored(message_id, sender=said[message_id]) for message_id in wanted[-limit:]]
        one.page(asked, messages, "alice", more=len(wanted) > limit)
        shown.update(message.id for message in messages)
        return len(wanted) > limit

    for step in [*steps, "take"]:
        new = max(said) + 1
        if step in {"live", "miss", "own"}:
            said[new] = "alice" if step == "own" else "bob"
            if step == "miss":
                one.miss(new, is_mention=False)
            else:
                one.live(new, is_own=step == "own")
                shown.add(new)
        elif step == "older 2":
            page(one.covered, 2)
        elif step != "take":
            page(new, int(step[-1]))
        elif taken := one.take():
            assert {message_id for message_id in said if message_id <= taken} <= shown
        assert one.unread >= len(said.keys() - shown)
    more = True
    while more:
        more = page(one.covered, 2)
    assert (one.unread, one.take() in {None, max(said)}) == (0, True)
