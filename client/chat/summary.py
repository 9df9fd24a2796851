"""What to tell a user who comes back: how much was missed, from whom, since when. Pure.

The summary is made of pages that the user has not seen: what they hold counts as seen only once it is shown.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from client.chat.addressing import ROOM
from client.text import Line, hint, listed
from service.wire.limits import MAX_PAGE
from service.wire.protocol import AnyCommand, AnyEvent, History, HistoryReply, LoginOkReply, Missed, MissedReply

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_MANY: Final = 3  # senders by name
_OWN: Final = 10  # messages by the user, from another session, that may stand among the unread ones


class Summary:
    """The missed and unread messages of one login, as far as the pages asked for tell of them."""

    def __init__(self, login: LoginOkReply, *, is_divided: bool = False) -> None:
        self._login = login
        self._is_divided = is_divided
        self._awaited: list[type[AnyCommand]] = []
        self._senders: list[str] = []
        self._rooms = {room.room: room.unread for room in login.rooms or [] if room.unread}
        self._since = ""  # a time of the wire; empty if it is not known

    def ask(self) -> list[AnyCommand]:
        """The commands whose replies `take` waits for."""
        commands: list[AnyCommand] = []
        if self._login.missed:
            commands.append(Missed(limit=MAX_PAGE))
        if self._login.unread:
            limit = min(MAX_PAGE, self._login.unread + _OWN)
            commands.append(History(before=self._login.last_id + 1, limit=limit))
        self._awaited = [type(command) for command in commands]
        return commands

    def take(self, event: AnyEvent, request: AnyCommand | None) -> bool:
        """Whether this was the reply to a command of `ask`."""
        if request is None or type(request) not in self._awaited or getattr(request, "room", UNSET) is not UNSET:
            return False
        self._awaited.remove(type(request))
        if isinstance(event, MissedReply):
            self._senders = list(dict.fromkeys(message.from_ for message in event.messages))
        elif isinstance(event, HistoryReply):
            others = [message for message in event.messages if message.from_ != self._login.username]
            if len(others) >= self._login.unread:
                self._since = others[-self._login.unread].time
        return True

    @property
    def is_complete(self) -> bool:
        """Whether no reply is awaited."""
        return not self._awaited

    def lines(self, now: datetime, read: Callable[[str], datetime | None]) -> list[Line]:
        """The summary; `now`, and what `read` makes of a time of the wire, are in the user's zone."""
        missed, unread = self._login.missed, self._login.unread
        if not missed and not unread and not self._rooms:
            return [hint("Nothing missed.")]
        pieces = []
        if missed:
            whom = f" from {listed(self._senders, _MANY)}" if self._senders else ""
            pieces.append(f"{missed} direct message{'s' if missed > 1 else ''} missed{whom}")
        if unread:
            since = _since(read(self._since), now) if self._since else ""
            noun = "public" if missed else f"public message{'s' if unread > 1 else ''} unread"
            pieces.append(f"{unread} {noun}{since}")
        if self._rooms:
            number = sum(self._rooms.values())
            noun = "" if pieces else f" message{'s' if number > 1 else ''} unread"
            pieces.append(f"{number}{noun} in {listed((ROOM + room for room in self._rooms), _MANY)}")
        if self._is_divided:
            return [hint(f"{', '.join(pieces)}."), hint("Alt-A goes to the next with something new; TALK lists them.")]
        them = "them" if missed + unread > 1 else "it"
        return [hint(f"{', '.join(pieces)}."), hint(f"Enter alone, or NEW, shows {them}.")]


def _since(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    if moment.date() == now.date():
        return f" since {moment:%H:%M}"
    if moment.date() == now.date() - timedelta(days=1):
        return f" since yesterday {moment:%H:%M}"
    return f" since {moment.day} {moment:%B %H:%M}"
