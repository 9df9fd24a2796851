"""What a user who comes back is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import UNSET

from client.chat.summary import Summary
from service.wire.protocol import ErrorReply, History, HistoryReply, LoginOkReply, Missed, MissedReply, StoredMessage
from tests.support.events import login_ok, room_info

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENTER = "Enter alone, or NEW, shows "


def summary(missed: int, unread: int) -> Summary:
    return Summary(
        LoginOkReply(username="alice", users=["alice"], missed=missed, unread=unread, last_id=50, token="", time="")
    )


def stored(sender: str, time: str = "2026-11-20T17:02:00Z", to: str | None = None) -> StoredMessage:
    return StoredMessage(id=1, time=time, from_=sender, to=to or UNSET, message="hi")


def texts(summary: Summary) -> list[str]:
    return [line.text for line in summary.lines(NOW, datetime.fromisoformat)]


@pytest.mark.parametrize(
    ("missed", "unread", "expected"),
    [
        (0, 0, ["Nothing missed."]),
        (1, 0, ["1 direct message missed.", ENTER + "it."]),
        (0, 1, ["1 public message unread.", ENTER + "it."]),
        (2, 14, ["2 direct messages missed, 14 public.", ENTER + "them."]),
    ],
)
def test_by_the_counts_alone(missed: int, unread: int, expected: list[str]) -> None:
    """Before any page is there, the counts are told."""
    assert texts(summary(missed, unread)) == expected


@pytest.mark.parametrize(
    ("time", "since"),
    [
        ("2026-11-21T09:00:00Z", "09:00"),
        ("2026-11-20T17:02:00Z", "yesterday 17:02"),
        ("2026-11-02T17:02:00Z", "2 November 17:02"),
    ],
)
def test_from_whom_and_since_when(time: str, since: str) -> None:
    """The pages tell the senders, each once, and the time of the first unread message; own ones do not count."""
    told = summary(missed=3, unread=2)
    assert told.ask() == [Missed(limit=200), History(before=51, limit=12)]
    page = [stored("bob"), stored("carol", time), stored("alice"), stored("bob")]
    assert told.take(HistoryReply(messages=page, more=True), History(before=51, limit=12))
    assert not told.is_complete
    assert told.take(MissedReply(messages=[stored("bob"), stored("carol"), stored("bob")], more=False), Missed())
    assert texts(told)[0] == f"3 direct messages missed from bob and carol, 2 public since {since}."


def test_what_the_pages_do_not_tell() -> None:
    """With more unread than a page holds no time is given, a refusal is no harm, and later pages are not taken."""
    told = summary(missed=1, unread=500)
    missed, public = told.ask()
    assert public == History(before=51, limit=200)
    assert told.take(ErrorReply(code="internal", message="oh"), missed)
    assert told.take(HistoryReply(messages=[stored("bob")] * 200, more=True), public)
    assert texts(told)[0] == "1 direct message missed, 500 public."
    assert not told.take(HistoryReply(messages=[], more=False), public)


@pytest.mark.parametrize(
    ("missed", "unread", "expected"),
    [
        (0, 0, "8 messages unread in #dev and #ops."),
        (1, 14, "1 direct message missed, 14 public, 8 in #dev and #ops."),
    ],
)
def test_rooms_are_summed_up(missed: int, unread: int, expected: str) -> None:
    """With those that have something; where they stand apart it is said how to go there."""
    rooms = [room_info("dev", unread=3), room_info("ops", unread=5), room_info("quiet"), room_info("new", role="")]
    told = Summary(login_ok(missed=missed, unread=unread, rooms=rooms), is_divided=True)
    assert texts(told) == [expected, "Alt-A goes to the next with something new; TALK lists them."]
    assert not told.take(HistoryReply(messages=[], more=False), History(room="dev"))
