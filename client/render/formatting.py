"""How a message is written: time and day in the user's zone, sender and recipient, words set off in its text. Pure."""

from __future__ import annotations

import re
from copy import copy
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from client.text import Line, Part, marked, named, shown_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

# Before what the user wrote. A mark, not only a colour; and a name has no space in it, so nobody can be called so.
_OWN: Final[Part] = ("own", "> ")
_ACTION, _NOTICE = "action", "notice"
_SERVICE: Final = "server"  # the account of the service itself, which writes nothing but notices


class Formatter:
    """Makes the lines of one user's talk; `day` is that of the last line.

    Where conversations stand apart (`is_split`) each has days of its own.
    """

    def __init__(self, clock: Callable[[], datetime], zone: tzinfo | None, *, is_split: bool = False) -> None:
        self._name = ""
        self._mention: re.Pattern[str] | None = None  # the user's name as a word
        self._zone = zone
        self.is_split = is_split
        self._days: dict[str, date] = {}
        self.day = clock().astimezone(zone).date()

    def anew(self) -> Formatter:
        """The same, for a page by itself: it names the day of its first line."""
        other = copy(self)
        other.is_split, other.day = False, date.min
        return other

    def meet(self, name: str) -> None:
        """From now on the user is `name`."""
        self._name = name
        self._mention = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE) if name else None

    def line(
        self,
        time: str | UnsetType,
        sender: str,
        to: str | UnsetType,
        text: str,
        words: re.Pattern[str] | None = None,
        note: str = "",
        *,
        where: str = "",
        kind: str | UnsetType = UNSET,
        status: str = "",
    ) -> Line:
        """A message by anybody; what `words` finds in it is set off, and `note` follows it.

        `where` is the conversation, if it has to be said. `status` says what became of the user's own one. An unknown
        `kind` is shown as a text.
        """
        is_from_others = sender != self._name
        is_called = self.is_called(text)
        if words is None and is_called and is_from_others:
            words = self._mention
        place: list[Part] = [("hint", f"{where} ")] if where else []
        head = [self.time(time), *place, *self._who(sender, to, kind, status)]
        texts = marked(text, words, "" if to is UNSET else "direct")
        calls = is_from_others and (is_called or to == self._name)
        return Line(*head, *texts, ("hint", note), head=len(head), calls=calls)

    def is_called(self, text: str) -> bool:
        """Whether the user's name stands in a text, as a word in any case."""
        return bool(self._mention and self._mention.search(text))

    def _who(self, sender: str, to: str | UnsetType, kind: str | UnsetType, status: str) -> list[Part]:
        """What stands before a text: `bob: `, `* bob ` for an action, `-bob- ` for a notice; own ones are marked.

        The service's own notice is `-server- `; a user called so is `@server`.
        """
        is_own = sender == self._name
        if is_own:
            who: list[Part] = [("own", shown_name(sender) if kind == _ACTION else "you")]
        else:
            who = [("hint", sender) if (sender, kind) == (_SERVICE, _NOTICE) else named(sender)]
        if to is not UNSET:
            who += [("direct", " -> "), ("own", "you") if to == self._name else named(to), ("hint", status)]
        if kind == _ACTION:
            who = [("", "* "), *who, ("", " " if to is UNSET else ": ")]
        elif kind == _NOTICE:
            who = [("", "-"), *who, ("", "- ")]
        else:
            who.append(("", ": "))
        return [_OWN, *who] if is_own else who

    def on_its_day(self, wire: str | UnsetType, lines: list[Line], conversation: str = "") -> list[Line]:
        """`lines` of that time, below a line with its day where the line shown before was of another."""
        moment = self.moment(wire)
        day = self._days.get(conversation, self.day) if self.is_split else self.day
        if moment is None or moment.date() == day:
            return lines
        if self.is_split:
            self._days[conversation] = moment.date()
        else:
            self.day = moment.date()
        return [Line(("day", f"-- {moment:%A}, {moment.day} {moment:%B %Y} --")), *lines]

    def time(self, wire: str | UnsetType) -> Part:
        """A time of the wire in the user's zone."""
        moment = self.moment(wire)
        return "time", moment.strftime("%H:%M ") if moment else "--:-- "

    def moment(self, wire: str | UnsetType) -> datetime | None:
        """A time of the wire in the user's zone; None if it is no time."""
        return moment_of(wire, self._zone)


def moment_of(wire: str | UnsetType, zone: tzinfo | None = None) -> datetime | None:
    """A time of the wire in that zone, or in this machine's; None if it is no time."""
    try:
        return datetime.fromisoformat(wire or "").astimezone(zone)
    except (ValueError, OverflowError, OSError):  # the last two: years that the zone's arithmetic cannot reach
        return None


def search_words(query: str) -> re.Pattern[str]:
    """Finds the words of a query, and what begins with them."""
    words = "|".join(map(re.escape, sorted(query.split(), key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{words})\w*", re.IGNORECASE)
