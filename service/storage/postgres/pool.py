"""Connections for reading: each is lent to a thread from its first read until its `release`, and kept for the next."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import psycopg

from service.config import READERS
from service.errors import StorageUnavailable
from service.storage.postgres.connection import connect, translated_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.storage.postgres.address import Address
    from service.storage.postgres.connection import Connection

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

_HURRIED_TIMEOUT: Final = 0.5  # seconds to wait for an answer while the service stops


class Pool:
    """At most so many connections as there are places. Opening one costs as much as a hundred reads."""

    def __init__(self, place: Address, size: int = READERS, *, name: str = "chat") -> None:
        self._place = place
        self._name = name
        self._own = threading.local()
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []  # guarded by the lock, as is the next; the newest is lent first
        self._lent: set[Connection] = set()
        self._hurrying = False

    def read(self, query: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Reads by this thread's connection, which it borrows when needed. Raises StorageUnavailable.

        Where a connection was lost the query runs once more, by a new one: the server may have been started anew.
        """
        connection: Connection | None = getattr(self._own, "connection", None)
        is_fresh = False
        while True:
            if connection is None:
                connection, is_fresh = self._borrow()
            try:
                with translated_errors():
                    return query(connection, *args)
            except BaseException:
                if connection.raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    connection.close()  # it is lost, or in a transaction that nobody ends
                is_lost = connection.is_lost
                if is_lost:
                    self.release()
                    self._close_idle()
                    connection = None
                if not is_lost or is_fresh or self._hurrying:
                    raise

    def _borrow(self) -> tuple[Connection, bool]:
        """Returns a connection, and whether it was opened just now."""
        self._places.acquire()
        try:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            with translated_errors():
                connection = kept or connect(self._place, read_only=True, name=self._name)
            with self._lock:
                is_hurrying = self._hurrying
                if not is_hurrying:
                    self._lent.add(connection)
            if is_hurrying:  # `hurry` could not reach a thread that waited for a place, or for its connection
                connection.close()
                raise StorageUnavailable("the service is stopping")
        except BaseException:
            self._places.release()
            raise
        self._own.connection = connection
        return connection, kept is None

    def release(self) -> None:
        """Gives this thread's connection back, if it has one."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            return
        self._own.connection = None
        with self._lock:
            self._lent.discard(connection)
            is_kept = not (self._hurrying or connection.is_lost)
            if is_kept:
                self._idle.append(connection)
        if not is_kept:
            connection.close()
        self._places.release()

    def hurry(self) -> None:
        """Lets no read go on for long, and none begin by a new connection, because the service stops."""
        with self._lock:
            self._hurrying = True
            lent = list(self._lent)
        for connection in lent:
            connection.set_answer_timeout(_HURRIED_TIMEOUT)

    def close(self) -> None:
        """Closes the connections that nobody has."""
        with self._lock:
            self._hurrying = True
        self._close_idle()

    def _close_idle(self) -> None:
        """Where one was lost the others are, too, and each might wait for an answer first."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
