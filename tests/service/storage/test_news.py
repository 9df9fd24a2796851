"""service/storage/news.py: what lies in the table of events comes back as it was."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from service.storage import news
from service.storage.records import FOREVER, Deleted, MemberChange, RoomChange, RoomRef, RoomView

TIME = "2026-11-30T05:49:47.123Z"
OPS = RoomRef(7, "ops", TIME, private=True)
VIEW = RoomView(7, "ops", TIME, 'a "topic"\u2028', True, 3, 118, "owner", 2, 96, FOREVER, invited=True)
BANNED = MemberChange("ban", 2, "bob", TIME, "member", "alice", "spam", FOREVER, was_member=True, was_invited=True)
CHANGE = RoomChange(OPS, [BANNED], VIEW, 118, fresh=True, gone=True, ended=[3, 4], members=[5])
EVENTS: list[news.Event] = [
    news.RoomChanged(CHANGE),
    news.RoomChanged(RoomChange(None, [], VIEW, 2**63 - 1)),
    news.MessageDeleted(Deleted(18, TIME, True, (1, 2), OPS), "alice"),
    news.MessageDeleted(Deleted(18, TIME, True, None)),
    news.Renamed(2, "bob", "bobby", TIME),
    news.AccountClosed(2, "deleted-2", [CHANGE]),
    news.SessionsEnded(2, "logout", b"\x00\xff" * 16),
    news.WasRead(2, id=118, room="ops"),
    news.WasRead(2, id=118, is_main=True),
    news.WasRead(2, ids=[18, 21]),
    news.WasRead(2, id=118, with_name="alice"),
    news.Present(1, 2, "bob"),
    news.Absent(1, 2),
    news.NodeGone(1),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was(event: news.Event) -> None:
    """With the named tuples in it, which are made again of lists."""
    back = news.decode(news.encode(event))
    assert type(back) is type(event)
    assert news.encode(back) == news.encode(event)


def test_named_tuples_come_back_as_such() -> None:
    """What tells a change reads its fields by their names."""
    back = news.decode(news.encode(news.RoomChanged(CHANGE)))
    assert isinstance(back, news.RoomChanged)
    assert isinstance(back.change, RoomChange)
    assert back.change.changes[0].until == FOREVER
    assert back.change.room == OPS
    assert back.change.view == VIEW


def test_each_kind_of_event_is_tried() -> None:
    """A new one needs a line above."""
    assert {type(event) for event in EVENTS} == set(get_args(news.Event))


def test_an_unknown_event_is_refused() -> None:
    """So that whoever reads can log it and go on."""
    with pytest.raises(msgspec.DecodeError):
        news.decode('{"type":"of a later version"}')


def test_a_field_of_a_later_version_changes_nothing() -> None:
    """While services are upgraded one after the other, both versions run."""
    assert news.decode('{"type":"gone","node_id":1,"why":"?"}') == news.NodeGone(1)


def test_no_log_shows_a_text_or_a_hash() -> None:
    """A failed delivery is logged with its argument's name, and nobody's words."""
    posted = news.Posted(1, TIME, 2, "bob", "a secret")
    assert "secret" not in repr(posted)
    assert "token" not in repr(news.SessionsEnded(2, "logout", b"hash"))
