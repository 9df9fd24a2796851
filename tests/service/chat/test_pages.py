"""service/chat/pages.py: a page that was read before a deletion and leaves after it."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from service.chat.pages import Deletions, PageReply
from service.wire.protocol import ErrorReply, HistoryReply, MissedReply, SearchReply, StoredMessage


def entries() -> list[StoredMessage]:
    return [StoredMessage(id=n, time="t", from_="alice", message=f"text {n}", kind="action") for n in (1, 2, 3)]


def test_a_page_without_a_deletion_meanwhile_holds() -> None:
    """Earlier deletions, and those of other messages, change nothing."""
    deletions = Deletions()
    deletions.add(2, "d")
    page = HistoryReply(messages=entries(), more=False)
    assert deletions.amend(page, since=1) is None
    deletions.add(9, "d")
    assert deletions.amend(page, since=1) is None


def test_in_a_history_the_entry_stays_without_its_text() -> None:
    """As if it had been read after the deletion."""
    deletions = Deletions()
    deletions.add(2, "d")
    page = deletions.amend(HistoryReply(messages=entries(), more=True, ref="r"), since=0)
    assert isinstance(page, HistoryReply)
    assert (page.more, page.ref) == (True, "r")
    assert [(m.id, m.message, m.kind, m.deleted) for m in page.messages] == [
        (1, "text 1", "action", UNSET),
        (2, "", UNSET, "d"),
        (3, "text 3", "action", UNSET),
    ]


@pytest.mark.parametrize("page", [SearchReply(query="q", messages=[], more=False), MissedReply([], more=False)])
def test_elsewhere_the_entry_is_left_out(page: PageReply) -> None:
    """A deleted message is neither found nor missed."""
    page.messages, deletions = entries(), Deletions()
    deletions.add(2, "d")
    amended = deletions.amend(page, since=0)
    assert isinstance(amended, type(page))
    assert [message.id for message in amended.messages] == [1, 3]


def test_a_page_that_took_too_long_is_an_error() -> None:
    """More deletions than are known are never taken for none."""
    deletions = Deletions(kept=2)
    for n in range(3):
        deletions.add(10 + n, "d")
    assert deletions.amend(MissedReply(entries(), more=False), since=1) is None
    error = deletions.amend(MissedReply(entries(), more=False, ref="r"), since=0)
    assert isinstance(error, ErrorReply)
    assert (error.code, error.command, error.ref) == ("storage_unavailable", "missed", "r")
