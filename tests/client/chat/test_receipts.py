"""Only what was shown is confirmed as seen."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from client.chat.receipts import Receipts
from service.wire.protocol import History, LoginOkReply, Seen, StoredMessage

SEAM = 100


def after_login(*, missed: int = 0, unread: int = 0) -> Receipts:
    receipts = Receipts()
    receipts.start(
        LoginOkReply(username="alice", users=["alice"], missed=missed, unread=unread, last_id=SEAM, token="", time="")
    )
    return receipts


def messages(*ids: int, to: str | None = None, sender: str = "bob") -> list[StoredMessage]:
    return [StoredMessage(id=id_, time="", from_=sender, to=to or UNSET, message="") for id_ in ids]


def live_direct(receipts: Receipts, message_id: int) -> None:
    receipts.main.live(message_id)
    receipts.direct(message_id)


@pytest.mark.parametrize(("missed", "unread"), [(0, 0), (1, 0), (0, 1), (2, 2)])
def test_nothing_shown_nothing_said(missed: int, unread: int) -> None:
    """A login alone confirms nothing."""
    assert after_login(missed=missed, unread=unread).take() == []


def test_all_is_shown_so_the_marker_moves() -> None:
    """With nothing missed or unread, one `seen id` covers what came live; it is said once."""
    receipts = after_login()
    receipts.main.live(101)
    live_direct(receipts, 102)
    assert receipts.take() == [Seen(id=102)]
    assert receipts.take() == []


@pytest.mark.parametrize(("missed", "unread"), [(1, 0), (0, 1), (1, 1)])
def test_the_marker_waits_for_what_is_unshown(missed: int, unread: int) -> None:
    """While something below is unshown, live direct messages are confirmed one by one and public ones not."""
    receipts = after_login(missed=missed, unread=unread)
    receipts.main.live(101)
    live_direct(receipts, 102)
    assert receipts.take() == [Seen(ids=[102])]


def test_missed_pages_then_the_marker() -> None:
    """A page of missed messages is confirmed by ids while there are more; the last one frees the marker."""
    receipts = after_login(missed=3)
    receipts.main.live(101)
    receipts.missed_page(messages(5, 7, to="alice"), more=True)
    assert receipts.take() == [Seen(ids=[5, 7])]
    receipts.missed_page(messages(9, to="alice"), more=False)
    assert receipts.take() == [Seen(id=101)]


def test_missed_without_news_is_confirmed_by_ids() -> None:
    """With nothing live, the last missed page is confirmed by its ids: the marker stands where it stood."""
    receipts = after_login(missed=1)
    receipts.missed_page(messages(9, to="alice"), more=False)
    assert receipts.take() == [Seen(ids=[9])]


def test_unread_ones_are_counted_off_by_pages_that_join() -> None:
    """Unread public messages count as read as the pages shown reach back to them; own ones do not count."""
    receipts = after_login(unread=3)
    receipts.room_page(History(), messages(98) + messages(99, sender="alice") + messages(100), more=True)
    assert receipts.main.unread == 1
    assert receipts.take() == []
    receipts.room_page(History(before=98), messages(97), more=True)
    assert receipts.take() == [Seen(id=SEAM)]


def test_a_page_shown_twice_counts_once() -> None:
    """HISTORY typed twice does not count the same messages off twice."""
    receipts = after_login(unread=3)
    for _ in range(3):
        receipts.room_page(History(), messages(99, 100), more=True)
    assert receipts.main.unread == 1


def test_a_page_with_a_gap_above_reads_nothing() -> None:
    """A page that does not join what was shown leaves the unread ones between unread."""
    receipts = after_login(unread=3)
    receipts.room_page(History(before=50), messages(48, 49), more=False)
    assert receipts.main.unread == 3


def test_the_whole_history_leaves_nothing_unread() -> None:
    """A page with nothing before it ends the count, whatever it was."""
    receipts = after_login(unread=3)
    receipts.room_page(History(), messages(100), more=False)
    assert receipts.take() == [Seen(id=SEAM)]


def test_direct_messages_in_other_pages() -> None:
    """A missed direct message that was shown by HISTORY or SEARCH is confirmed; one to somebody else is not."""
    receipts = after_login(missed=2)
    receipts.page(messages(5, to="alice") + messages(6, to="bob", sender="alice") + messages(7))
    assert receipts.take() == [Seen(ids=[5])]


def test_ids_come_in_portions_without_twins() -> None:
    """At most 200 ids in one `seen`, each once."""
    receipts = after_login(missed=500)
    receipts.missed_page(messages(*range(1, 251), to="alice"), more=True)
    receipts.direct(7)
    assert receipts.take() == [Seen(ids=list(range(1, 201))), Seen(ids=list(range(201, 251)))]


def test_a_note_to_oneself_above_the_marker() -> None:
    """A direct message above everything that came live is confirmed by its id, beside the marker."""
    receipts = after_login()
    receipts.main.live(101)
    receipts.direct(105)
    assert receipts.take() == [Seen(id=101), Seen(ids=[105])]


def test_what_was_not_sent_is_given_again() -> None:
    """What `take` gave and the connection did not take comes once more, and so does the marker after a reconnect."""
    receipts = after_login()
    receipts.main.live(101)
    receipts.direct(105)
    taken = receipts.take()
    receipts.put_back(taken)
    assert receipts.take() == taken
    assert receipts.take() == []
    receipts.come_back(LoginOkReply(username="alice", users=[], missed=0, unread=1, last_id=101, token="", time=""))
    assert receipts.take() == [Seen(id=101)]


def test_each_conversation_is_confirmed_by_itself() -> None:
    """Where they stand apart: an unread room keeps no other one waiting, nor do direct messages."""
    receipts = after_login(missed=1)
    receipts.main_room = "lobby"
    receipts.of("#ops").start(0, SEAM)
    receipts.of("#dev").start(3, SEAM)
    receipts.main.live(101)
    receipts.of("#ops").live(102)
    receipts.of("#dev").live(103)
    receipts.direct(104)
    taken = receipts.take()
    assert taken == [Seen(room="lobby", id=101), Seen(room="ops", id=102), Seen(ids=[104])]
    receipts.put_back(taken[1:])
    assert receipts.take() == taken[1:]


def test_after_a_loss_only_what_the_server_has_not_is_confirmed_again() -> None:
    """It says with the login how far it knows."""
    receipts = after_login()
    receipts.main_room = "lobby"
    receipts.main.live(101)
    assert receipts.take() == [Seen(room="lobby", id=101)]
    for read, taken in ((100, [Seen(room="lobby", id=101)]), (101, [])):
        receipts.come_back(
            LoginOkReply(username="alice", users=[], missed=0, unread=0, last_id=101, time="", read_id=read)
        )
        assert receipts.take() == taken
