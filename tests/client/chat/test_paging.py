"""Pages of messages on a screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import UNSET

from client.chat.paging import fit
from client.chat.people import People
from client.render.formatting import Formatter
from client.render.layout import Size
from service.wire.protocol import HistoryReply, StoredMessage


def shown(bodies: list[str], rows: int, *, days: bool = False, muted: str = "") -> HistoryReply:
    """The page that fits so many rows of 80 columns, of one with these messages, on a day each."""
    people = People()
    if muted:
        people.mute(muted)
    messages = [
        StoredMessage(
            id=number,
            time=f"2026-11-{number if days else 21:02}T09:30:00.000Z",
            from_="carol" if body == "muted" else "bob",
            to=UNSET,
            message=body,
        )
        for number, body in enumerate(bodies, 1)
    ]
    formatter = Formatter(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC)
    return fit(HistoryReply(messages=messages, more=False), Size(80, rows), formatter, people)


@pytest.mark.parametrize(
    ("bodies", "rows", "count"),
    [
        (["a"] * 8, 8, 8),
        (["a"] * 7 + ["a\nb"], 8, 7),
        (["a " * 100] * 2, 8, 2),
        (["a", "a\n" * 8, "a"], 8, 1),
        (["a\n" * 8, "a\n" * 8], 8, 1),
        ([], 8, 0),
    ],
)
def test_the_newest_that_fit(bodies: list[str], rows: int, count: int) -> None:
    """As many as fit are left, as they are wrapped, and one at least; whatever is cut off is there to be asked for."""
    page = shown(bodies, rows)
    assert len(page.messages) == count
    assert page.more is (count < len(bodies))


def test_days_take_rows() -> None:
    """The line with the day counts, the first one, too."""
    assert len(shown(["a"] * 8, 8, days=True).messages) == 4


def test_the_muted_take_none() -> None:
    """What is not shown needs no space."""
    assert len(shown(["a", "muted", "muted", "a"], 2, muted="carol").messages) == 4
