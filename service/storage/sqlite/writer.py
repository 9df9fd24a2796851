"""The writer thread: the one connection that writes to or checkpoints the database. Knows no statement of the chat.

It stores all that waits in its bounded queue in one transaction (group commit). Only after the COMMIT does it hand the
results over, in the order of the writes. The receiver and the upkeep when idle are arguments.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from service.errors import ChatError, StorageDamaged, StorageUnavailable
from service.storage.queue import BATCH, QUEUE, WriteQueue
from service.storage.sqlite import database
from service.storage.writes import cut_into_pieces
from service.tally import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.contract import HandOver
    from service.storage.writes import SqlWrite

_log: Final = logging.getLogger("chat.storage")
_RETRY: Final = 5.0  # seconds until failed upkeep is tried again while writes wait
_HURRIED_TIMEOUT: Final = 0.5  # seconds to wait for a locked database while the service stops
# Seconds: a commit of one message takes 0.0002, of a full batch 0.002; a disk at its limit 0.1 and more.
_COMMIT_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Limits(NamedTuple):
    """How much may wait for the writer, how much it takes at once, and how its connection is set up."""

    queue: int = QUEUE
    batch: int = BATCH
    quiet: float = 0.2  # seconds without a write before upkeep, so that a conversation does not wait for upkeep
    piece_pace: float = 0.05  # seconds between pieces of 2 ms that are due anyway; ten million messages: half an hour
    lock_timeout: float = database.STORAGE_TIMEOUT
    checkpoint_pages: int = database.CHECKPOINT_PAGES


class Due(NamedTuple):
    """Which upkeep remains."""

    later: bool  # when nothing waits
    soon: bool  # within the hour, even if there is never such a moment
    wal: bool  # the -wal has to be emptied next


class Upkeep(Protocol):
    """Work of the writer's own, in small pieces. Both run in a transaction of their own."""

    def do_piece(self, connection: sqlite3.Connection, *, idle: bool) -> Due:
        """Does a piece, and more of it if the writer is `idle`; returns what remains."""

    def note_emptied(self, connection: sqlite3.Connection) -> bool:
        """Notes that the -wal was emptied, after `do_piece` asked for it; returns whether more is due `soon`."""


