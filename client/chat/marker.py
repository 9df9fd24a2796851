"""How far a user has read one conversation: how many messages are unread, and up to which one all was shown. Pure.

Messages are unread from the login on, or because they came while another conversation was held. They are read from the
newest downward, as pages of them are shown. Where that cannot be told for sure a message stays unread.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.wire.protocol import History, StoredMessage

_RECENT: Final = 1_000  # ids of unread messages by conversation, to know how many another session has left unread


class Marker:
    """The counts are of messages by others. Not safe for two threads at once."""

    def __init__(self) -> None:
        self.unread = 0
        self.mentions = 0  # of the unread ones
        self.covered = 1  # every message from this id up to the newest was shown
        self.newest = 0  # the newest that was shown
        self._due = 0  # all up to this id was shown
        self._confirmed = 0
        self._last = 0  # the newest unread one
        self._ids: deque[int] = deque(maxlen=_RECENT)  # of unread ones, the newest last
        self._above = 0  # messages that were shown above unread ones
        self._between = 0  # messages that were shown between unread ones: a page that goes down shows them again

    def start(self, unread: int, seam: int) -> None:
        """A session begins: of the messages up to the id `seam` so many are unread."""
        self.unread, self.mentions = unread, 0
        self.covered, self.newest, self._last = seam + 1, seam, seam
        self._due = self._confirmed = 0 if unread else seam
        self._ids.clear()
        self._above = self._between = 0

    def live(self, message_id: int, *, is_own: bool = False) -> None:
        """A message came and was shown, or needs not to be: the user's own, or by somebody muted."""
        self.newest = max(self.newest, message_id)
        self._above += not is_own

    def miss(self, message_id: int, *, is_mention: bool) -> None:
        """A message by somebody else came and was not shown."""
        if self.unread:
            self._between += self._above
        else:
            self._between, self._due = 0, max(self._due, self.newest)
        self._above = 0
        self.unread += 1
        self.mentions += is_mention
        self._ids.append(message_id)
        self._last, self.covered = message_id, message_id + 1

    def joins(self, asked: History) -> bool:
        """Whether the page that was asked for goes on, downward, where all above was shown."""
        return asked.after is UNSET and (asked.before is UNSET or asked.before >= self.covered)

    def first_unread(self, asked: History, messages: Sequence[StoredMessage], name: str) -> int | None:
        """The id at which unread begins, if it begins in this page, which is about to be shown."""
        if not self.joins(asked):
            return None
        fresh = [message.id for message in messages if message.id < self.covered and message.from_ != name]
        number = self.unread + self._between
        return fresh[-number] if self.unread and number <= len(fresh) else None

    def page(self, asked: History, messages: Sequence[StoredMessage], name: str, *, more: bool) -> None:
        """A page was shown. If it joins what was shown before, the unread ones in it are read."""
        if not self.joins(asked):
            return  # there is a gap between this page and the rest
        fresh = sum(message.id < self.covered and message.from_ != name for message in messages)
        read = max(0, fresh - self._between)
        self._between = max(0, self._between - fresh)
        self._above += fresh
        if messages:
            self.covered = min(self.covered, messages[0].id)
            self.newest = max(self.newest, messages[-1].id)
        self._leave(max(0, self.unread - read) if more else 0)

    def read(self, message_id: int) -> None:
        """Another session has shown all up to this id."""
        self._confirmed = max(self._confirmed, message_id)
        if message_id >= self._last:
            self._leave(0)
        elif self._ids and (len(self._ids) == self.unread or self._ids[0] <= message_id):
            self._leave(sum(unread > message_id for unread in self._ids))

    def read_one(self, message_id: int) -> None:
        """This single message was shown, here or by another session; of older ones it is not known which are unread."""
        if message_id in self._ids:
            self._ids.remove(message_id)
            self._leave(self.unread - 1)

    def lower(self, unread: int) -> None:
        """By what the server says at most so many are unread."""
        self._leave(unread)

    def _leave(self, unread: int) -> None:
        self.unread = min(self.unread, unread)
        self.mentions = min(self.mentions, self.unread)
        if not self.unread:
            self._ids.clear()
            self._above = self._between = 0

    def take(self) -> int | None:
        """The id up to which to confirm now, once."""
        due = self._due if self.unread else self.newest
        if due <= self._confirmed:
            return None
        self._confirmed = due
        return due

    def forget(self, confirmed: int = 0) -> None:
        """What was confirmed above this id may be lost: `take` gives it again."""
        self._confirmed = confirmed
