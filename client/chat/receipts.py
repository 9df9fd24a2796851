"""Which messages may be confirmed as seen: those that were really shown, and no other. Pure.

Two things are confirmed: single direct messages (`seen` with `ids`), and the read marker of the main room (`seen` with
`id`), which takes along every direct message up to that id. So the marker moves only while all at or below it was
shown: no missed direct message is left, and no unread public one. The caller sends what `take` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from service.wire.limits import MAX_PAGE
from service.wire.protocol import History, LoginOkReply, Seen, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

# Ids not yet confirmed, when the server takes no `seen`; further messages stay unseen there, and are offered again.
_MOST_UNCONFIRMED: Final = 100_000


class Receipts:
    """What was shown and not yet confirmed, and what is still unshown."""

    def __init__(self) -> None:
        self.unread = 0  # public messages by others, at or below the seam, not shown yet
        self.missed = 0  # direct messages at or below the seam that may be unshown; not fewer than there are
        self.name = ""  # the user's
        self.covered = 1  # every public message from this id up to the newest was shown
        self._newest = 0  # shown live, or the seam; what comes live comes in id order
        self._marker = 0  # the last id confirmed with `id`
        self._directs: list[int] = []  # shown and not yet confirmed

    def start(self, login: LoginOkReply) -> None:
        """A session begins at the seam `login.last_id`: what is above comes live, what is below is asked for."""
        self.unread, self.missed, self.name = login.unread, login.missed, login.username
        self.covered, self._newest = login.last_id + 1, login.last_id
        self._marker = 0 if login.unread else login.last_id

    def live(self, message_id: int) -> None:
        """A public or direct message came live and was shown."""
        self._newest = max(self._newest, message_id)

    def come_back(self, login: LoginOkReply) -> None:
        """The connection is back, and all that came meanwhile was shown. Some may have been read elsewhere."""
        self.missed, self.unread = min(self.missed, login.missed), min(self.unread, login.unread)
        self._marker = 0  # the last one may have been lost on the way; once more does no harm
        self._newest = max(self._newest, login.last_id)

    def direct(self, message_id: int) -> None:
        """A direct message to this user was shown, live or out of a page."""
        if len(self._directs) < _MOST_UNCONFIRMED:
            self._directs.append(message_id)

    def missed_page(self, messages: Sequence[StoredMessage], *, more: bool) -> None:
        """A page of missed messages was shown; the last one says that none is left."""
        self._directs += [message.id for message in messages]
        self.missed = max(1, self.missed - len(messages)) if more else 0

    def page(self, messages: Sequence[StoredMessage]) -> None:
        """Any other page was shown; the direct messages in it may be missed ones."""
        if self.missed:
            self._directs += [message.id for message in messages if message.to == self.name]

    def first_unread(self, asked: History, messages: Sequence[StoredMessage]) -> int | None:
        """The id at which unread begins, if it begins in this page of the main room, which is about to be shown."""
        if asked.before is not UNSET and asked.before < self.covered:
            return None
        unread = [message.id for message in messages if message.id < self.covered and message.from_ != self.name]
        return unread[-self.unread] if 0 < self.unread <= len(unread) else None

    def room_page(self, asked: History, messages: Sequence[StoredMessage], *, more: bool) -> None:
        """A page of the main room was shown. If it joins what was shown before, the unread ones in it are read."""
        if asked.before is not UNSET and asked.before < self.covered:
            return  # there is a gap between this page and the rest
        read = sum(message.id < self.covered and message.from_ != self.name for message in messages)
        self.unread = max(0, self.unread - read) if more else 0
        if messages:
            self.covered = min(self.covered, messages[0].id)

    def take(self) -> list[Seen]:
        """The `seen` commands to send now, each of at most 200 ids; what they hold counts as confirmed from here on."""
        directs, self._directs = list(dict.fromkeys(self._directs)), []  # a page may hold what also came live
        commands: list[Seen] = []
        if not self.missed and not self.unread and self._newest > self._marker:
            self._marker = self._newest
            commands.append(Seen(id=self._newest))
            directs = [message_id for message_id in directs if message_id > self._newest]
        return commands + [Seen(ids=directs[start : start + MAX_PAGE]) for start in range(0, len(directs), MAX_PAGE)]

    def put_back(self, commands: Sequence[Seen]) -> None:
        """These were not sent: `take` gives them again."""
        for command in commands:
            if command.ids is UNSET:
                self._marker = 0
            else:
                self._directs += command.ids