class Writer(WriteQueue):
    """Owns the thread `chat-writer`.

    A work runs inside the transaction and must not begin or end one. It must raise a refusal (ChatError) before its
    first change: the refusal concerns that work alone. Any other exception that is not SQLite's is a bug: the
    transaction is rolled back, and the other works run again without that one. If SQLite itself fails (locked, full,
    read-only), every work of the batch ends with StorageUnavailable and nothing of it is stored; the next batch uses a
    new connection.
    """

    def __init__(
        self,
        path: Path,
        hand_over: HandOver,
        upkeep: Upkeep,
        note: Callable[[str], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """After each commit `hand_over` gets the callbacks of its writes, in order, and `note` the newest ids."""
        self._limits = limits or Limits()
        super().__init__(hand_over, self._limits.queue, self._limits.batch)
        self._note = note
        self._path = path
        self._upkeep = upkeep
        self._connection: sqlite3.Connection | None = None  # the thread opens it, again after each failure
        self._failed: sqlite3.Connection | None = None  # the failed connection, until a new one is open
        self._trouble = ""  # the error of the last attempt, so that it is logged once, not for each batch
        self._refused = 0  # writes refused since that log line
        self._damage = ""  # why nothing more is stored; empty if the file is sound
        self._hurrying = False
        self._owing = False  # whether there is upkeep that is due even if something always waits
        self._piece_at = 0.0  # monotonic; when to do its next piece
        self._given_up: StorageUnavailable | None = None  # while hurrying: why no more attempts are made
        self._upkeep_due = True
        self.written = 0  # writes that were stored
        self.commits = Histogram(_COMMIT_BOUNDS)  # seconds

    # -- from any thread ----------------------------------------------------------------------------------------------
    def hurry(self) -> None:
        """Stops waiting for locks, because the service stops. After the first failure all other writes fail at once."""
        self._hurrying = True

    def condemn(self, damage: StorageDamaged) -> None:
        """Stops all storing, because a damaged file may lose it, or be damaged more by it. Logs that once."""
        with self._lock:
            known, self._damage = self._damage, str(damage)
        if not known:
            _log.critical("nothing more is stored: %s", database.describe_damage(self._path, damage))

    # -- the thread ---------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """The thread's loop; ends after `close`. If it fails, threads that wait for a write are released."""
        batch: list[SqlWrite[Any]] | None = []
        try:
            while (batch := self._next()) is not None:
                if batch:
                    self._commit(batch)
                    self._finish(batch)
                else:
                    self._keep_up(idle=not self._queue)
        finally:
            self._disconnect()
            self._close_failed()
            self.close()
            self._abandon(batch or [])

    def _next(self) -> list[SqlWrite[Any]] | None:
        """Returns the next batch; empty when upkeep is due; None at the end."""
        if self._queue and self._owing and time.monotonic() >= self._piece_at:
            return []
        quiet = self._limits.piece_pace if self._owing else self._limits.quiet
        return self._take(quiet if self._upkeep_due else None)

    def _commit(self, batch: list[SqlWrite[Any]]) -> None:
        """Gives each write of the batch its result or its error."""
        pending = batch
        while pending:
            try:
                broken = self._attempt(pending)
            except (sqlite3.Error, StorageUnavailable) as error:
                unavailable = self._note_trouble(error, "writes are refused")
                self._refused += len(pending)
                self._disconnect()
                self._given_up = unavailable if self._hurrying else None
                for write in pending:
                    write.error = unavailable
                return
            if not broken:
                self._upkeep_due = True
                if self._refused:
                    _log.info("storing again; %d writes were refused", self._refused)
                    self._trouble, self._refused = "", 0
                return
            self._disconnect()
            pending = [write for write in pending if write not in broken]
            for write in pending:
                write.error = None  # a refused write may succeed now

    def _note_trouble(self, error: sqlite3.Error | StorageUnavailable, cost: str) -> StorageUnavailable:
        """Logs a new error once, as each batch meets a full disk; returns it as the service's error."""
        trouble = error if isinstance(error, StorageUnavailable) else database.translated(error)
        if isinstance(trouble, StorageDamaged):
            self.condemn(trouble)
        elif str(trouble) != self._trouble:
            _log.error("storage unavailable, %s: %s", cost, trouble)
        self._trouble = str(trouble)
        return trouble

    def _attempt(self, batch: list[SqlWrite[Any]]) -> list[SqlWrite[Any]]:
        """Runs one transaction; returns the writes whose bug spoilt it, if any. Raises sqlite3.Error."""
        began = time.perf_counter()
        connection = self._begin()
        for writes in cut_into_pieces(batch):
            try:
                writes[0].run(connection, writes)
            except ChatError as refusal:
                for write in writes:
                    write.error = refusal
            except Exception as error:  # a bug in one work must not stop the writer
                if isinstance(error, sqlite3.Error) and database.is_unavailable(error):
                    raise
                _log.exception("a write failed: %s", writes[0].work)
                for write in writes:
                    write.error = error
                return writes
        ids = database.newest_ids(connection)
        connection.execute("COMMIT")
        self.commits.add(time.perf_counter() - began)
        self.written += len(batch)
        if self._note is not None:
            self._note(ids)
        return []

    def _begin(self) -> sqlite3.Connection:
        if self._damage:
            raise StorageDamaged(self._damage)
        if self._given_up is not None:
            raise self._given_up
        connection = self._connect()
        if self._hurrying:
            database.set_timeout(connection, _HURRIED_TIMEOUT)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def owe(self) -> None:
        """There is upkeep that may not wait for an idle moment for ever. For works, and before the thread's start."""
        self._owing = True

    def _keep_up(self, *, idle: bool) -> None:
        """Does a piece of upkeep, and empties the -wal. A failure costs nothing: the next commit tries again."""
        self._upkeep_due = False
        if self._damage:
            self._owing = False
            return
        self._piece_at = time.monotonic() + _RETRY
        try:
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            due = self._upkeep.do_piece(connection, idle=idle)
            connection.execute("COMMIT")
            self._owing = due.soon
            if (due.wal or (idle and not due.later)) and database.checkpoint(connection) and due.wal:
                connection.execute("BEGIN IMMEDIATE")
                self._owing = self._upkeep.note_emptied(connection)
                connection.execute("COMMIT")
            self._upkeep_due = due.later or self._owing
            self._piece_at = time.monotonic() + self._limits.piece_pace
        except (sqlite3.Error, StorageUnavailable) as error:
            self._note_trouble(error, "upkeep is put off")
            self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            timeout, pages = self._limits.lock_timeout, self._limits.checkpoint_pages
            self._connection = database.connect_writer(self._path, timeout=timeout, checkpoint_pages=pages)
            self._close_failed()
        return self._connection

    def _disconnect(self) -> None:
        """Gives the connection up, which rolls back. It stays open until there is a new one.

        The new connection sees the file's present state. service/README.txt ("The file") says why the old one stays
        open.
        """
        failed, self._connection = self._connection, None
        if failed is not None:
            self._close_failed()
            self._failed = failed
            with suppress(sqlite3.Error):
                failed.rollback()

    def _close_failed(self) -> None:
        if self._failed is not None:
            with suppress(sqlite3.Error):
                self._failed.close()
            self._failed = None
