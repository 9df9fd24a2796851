"""What others have committed: their messages and events, each once, in the order of the commits.

What this service has committed is left out where it knows of it. Where an answer was lost, it is news here, too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from service.storage import news
from service.storage.news import Posted
from service.storage.postgres.connection import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.news import News
    from service.storage.postgres.connection import Connection

_log: Final = logging.getLogger("chat.storage")
PAGE: Final = 1_000  # messages and events that are read at once
# The names are looked up row by row: a join might read all accounts for a few messages.
_READ: Final = """
    SELECT n.place, n.event, n.sent_at, n.sender_id, (SELECT name FROM "user" WHERE id = n.sender_id), n.body,
        n.recipient_id, (SELECT name FROM "user" WHERE id = n.recipient_id),
        n.room_id, (SELECT name FROM room WHERE id = n.room_id), n.kind
    FROM (
        (SELECT id AS place, 0 AS event, sent_at, sender_id, CASE WHEN deleted_at IS NULL THEN body END AS body,
                recipient_id, room_id, kind
            FROM message WHERE id > %s AND (id <= %s OR id > %s) ORDER BY id LIMIT %s)
        UNION ALL
        (SELECT place, id, NULL, NULL, body, NULL, NULL, NULL
            FROM event WHERE id > %s AND (id <= %s OR id > %s) ORDER BY id LIMIT %s)
    ) AS n ORDER BY n.place, n.event LIMIT %s
"""


class Own(NamedTuple):
    """A commit of this service's own: from where it began to where it ended, in messages and in events."""

    place: Places
    end: Places


class Heard(NamedTuple):
    """News, and its place: its id if it is a message; else the newest message before it, and its id among events."""

    place: int
    event: int
    news: News

    def is_before(self, own: Own) -> bool:
        """Whether it was committed before that."""
        return self.event <= own.place.event if self.event else self.place <= own.place.message


class Feed:
    """How far this service has heard."""

    def __init__(self) -> None:
        self.heard = Places(0, 0)
        self._own: list[Own] = []  # what lies behind that

    def skip_to(self, place: Places) -> None:
        """Goes on from there, whatever came before."""
        self.heard = place
        self._own = []

    def note_own(self, own: Own) -> bool:
        """Notes a commit; returns whether something has to be read that came before it."""
        if own.place == self.heard:
            self.heard = own.end
            return False
        self._own.append(own)
        return True

    def forget_own(self) -> None:
        """Has what was noted and not yet passed read as if others had committed it."""
        self._own = []

    def read(self, connection: Connection) -> Iterator[list[Heard]]:
        """Yields pages of what is new. Raises psycopg.Error; reading again goes on from there."""
        is_full = True
        while is_full:
            last = self._own[-1] if self._own else Own(Places(0, 0), Places(0, 0))
            cuts = [
                (heard, after, end, PAGE) for heard, after, end in zip(self.heard, last.place, last.end, strict=True)
            ]
            rows = connection.run(_READ, (*cuts[0], *cuts[1], PAGE)).fetchall()
            is_full = len(rows) == PAGE
            for place, event, *_ in rows:
                self.heard = self.heard._replace(event=event) if event else self.heard._replace(message=place)
            page = [heard for row in rows if not self._is_own(row) and (heard := _heard(row)) is not None]
            if not is_full:  # all up to here was read: what is missing will never be there
                ends = [self.heard, *(own.end for own in self._own)]
                self.heard = Places(*map(max, zip(*ends, strict=True)))
                self._own = []
            if page:
                yield page

    def _is_own(self, row: Any) -> bool:
        """Of commits before the last one: there are such only where the news could not be read meanwhile."""
        place, event, *_ = row
        if event:
            return any(own.place.event < event <= own.end.event for own in self._own)
        return any(own.place.message < place <= own.end.message for own in self._own)


def _heard(row: Any) -> Heard | None:
    """Returns the news of a row; None for a message that is deleted already, and for what is not understood."""
    place, event, sent_at, sender_id, sender, body, recipient_id, recipient, room_id, room, kind = row
    if event:
        try:
            return Heard(place, event, news.decode(body))
        except msgspec.DecodeError as error:
            _log.error("another service tells what this one does not understand: are they of one version? %s", error)
            return None
    if body is None:
        return None
    return Heard(
        place, 0, Posted(place, sent_at, sender_id, sender, body, recipient_id, recipient, room_id, room, kind)
    )
