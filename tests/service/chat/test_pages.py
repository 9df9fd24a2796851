"""service/chat/pages.py: a page that was read before a loss and leaves after it."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType

from service.chat.pages import Losses, PageReply
from service.storage.records import RoomRef
from service.wire.protocol import (
    BansReply,
    ErrorReply,
    HistoryReply,
    MembersReply,
    MissedReply,
    RoomInfo,
    RoomsReply,
    SearchReply,
    SinceReply,
    StoredMessage,
)

ALICE, BOB = 1, 2
OPS, SECRET = RoomRef(5, "ops", "c", private=False), RoomRef(6, "secret", "c", private=True)


def entries(room: str | UnsetType = UNSET) -> list[StoredMessage]:
    return [
        StoredMessage(id=n, time="t", from_="alice", message=f"text {n}", kind="action", room=room) for n in (1, 2, 3)
    ]


def test_a_page_without_a_loss_meanwhile_holds() -> None:
    """Earlier ones, and those of other messages, rooms and users, change nothing."""
    losses = Losses()
    losses.add_text(2, "d")
    page = HistoryReply(room="ops", messages=entries("ops"), more=False)
    assert losses.amend(page, 1, ALICE) is None
    losses.add_text(9, "d")
    losses.add_room(ALICE, SECRET)
    losses.add_room(BOB, OPS)
    assert losses.amend(page, 1, ALICE) is None


@pytest.mark.parametrize(
    "page",
    [
        HistoryReply(messages=entries(), more=True, ref="r"),
        SinceReply(messages=entries(), more=True, time="t", ref="r"),
    ],
)
def test_in_what_is_in_order_the_entry_stays_without_its_text(page: HistoryReply | SinceReply) -> None:
    """As if it had been read after the deletion."""
    losses = Losses()
    losses.add_text(2, "d")
    amended = losses.amend(page, 0, ALICE)
    assert isinstance(amended, HistoryReply | SinceReply)
    assert (amended.more, amended.ref) == (True, "r")
    assert [(m.id, m.message, m.kind, m.deleted) for m in amended.messages] == [
        (1, "text 1", "action", UNSET),
        (2, "", UNSET, "d"),
        (3, "text 3", "action", UNSET),
    ]


@pytest.mark.parametrize("page", [SearchReply(query="q", messages=[], more=False), MissedReply([], more=False)])
def test_elsewhere_the_entry_is_left_out(page: SearchReply | MissedReply) -> None:
    """A deleted message is neither found nor missed."""
    page.messages, losses = entries(), Losses()
    losses.add_text(2, "d")
    amended = losses.amend(page, 0, ALICE)
    assert isinstance(amended, type(page))
    assert [message.id for message in amended.messages] == [1, 3]


@pytest.mark.parametrize(("room", "code"), [(OPS, "not_a_member"), (SECRET, "unknown_room")])
@pytest.mark.parametrize("user_id", [ALICE, None])
def test_a_page_of_a_room_that_is_lost_is_an_error(room: RoomRef, code: str, user_id: int | None) -> None:
    """As the command would get now; a room that is gone for everyone is unknown."""
    losses = Losses()
    losses.add_room(user_id, room, gone=user_id is None)
    pages: list[PageReply] = [
        HistoryReply(room=room.name, messages=[], more=False, ref="r"),
        SearchReply(query="q", room=room.name, messages=[], more=False, ref="r"),
        MembersReply(room=room.name, members=[], more=False, ref="r"),
        BansReply(room=room.name, bans=[], more=False, ref="r"),
    ]
    for page in pages:
        error = losses.amend(page, 0, ALICE)
        assert isinstance(error, ErrorReply)
        expected = code if user_id else "unknown_room"
        assert (error.code, error.command, error.ref) == (expected, page.__struct_config__.tag, "r")


@pytest.mark.parametrize(
    "page", [SearchReply(query="q", messages=[], more=False), SinceReply(messages=[], more=False, time="t")]
)
def test_of_all_rooms_the_rows_of_a_lost_one_are_left_out(page: SearchReply | SinceReply) -> None:
    """The others stay."""
    page.messages, losses = [*entries("ops"), *entries()], Losses()
    losses.add_room(ALICE, OPS)
    amended = losses.amend(page, 0, ALICE)
    assert isinstance(amended, type(page))
    assert [message.room for message in amended.messages] == [UNSET] * 3


def test_in_the_list_of_rooms_a_lost_one_is_as_a_strangers() -> None:
    """A private one is left out; a public one stays, without what was one's own."""
    rows = [
        RoomInfo(room=name, created="c", topic="", private=False, members=2, role="member", unread=1, read_id=0)
        for name in ("ops", "secret", "other")
    ]
    losses = Losses()
    losses.add_room(ALICE, OPS)
    losses.add_room(ALICE, SECRET)
    amended = losses.amend(RoomsReply(rooms=rows, more=False), 0, ALICE)
    assert isinstance(amended, RoomsReply)
    assert [(row.room, row.role, row.unread) for row in amended.rooms] == [
        ("ops", UNSET, UNSET),
        ("other", "member", 1),
    ]


def test_a_page_that_took_too_long_is_an_error() -> None:
    """More losses than are known are never taken for none."""
    losses = Losses(kept=2)
    for n in range(3):
        losses.add_text(10 + n, "d")
    assert losses.amend(MissedReply(entries(), more=False), 1, ALICE) is None
    error = losses.amend(MissedReply(entries(), more=False, ref="r"), 0, ALICE)
    assert isinstance(error, ErrorReply)
    assert (error.code, error.command, error.ref) == ("storage_unavailable", "missed", "r")
