"""A set that stays small: beyond so many things it forgets the one that was added first. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_Thing = TypeVar("_Thing")


class Recent(Generic[_Thing]):
    """At most `most` things, each once, the oldest first. Not safe for two threads at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: dict[_Thing, None] = {}

    def add(self, thing: _Thing) -> None:
        """Takes a thing; one that is there keeps its place."""
        self._things[thing] = None
        if len(self._things) > self._most:
            del self._things[next(iter(self._things))]

    def discard(self, thing: _Thing) -> None:
        """Forgets a thing, if it is there."""
        self._things.pop(thing, None)

    def __contains__(self, thing: object) -> bool:
        return thing in self._things

    def __iter__(self) -> Iterator[_Thing]:
        return iter(self._things)
