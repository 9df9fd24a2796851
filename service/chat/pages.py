"""Keeps deleted texts out of pages that were read before a deletion and leave after it. Reads no page itself."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from msgspec import UNSET
from msgspec.structs import replace

from service.wire.protocol import ErrorReply, HistoryReply, MissedReply, SearchReply

if TYPE_CHECKING:
    from service.wire.protocol import StoredMessage

PageReply = HistoryReply | MissedReply | SearchReply
KEPT: Final = 4_096  # deletions; a page takes milliseconds, so it never meets so many


class Deletions:
    """The newest deletions. Belongs to the delivery thread; any thread may read `count`."""

    def __init__(self, kept: int = KEPT) -> None:
        self.count = 0
        self._newest: deque[tuple[int, str]] = deque(maxlen=kept)

    def add(self, message_id: int, time: str) -> None:
        self._newest.append((message_id, time))
        self.count += 1

    def amend(self, page: PageReply, since: int) -> PageReply | ErrorReply | None:
        """Returns what to send in place of a page that was read when `count` was `since`; None if it holds.

        That is an error if it was too long ago to know.
        """
        new = self.count - since
        if not new:
            return None
        if new > len(self._newest):
            text = "too much was deleted while this page was read; try again"
            command = str(page.__struct_config__.tag)  # a page is named as its command
            return ErrorReply(code="storage_unavailable", message=text, command=command, ref=page.ref)
        times = dict(list(self._newest)[-new:])
        if not any(message.id in times for message in page.messages):
            return None
        if isinstance(page, HistoryReply):
            return replace(page, messages=[_without_text(message, times) for message in page.messages])
        return replace(page, messages=[message for message in page.messages if message.id not in times])


def _without_text(message: StoredMessage, times: dict[int, str]) -> StoredMessage:
    if message.id not in times:
        return message
    return replace(message, message="", kind=UNSET, deleted=times[message.id])
