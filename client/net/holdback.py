"""Events that wait until all before them was given on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.wire.protocol import BroadcastEvent, DirectEvent

if TYPE_CHECKING:
    from service.wire.protocol import AnyCommand, AnyEvent

_LIVE: Final = (BroadcastEvent, DirectEvent)


class Holdback:
    """Keeps events, with the commands that they answer, in the order of the wire. Not safe for two threads at once.

    When more than `most` wait, the live messages among them are dropped: they have to be fetched by id instead.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: list[tuple[AnyEvent, AnyCommand | None]] = []
        self._overrun = 0

    def add(self, event: AnyEvent, request: AnyCommand | None) -> None:
        """Keeps an event."""
        self._events.append((event, request))
        if len(self._events) > self._most and isinstance(event, _LIVE):
            self._overrun = event.id  # ids come in their order
            self._events = [kept for kept in self._events if not isinstance(kept[0], _LIVE)]

    def take(self) -> list[tuple[AnyEvent, AnyCommand | None]]:
        """All events that wait, once."""
        events, self._events = self._events, []
        return events

    def take_overrun(self) -> int:
        """The id up to which live messages were dropped, once; 0 if none was."""
        overrun, self._overrun = self._overrun, 0
        return overrun
