"""Pages of messages: what of one fits a screen, and one to read on from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from client.render.layout import Size, rows_of

if TYPE_CHECKING:
    from client.chat.people import People
    from client.render.formatting import Formatter
    from client.text import Line
    from service.wire.protocol import History, HistoryReply, Search, StoredMessage


@dataclass(frozen=True, slots=True)
class Page:
    """A page to read: its lines, and the command for the page before it; None at the beginning."""

    lines: list[Line]
    older: History | Search | None


def number(message: StoredMessage) -> str:
    """What stands behind a message whose number may be of use, for AROUND or DELETE."""
    return "" if message.deleted else f"  #{message.id}"


def fit(page: HistoryReply, space: Size, formatter: Formatter, people: People) -> HistoryReply:
    """The newest messages of a page, as many as take no more than these rows, and one at least."""
    moments = [formatter.moment(message.time) for message in page.messages]
    days = [moment and moment.date() for moment in moments]
    first, rows = len(days), 0
    while first > 0:
        message = page.messages[first - 1]
        if not people.is_muted(message.from_):
            line = formatter.line(
                message.time, message.from_, message.to, message.message, note=number(message), kind=message.kind
            )
            rows += rows_of(line, space.columns)
        rows += first < len(days) and days[first - 1] != days[first]
        if first < len(days) and rows + (days[first - 1] != formatter.day) > space.rows:
            break
        first -= 1
    return replace(page, messages=page.messages[first:], more=page.more or first > 0)
