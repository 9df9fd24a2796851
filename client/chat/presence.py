"""Who came and who went, told in few lines: what changes within some seconds stands in one. Pure.

It looks at no clock: what is to be told later is told by who calls `tell`, after the seconds that `take_wait` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from client.text import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Mode = Literal["all", "folded", "none"]  # a line for each change, one for some seconds, or none

FOLD: Final = 5.0  # seconds from the first change to its line; the status bar counts at once
RETURN: Final = 30.0  # seconds for others to come back after a loss; their clients try every 10 s, and a login may wait
_MANY: Final = 8  # people by name in one line; of more a few, as they must not push the talk off a small screen
_FEW: Final = 3


class Wait(NamedTuple):
    """After how many seconds to call `tell` with `number`."""

    seconds: float
    number: int


class Presence:
    """What is still to be told of who is online. All sets are of the names of others."""

    def __init__(self, mode: Mode, is_hidden: Callable[[str], bool] = lambda _: False) -> None:
        """`is_hidden` says of whom nothing is told."""
        self._mode = mode
        self._is_hidden = is_hidden
        self._now: set[str] = set()
        self._told: set[str] | None = None  # who is online as far as the user was told; None: nothing is to be told
        self._away: set[str] = set()  # of those who were online before a loss, who is not back
        self._moves: dict[tuple[str, str], str] = {}  # by room and name: what they did there
        self._number = 0
        self._wait: Wait | None = None

    def change(self, before: set[str], now: set[str]) -> list[str]:
        """In place of `before`, these are online: gives the lines to show at once."""
        self._now = now
        if self._mode == "all":
            return _sentences(self._shown(now - before), "online") + _sentences(self._shown(before - now), "gone")
        if self._mode == "none" or (self._told is None and before == now):
            return []
        if self._told is None:
            self._begin(before, FOLD)
        elif self._away and self._away <= now:
            return self.tell()
        return []

    def come_back(self, before: set[str], now: set[str]) -> list[str]:
        """The connection is back, and these are online in place of `before`: gives the lines to show at once.

        After a restart of the server the others come back one by one: that is one line. Who was never away is no news.
        """
        if self._mode == "folded":
            told = before if self._told is None else self._told
            self._away = told - now
            if self._away:
                self._begin(told, RETURN)
        return self.change(before, now)

    def move(self, room: str, name: str, did: str, now: set[str]) -> list[str]:
        """Somebody joined or left a room, and these are online: gives the lines to show at once."""
        if self._mode == "none" or self._is_hidden(name):
            return []
        if self._mode == "all":
            return _moves({(room, name): did})
        if self._told is None:
            self._now = now
            self._begin(now, FOLD)
        if self._moves.setdefault((room, name), did) != did:
            del self._moves[room, name]  # there and back
        return []

    def turn_away(self) -> None:
        """Another room is held: who came and went in the one before is not told there."""
        self._moves.clear()

    def speak(self, name: str) -> None:
        """A message by `name` is shown: that they have come is told by it."""
        if self._told is not None and name in self._now:
            self._told.add(name)

    def take_wait(self) -> Wait | None:
        """When to call `tell`, if that is not known yet."""
        wait, self._wait = self._wait, None
        return wait

    def tell(self, number: int | None = None) -> list[str]:
        """The line for all that has changed; none if nothing has after all, or if what `number` meant was told."""
        if self._told is None or number not in {None, self._number}:
            return []
        back, came, gone = self._away & self._now, self._now - self._told, self._told - self._now
        moves, self._moves = self._moves, {}
        self._told, self._away = None, set()
        changes = ((back, "back"), (came, "online"), (gone, "gone"))
        texts = [text for names, what in changes for text in _sentences(self._shown(names), what)]
        texts += _moves(moves)
        separator = "; " if max(map(len, (back, came, gone, moves))) > _MANY else ", "
        return [separator.join(texts)] if texts else []

    def _begin(self, told: set[str], seconds: float) -> None:
        self._told = set(told)
        self._number += 1
        self._wait = Wait(seconds, self._number)

    def _shown(self, names: Iterable[str]) -> list[str]:
        return sorted(name for name in names if not self._is_hidden(name))


def _moves(moves: dict[tuple[str, str], str]) -> list[str]:
    """A sentence about who did the same in the same room."""
    groups: dict[tuple[str, str], list[str]] = {}
    for (room, name), did in moves.items():
        groups.setdefault((room, did), []).append(name)
    return [
        f"{listed(sorted(names), _MANY if len(names) <= _MANY else _FEW)} {did} {room}"
        for (room, did), names in groups.items()
    ]


def _sentences(names: list[str], what: str) -> list[str]:
    """A sentence about these; none without a name."""
    if len(names) <= _MANY:
        return [f"{listed(names, _MANY)} {'is' if len(names) == 1 else 'are'} {what}"] if names else []
    who = "" if what == "back" else f": {listed(names, _FEW)}"  # those who are back are no news
    return [f"{len(names)} people are {what}{who}"]
