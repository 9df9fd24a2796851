"""This service among those over the same database: its row, its lease, and who is present here.

Everything here runs on the writer thread.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.storage.news import Absent, HistoryCut, NodeGone, PresenceKnown, Present
from service.storage.postgres import timeline, transaction
from service.storage.postgres.connection import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.storage.news import News
    from service.storage.postgres.connection import Connection
    from service.storage.postgres.feed import Feed
    from service.storage.postgres.timeline import Timeline

_log: Final = logging.getLogger("chat.storage")
BEAT: Final = 2.5  # seconds between signs of life
LEASE: Final = 10.0  # seconds, by the database's clock, after which a service without one is taken for dead
EVENTS_KEPT: Final = 60.0  # seconds
_LATE: Final = 1.5 * BEAT  # seconds between two beats: whoever was that late judges nobody
_TRUSTED: Final = round(LEASE / BEAT)  # beats in time after which others that were held up with us have had theirs
_HERE: Final = "SELECT m.last_value, e.last_value FROM message_id AS m, event_id AS e"


class Found(NamedTuple):
    """What was noted of this service when it came back: the number of its last commit, and what that returned."""

    batch: int
    outcome: tuple[Any, ...]


class Node:
    """This service. Its `id` is another one after it was taken for dead."""

    def __init__(self, name: str, figures: Callable[[], Mapping[str, Any]] = dict) -> None:
        self.id = 0
        self.batch = 0  # the number of the last transaction
        self.stored = 0  # of the last that is known to be committed
        self.found: Found | None = None  # at the last `join`; None if there was no row any more
        self.beat_at = 0.0  # monotonic; when to do the next
        self.has_to_clear = False  # whether there are dead services or old events
        self.is_new = False  # whether nobody is noted as present yet, of those that are
        self.name = name
        self._present: set[int] = set()
        self._figures = figures
        self._timeline: Timeline | None = None
        self._beaten_at = 0.0  # monotonic
        self._in_time = 0  # beats in a row

    # -- coming and going ---------------------------------------------------------------------------------------------
    def join(self, connection: Connection, feed: Feed) -> list[News]:
        """Takes part by a new connection; sets how far the feed has come, where that is not known.

        Returns what has to be told here before anything else. Raises psycopg.Error.
        """
        transaction.begin(connection)
        line = timeline.settle(connection)
        is_first = self._timeline is None
        self.found = self._renew(connection)
        (here,) = (Places(*row) for row in connection.run(_HERE).fetchall())
        cut = None if is_first else self._find_loss(connection, line, feed.heard, here)
        entered = self._enter(connection) if self.found is None else self.id
        known = self._read_presence(connection) if self.found is None or cut is not None else None
        connection.run_several("COMMIT")
        if self.found is None:
            self.id, self.batch, self.stored = entered, 0, 0
            self.is_new = bool(self._present)
        if is_first or cut is not None:
            feed.skip_to(here)
        self._timeline = line
        self._beaten_at = time.monotonic()
        self._in_time = 0
        self.beat_at = self._beaten_at + BEAT
        connection.node = self.id
        return [news for news in (cut, known) if news is not None]

    def _renew(self, connection: Connection) -> Found | None:
        lease = "UPDATE node SET lease = clock_timestamp() + make_interval(secs => %s) WHERE id = %s"
        if not connection.run(lease, (LEASE, self.id)).rowcount:
            return None
        newest = "SELECT number, (outcome).* FROM batch WHERE node_id = %s ORDER BY number DESC LIMIT 1"
        number, *outcome = connection.run(newest, (self.id,)).fetchone() or (0,)
        return Found(number, tuple(outcome))

    def _enter(self, connection: Connection) -> int:
        """Makes a row; returns its id. The numbers of batches begin anew with it."""
        ((node_id,),) = connection.run(
            "INSERT INTO node (name, lease, figures) "
            "VALUES (%s, clock_timestamp() + make_interval(secs => %s), %s::jsonb) RETURNING id",
            (self.name, LEASE, json.dumps(dict(self._figures()))),
        ).fetchall()
        return int(node_id)

    def _find_loss(self, connection: Connection, line: Timeline, heard: Places, here: Places) -> HistoryCut | None:
        """Returns what was lost since this service was connected last, if anything was."""
        assert self._timeline is not None  # noqa: S101
        if line.number != self._timeline.number:
            if heard.message > line.newest_message:
                lost = HistoryCut(line.newest_message + 1, heard.message)
                _log.critical(
                    "the database that took over lacks messages that were stored and sent: %d to %d. All clients are "
                    "asked to come again",
                    lost.lost_from,
                    lost.lost_to,
                )
                return lost
            if heard.event > line.newest_event or self.found is None or self.found.batch < self.stored:
                _log.critical(
                    "the database that took over may lack what was stored and answered, but no message. All clients "
                    "are asked to come again"
                )
                return HistoryCut()
        # Whoever removes events removes first who could not have read them. No clock of ours tells that: a machine can
        # be held up with its clocks.
        if self.found is not None or heard.event == here.event:
            return None
        ((oldest,),) = connection.run("SELECT min(id) FROM event").fetchall()
        if oldest is not None and oldest <= heard.event + 1:
            return None
        _log.warning("the database was away for longer than events are kept: all clients are asked to come again")
        return HistoryCut()

    def _read_presence(self, connection: Connection) -> PresenceKnown:
        rows = connection.run(
            'SELECT p.node_id, p.user_id, u.name FROM presence AS p JOIN "user" AS u ON u.id = p.user_id '
            "WHERE p.node_id <> %s",
            (self.id,),
        )
        return PresenceKnown([Present(*row) for row in rows.fetchall()])

    def leave(self, connection: Connection) -> None:
        """Takes this service out, as the last thing it does. Raises psycopg.Error."""
        connection.node = 0
        place = transaction.begin(connection)
        _remove(connection, [self.id])
        transaction.finish(connection, place)

    # -- signs of life ------------------------------------------------------------------------------------------------
    def beat(self, connection: Connection) -> bool:
        """Gives one, with the figures; returns False if this service was taken for dead. Raises psycopg.Error."""
        now = time.monotonic()
        self._in_time = self._in_time + 1 if now - self._beaten_at < _LATE else 0
        # The oldest event is that of the smallest id, found by its index: there may be a hundred thousand in a minute.
        row = connection.run(
            "UPDATE node SET lease = clock_timestamp() + make_interval(secs => %s), figures = %s::jsonb WHERE id = %s "
            "RETURNING EXISTS (SELECT FROM node WHERE lease < clock_timestamp()), "
            "(SELECT at FROM event ORDER BY id LIMIT 1) < clock_timestamp() - make_interval(secs => %s)",
            (LEASE, json.dumps(dict(self._figures())), self.id, EVENTS_KEPT),
        ).fetchone()
        if row is None:
            return False
        self._beaten_at, self.beat_at = now, now + BEAT
        self.has_to_clear = self._in_time >= _TRUSTED and any(row)
        return True

    # -- who is present -----------------------------------------------------------------------------------------------
    def note(self, changes: dict[int, bool]) -> dict[int, bool]:
        """Notes who has come and who has left; returns what of it has to be stored: all, where nothing is."""
        self._present |= {user_id for user_id, present in changes.items() if present}
        self._present -= {user_id for user_id, present in changes.items() if not present}
        if self.is_new:
            self.is_new = False
            return dict.fromkeys(self._present, True)
        return changes

    def is_own(self, news: News) -> bool:
        """Whether it tells who is present here, which is known here: it can be heard after an answer was lost."""
        return isinstance(news, Present | Absent | NodeGone) and news.node_id == self.id

    # -- writes -------------------------------------------------------------------------------------------------------
    def clear_away(self, connection: Connection) -> list[NodeGone]:
        """Removes services whose lease has ended, which it returns, and old events."""
        rows = connection.run("SELECT id, name FROM node WHERE lease < clock_timestamp() AND id <> %s", (self.id,))
        dead = rows.fetchall()
        for node_id, name in dead:
            _log.warning("service %d, %s, was not heard of for %g seconds", node_id, name, LEASE)
        gone = _remove(connection, [node_id for node_id, _ in dead]) if dead else []
        connection.run("DELETE FROM event WHERE at < clock_timestamp() - make_interval(secs => %s)", (EVENTS_KEPT,))
        return gone

    def note_presence(self, connection: Connection, changes: Mapping[int, bool]) -> None:
        """Stores who has come and who has left, and tells the others."""
        come = [user_id for user_id, present in changes.items() if present]
        left = [user_id for user_id, present in changes.items() if not present]
        if left:
            gone = connection.run(
                "DELETE FROM presence WHERE node_id = %s AND user_id = ANY(%s) RETURNING user_id", (self.id, left)
            )
            for (user_id,) in gone.fetchall():
                connection.tell(Absent(self.id, user_id))
        if come:
            here = connection.run(
                "INSERT INTO presence SELECT %s, unnest(%s::bigint[]) ON CONFLICT DO NOTHING "
                'RETURNING user_id, (SELECT name FROM "user" WHERE id = user_id)',
                (self.id, come),
            )
            for user_id, name in here.fetchall():
                connection.tell(Present(self.id, user_id, name))


def _remove(connection: Connection, node_ids: list[int]) -> list[NodeGone]:
    connection.run("DELETE FROM presence WHERE node_id = ANY(%s)", (node_ids,))
    connection.run("DELETE FROM batch WHERE node_id = ANY(%s)", (node_ids,))
    connection.run("DELETE FROM node WHERE id = ANY(%s)", (node_ids,))
    gone = [NodeGone(node_id) for node_id in node_ids]
    for news in gone:
        connection.tell(news)
    return gone
