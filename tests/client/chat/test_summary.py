"""What who comes back is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import UNSET

from client.chat.summary import Arrival
from service.wire.protocol import ErrorReply, History, HistoryReply, LoginOkReply, Missed, MissedReply, StoredMessage

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENTER = "Enter alone, or NEW, shows "


def arrival(missed: int, unread: int) -> Arrival:
    return Arrival(
        LoginOkReply(username="alice", users=["alice"], missed=missed, unread=unread, last_id=50, token="", time="")
    )


def stored(sender: str, time: str = "2026-11-20T17:02:00Z", to: str | None = None) -> StoredMessage:
    return StoredMessage(id=1, time=time, from_=sender, to=to or UNSET, message="hi")


def summary(come: Arrival) -> list[str]:
    return [line.text for line in come.summary(NOW, datetime.fromisoformat)]


@pytest.mark.parametrize(
    ("missed", "unread", "texts"),
    [
        (0, 0, ["Nothing missed."]),
        (1, 0, ["1 direct message missed.", ENTER + "it."]),
        (0, 1, ["1 public message unread.", ENTER + "it."]),
        (2, 14, ["2 direct messages missed, 14 public.", ENTER + "them."]),
    ],
)
def test_by_the_counts_alone(missed: int, unread: int, texts: list[str]) -> None:
    """Before any page is there, the counts are told."""
    assert summary(arrival(missed, unread)) == texts


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
    come = arrival(missed=3, unread=2)
    assert come.ask() == [Missed(limit=200), History(before=51, limit=12)]
    page = [stored("bob"), stored("carol", time), stored("alice"), stored("bob")]
    assert come.take(HistoryReply(messages=page, more=True), History(before=51, limit=12))
    assert not come.is_complete
    assert come.take(MissedReply(messages=[stored("bob"), stored("carol"), stored("bob")], more=False), Missed())
    assert summary(come)[0] == f"3 direct messages missed from bob and carol, 2 public since {since}."


def test_what_the_pages_do_not_tell() -> None:
    """With more unread than a page holds no time is given, a refusal is no harm, and later pages are not taken."""
    come = arrival(missed=1, unread=500)
    missed, room = come.ask()
    assert room == History(before=51, limit=200)
    assert come.take(ErrorReply(code="internal", message="oh"), missed)
    assert come.take(HistoryReply(messages=[stored("bob")] * 200, more=True), room)
    assert summary(come)[0] == "1 direct message missed, 500 public."
    assert not come.take(HistoryReply(messages=[], more=False), room)
