"""The people of a chat: who is online, who was met in messages, who wrote last, who is muted. Pure."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from client.chat.recent import Recent
from client.text import Line, hint, listed, one_line, shown_name, trouble
from service.wire.limits import MAX_ID, MAX_USERNAME
from service.wire.protocol import History, Users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec import UnsetType

    from service.wire.protocol import AnyCommand

_MANY: Final = 8  # names in one line; a room of hundreds must not push the talk off the screen
_LISTED: Final = 10_000  # names in the answer to USERS
MOST_MUTED: Final = 1_000  # names; they are kept for the next start, in a file that stays small
_KNOWN: Final = 1_000  # names for completion


def inquiry(name: str) -> History:
    """Asks whether there is such a user: an empty page, or the error `unknown_user`. What it gives is not shown."""
    return History(with_=name, after=MAX_ID, limit=1)


def is_inquiry(request: AnyCommand | None) -> bool:
    """Whether this is what `inquiry` makes."""
    return isinstance(request, History) and request.after == MAX_ID


class Recount(Users, tag="users"):
    """Asks who is online, for the client itself: its answer is not shown."""


class People:
    """The people as one user knows them. Not safe for two threads at once."""

    def __init__(self) -> None:
        self.name = ""  # the user's own
        self._online: list[str] = []
        self._known: Recent[str] = Recent(_KNOWN)  # names met in messages
        self._muted: set[str] = set()
        self._renamed: dict[str, str] = {}  # the next name of who had that one until now
        self._last_direct = (0, "")  # the id and the sender of the newest direct message that the user got

    @property
    def online(self) -> int:
        """How many are online, the user among them."""
        return len(self._online)

    @property
    def last_sender(self) -> str:
        """The sender of the newest direct message that was shown; empty without one."""
        return self._last_direct[1]

    def names(self) -> list[str]:
        """Names that the user may want to write to: others online, then others met in messages."""
        away = sorted(set(self._known) - set(self._online))
        return [name for name in [*self._online, *away] if name != self.name and one_line(name) == name]

    def meet(self, name: str, users: Iterable[str]) -> Line:
        """The user is `name`, and these are online: gives the welcome."""
        self.name, self._online = name, sorted(set(users))
        others = [other for other in self._online if other != name]
        here = f"Online: {listed(others, _MANY)}." if others else "Nobody else is online."
        return hint(f"You are {shown_name(name)}. {here}")

    def update(self, users: Iterable[str]) -> None:
        """From now on these are online."""
        self._online = sorted(set(users))

    def change(self, arrived: Iterable[str], left: Iterable[str]) -> None:
        """These came online, and those went."""
        self._online = sorted((set(self._online) | set(arrived)) - set(left))

    def first_online(self, most: int) -> list[str]:
        """The first ones online by name, the user among them."""
        return self._online[:most]

    def is_online(self, name: str) -> bool:
        """Whether somebody is, by the name as the server spells it."""
        place = bisect_left(self._online, name)
        return self._online[place : place + 1] == [name]

    def others(self) -> set[str]:
        """Who is online but the user."""
        return set(self._online) - {self.name}

    def list_online(self) -> Line:
        """All names online, as the answer to USERS."""
        names = [shown_name(name) + (" (you)" if name == self.name else "") for name in self._online[:_LISTED]]
        if surplus := max(0, len(self._online) - _LISTED):
            names.append(f"and {surplus} others")
        return Line(("hint", f"Online ({len(self._online)}):"), names=names)

    def rename(self, old: str, new: str) -> None:
        """Who was called `old` is called `new` from now on: what is known of them goes over."""
        if max(len(old), len(new)) > MAX_USERNAME:
            return
        if old == self.name:
            self.name = new
        if old in self._online:
            self._online = sorted({*self._online, new} - {old})
        if old in self._muted:
            self._muted = self._muted - {old} | {new}
        if old in self._known:
            self._known.discard(old)
            self._known.add(new)
        if self._last_direct[1] == old:
            self._last_direct = (self._last_direct[0], new)
        self._renamed[old] = new
        if len(self._renamed) > _KNOWN:
            del self._renamed[next(iter(self._renamed))]

    def present_name(self, name: str) -> str:
        """Returns how somebody is called who was met by that name; nobody else can have it."""
        for _ in range(_KNOWN):  # a server could send a circle
            if (new := self._renamed.get(name.lower())) is None:
                break
            name = new
        return name

    def know(self, name: str) -> None:
        """Remembers a name that was met in a message."""
        if len(name) <= MAX_USERNAME:
            self._known.add(name)

    def knows(self, name: str) -> bool:
        """Whether there is such a user for sure: online, met in messages, muted, or the user."""
        name = name.lower()
        return name == self.name or name in self._known or name in self._muted or name in self._online

    def note_direct(self, message_id: int, sender: str, to: str | UnsetType) -> None:
        """Remembers the sender of a message, if it went to the user directly."""
        if to == self.name != sender:
            self._last_direct = max(self._last_direct, (message_id, sender))

    def is_muted(self, name: str) -> bool:
        """Whether the user wants to see nothing by `name`."""
        return name in self._muted

    @property
    def muted(self) -> frozenset[str]:
        """Whom the user wants to see nothing of."""
        return frozenset(self._muted)

    def recall_muted(self, names: Iterable[str]) -> None:
        """These are muted, by an earlier start."""
        self._muted.update(name for name in list(names)[:MOST_MUTED] if len(name) <= MAX_USERNAME)

    def mute(self, name: str | None) -> list[Line]:
        """Hides what `name` writes, or shows it again; None: says who is muted. What is hidden counts as seen."""
        if name is not None:
            name = name.lower()
            if name not in self._muted and len(self._muted) >= MOST_MUTED:
                return [trouble(f"{MOST_MUTED:,} people are muted. MUTE one of them again first.")]
            self._muted ^= {name}
            if name not in self._muted:
                return [hint(f"{shown_name(name)} is shown again; HISTORY has what was hidden.")]
        if not self._muted:
            return [hint("Nobody is muted. MUTE with a name hides somebody.")]
        muted = listed(sorted(self._muted), _MANY)
        return [hint(f"{muted} {'are' if len(self._muted) > 1 else 'is'} muted. MUTE with the name again ends that.")]
