"""The writer thread's connection: opened, lost and opened again, with this service's part among the others renewed.

It runs no write. All but `hurry` is for the writer thread.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from service.errors import ConfigError, StorageUnavailable
from service.storage.postgres.connection import connect, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq import PGnotify

    from service.storage.news import News
    from service.storage.postgres.address import Address
    from service.storage.postgres.bell import Bell
    from service.storage.postgres.connection import Connection
    from service.storage.postgres.feed import Feed
    from service.storage.postgres.node import Node

_log: Final = logging.getLogger("chat.storage")
RECONNECT: Final = 6.0  # seconds from the loss of a connection in which writes wait for another one
RETRY: Final = 1.0  # seconds until another attempt while nothing is to be written
_PAUSE: Final = 0.1  # seconds between attempts while something is
_END_TIMEOUT: Final = 2_000  # milliseconds for the end of a session that was lost here
_HURRIED_TIMEOUT: Final = 1.0  # seconds to wait for an answer while the service stops
_LEAVE_TIMEOUT: Final = 0.4  # seconds for each of the answers at the end: then the lease takes care of it
_SESSION: Final = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
# It may still be at work there. Once it has ended the row of the node says what it has committed.
_END: Final = (
    "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity "
    "WHERE pid = %s AND backend_start = %s AND pid <> pg_backend_pid()"
)


class Link:
    """A way to the database, by one connection after another."""

    def __init__(self, place: Address, node: Node, feed: Feed, bell: Bell, tell: Callable[[News], None]) -> None:
        """`tell` gets what follows from a connection that was away."""
        self.connection: Connection | None = None
        self.is_woken = False  # whether another service may have committed something
        self.retry_at = 0.0  # monotonic; when to try again while nothing is to be written
        self._place = place
        self._node = node
        self._feed = feed
        self._bell = bell
        self._tell = tell
        self._hurried = threading.Event()
        self._session: tuple[Any, ...] | None = None  # of the newest connection, also once it is lost
        self._pid = 0
        self._lost_at: float | None = None  # monotonic

    def open(self) -> Connection:
        """Returns the connection, a new one if need be. Raises psycopg.Error, ConfigError, StorageUnavailable."""
        if self.connection is not None:
            return self.connection
        connection = connect(self._place, name=f"chat {self._node.name}".rstrip())
        try:
            if self._hurried.is_set():
                connection.set_answer_timeout(_HURRIED_TIMEOUT)
            self._end_former(connection)
            ((*session,),) = connection.run(_SESSION).fetchall()
            connection.raw.pgconn.notify_handler = self._take_notice
            connection.run_several(f"LISTEN {self._place.channel}")
            news = self._node.join(connection, self._feed)
        except BaseException:
            connection.close()
            raise
        self._session, self._pid = tuple(session), session[0]
        self._bell.watch(connection.raw.fileno())
        self.connection = connection
        if self._hurried.is_set():  # also where that has come just now
            connection.set_answer_timeout(_HURRIED_TIMEOUT)
        if self._lost_at is not None:
            _log.info("connected to the database again, after %.1f seconds", time.monotonic() - self._lost_at)
        self._lost_at = None
        self.is_woken = True
        for item in news:
            self._tell(item)
        return connection

    def reach(self) -> Connection:
        """As `open`, but tries for a while where the connection was lost just now. Raises StorageUnavailable."""
        while True:
            try:
                return self.open()
            except (psycopg.Error, ConfigError, StorageUnavailable) as error:
                self.retry_at = time.monotonic() + RETRY
                given_up = self._lost_at is None or time.monotonic() >= self._lost_at + RECONNECT
                if given_up or self._hurried.is_set():
                    raise as_unavailable(error) from error
            self._hurried.wait(_PAUSE)

    def _end_former(self, connection: Connection) -> None:
        if self._session is not None:
            ended = connection.run(_END, (_END_TIMEOUT, *self._session)).fetchall()
            if ended == [(False,)]:
                raise StorageUnavailable("the session of this service that was lost does not end")
            self._session = None

    def drop(self, error: BaseException) -> None:
        """Gives the connection up."""
        if self.connection is not None:
            _log.warning("the connection to the database is given up: %s", as_unavailable(error))
            self._lost_at = time.monotonic()
            self.close()

    def close(self) -> None:
        """Closes it; never waits."""
        self._bell.watch(-1)
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def leave(self) -> None:
        """Takes this service out, if that can be done at once, and closes the connection."""
        if self.connection is not None:
            self.connection.set_answer_timeout(_LEAVE_TIMEOUT)
            with suppress(psycopg.Error):
                self._node.leave(self.connection)
        self.close()

    def hurry(self) -> None:
        """Waits little from now on. For any thread."""
        self._hurried.set()
        connection = self.connection
        if connection is not None:
            connection.set_answer_timeout(_HURRIED_TIMEOUT)

    def _take_notice(self, notice: PGnotify) -> None:
        if notice.be_pid != self._pid:
            self.is_woken = True


def as_unavailable(error: BaseException) -> StorageUnavailable:
    """Returns the service's error for what an attempt has raised."""
    if isinstance(error, psycopg.Error):
        return translated(error)
    return error if isinstance(error, StorageUnavailable) else StorageUnavailable(str(error))
