"""The writer thread: the one connection that writes to or checkpoints the database. Knows no statement of the chat's.

Whatever waits in its bounded queue is stored in one transaction (group commit); only after the COMMIT are the results
handed on, in the order of the writes. What the thread hands on to, and what it does when idle, is injected.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

from service.errors import ChatError, StorageDamaged, StorageUnavailable
from service.storage.contract import Write
from service.storage.sqlite import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from service.storage.contract import Done, Failed, HandOver

_log: Final = logging.getLogger("chat.storage")
_HURRIED_TIMEOUT: Final = 0.5  # seconds to wait for a locked database while the service stops
T = TypeVar("T")


class Limits(NamedTuple):
    """How much waits for the writer, and what it takes at once."""

    queue: int = 10_000  # messages and other writes waiting; beyond it connection threads wait, and their clients
    batch: int = 1_000  # of these in one transaction: 2 ms with FULL; larger ones gain nothing and delay acks
    quiet: float = 0.2  # seconds without a write before upkeep, so that a conversation does not wait for it


class SqlWrite(Write[T]):
    """A write that calls ``work(connection, *arguments)``."""

    __slots__ = ("arguments", "size", "work")

    def __init__(
        self,
        work: Callable[..., Any],
        arguments: tuple[Any, ...],
        done: Done[T] = None,
        refused: Failed = None,
        *,
        size: int = 1,
    ) -> None:
        """`size` says how many messages, or other such things, it stores."""
        # What the base class's __init__ does: calling it is a third of the time, and each batch of messages is a write.
        self.done = done
        self.refused = refused
        self.error = None
        self.ended = False
        self._finished = None
        self.work = work
        self.arguments = arguments
        self.size = size

    @classmethod
    def split(cls, writes: Iterable[Self]) -> list[list[Self]]:
        """Cuts writes of this kind that follow each other into the pieces that `run` takes."""
        return [[write] for write in writes]

    @classmethod
    def run(cls, connection: sqlite3.Connection, writes: Sequence[Self]) -> None:
        """Does one piece, and sets the result of each. What it raises is the error of all of them."""
        for write in writes:
            write.result = write.work(connection, *write.arguments)


class GroupWrite(SqlWrite[T]):
    """One that is done together with those of the same work beside it.

    The work is called as ``work(connection, list of their arguments)`` and gives their results in order.
    """

    __slots__ = ()

    @classmethod
    def split(cls, writes: Iterable[Self]) -> list[list[Self]]:
        """A piece for each work."""
        return [list(group) for _, group in groupby(writes, key=attrgetter("work"))]

    @classmethod
    def run(cls, connection: sqlite3.Connection, writes: Sequence[Self]) -> None:
        """Calls the work once."""
        results = writes[0].work(connection, [write.arguments for write in writes])
        for write, result in zip(writes, results, strict=True):
            write.result = result


_KIND_OF: Final[Callable[[SqlWrite[Any]], type[SqlWrite[Any]]]] = type


class Writer:
    """Owns the thread `chat-writer`.

    A work runs inside the transaction and must not begin or end one. A refusal (ChatError) must be raised before its
    first change: it concerns that work alone. Any other exception that is not SQLite's is a bug: the transaction is
    rolled back and the others run again without that work. If SQLite itself fails (locked, full, read-only), every work
    of the batch ends with StorageUnavailable and nothing of it is stored; the next batch tries afresh, on a new
    connection.
    """

    def __init__(
        self,
        path: Path,
        hand_over: HandOver,
        when_idle: Callable[[sqlite3.Connection], bool],
        note: Callable[[str], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`hand_over` gets what each write of a commit tells whom, in order; `when_idle` does a piece of upkeep.

        That piece is small and runs in a transaction of its own; it says whether there is more to do. After each commit
        `note` gets the newest ids as lines.
        """
        self._note = note
        self._limits = limits or Limits()
        self._path = path
        self._hand_over = hand_over
        self._when_idle = when_idle
        self._connection: sqlite3.Connection | None = None  # opened by the thread, and again after a failure
        self._failed: sqlite3.Connection | None = None  # the one before, until then
        self._trouble = ""  # what the last attempt failed with: said once, not for each batch
        self._refused = 0  # writes, since that was said
        self._damage = ""  # why nothing more is stored
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._space = threading.Condition(self._lock)
        self._queue: deque[SqlWrite[Any]] = deque()
        self._queued = 0  # their sizes
        self._idle = False  # the thread waits for a write
        self._closing = False
        self._hurrying = False
        self._given_up: StorageUnavailable | None = None  # while hurrying: why nothing more is tried
        self._upkeep_due = True

    # -- from any thread ----------------------------------------------------------------------------------------------
    def submit(self, write: SqlWrite[Any]) -> None:
        """Queues a write; waits while the queue is full.

        After the end of the service the write fails at once with StorageUnavailable.
        """
        with self._lock:
            while self._queued >= self._limits.queue and not self._closing:
                self._space.wait()
            if not self._closing:
                self._queue.append(write)
                self._queued += write.size
                if self._idle:  # a notify costs a microsecond also when no thread waits
                    self._arrived.notify()
                return
        write.error = StorageUnavailable("the service is stopping")
        self._finish([write])

    def wait(self, write: Write[Any]) -> None:
        """Returns once the write has ended and its outcome is handed on."""
        with self._lock:
            finished = None if write.ended else write.waiting_event()
        if finished is not None:
            finished.wait()

    def hurry(self) -> None:
        """Waits no longer for locks: the service is stopping. After the first failure all the rest fails at once."""
        self._hurrying = True

    def condemn(self, damage: StorageDamaged) -> None:
        """Stores nothing more, for what is stored in a damaged file may be lost, or do more damage. Says so once."""
        with self._lock:
            known, self._damage = self._damage, str(damage)
        if not known:
            _log.critical("nothing more is stored: %s", database.describe_damage(self._path, damage))

    def close(self) -> None:
        """Takes no more writes; the thread ends once the queued ones are done."""
        with self._lock:
            self._closing = True
            self._arrived.notify_all()
            self._space.notify_all()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """The thread's loop; ends after `close`. If it breaks down, no thread waits for it in vain."""
        batch: list[SqlWrite[Any]] | None = []
        try:
            while (batch := self._take()) is not None:
                if batch:
                    self._commit(batch)
                    self._finish(batch)
                else:
                    self._keep_up()
        finally:
            self._disconnect()
            self._close_failed()
            self.close()
            self._abandon(batch or [])

    def _abandon(self, batch: list[SqlWrite[Any]]) -> None:
        """Ends what is left undone: what may or may not be stored is answered as unavailable, and sent again."""
        with self._lock:
            left = [write for write in (*batch, *self._queue) if not write.ended]
            self._queue.clear()
        for write in left:
            write.error = StorageUnavailable("the writer thread has ended")
        if left:
            self._finish(left)

    def _take(self) -> list[SqlWrite[Any]] | None:
        """What waits, at most a batch; empty when it is time for upkeep; None when all is done."""
        with self._lock:
            while not self._queue:
                if self._closing:
                    return None
                self._idle = True
                arrived = self._arrived.wait(self._limits.quiet if self._upkeep_due else None)
                self._idle = False
                if not arrived and self._upkeep_due:
                    break
            batch: list[SqlWrite[Any]] = []
            taken = 0
            while self._queue and taken < self._limits.batch:
                batch.append(self._queue.popleft())
                taken += batch[-1].size
            self._queued -= taken
            self._space.notify_all()
            return batch

    def _finish(self, batch: Sequence[SqlWrite[Any]]) -> None:
        told: list[tuple[Callable[[Any], None], Any]] = []
        for write in batch:
            if write.error is None:
                if write.done is not None:
                    told.append((write.done, write.result))
            elif write.refused is not None:
                told.append((write.refused, write.error))
        self._hand_over(told)
        with self._lock:
            for write in batch:
                write.finish()

    def _commit(self, batch: list[SqlWrite[Any]]) -> None:
        """Gives every write of the batch its result or its error."""
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
                write.error = None  # what was refused may be possible now

    def _note_trouble(self, error: sqlite3.Error | StorageUnavailable, cost: str) -> StorageUnavailable:
        """Logs what is new: a full disk is met by each batch. Gives the error as the service knows it."""
        trouble = error if isinstance(error, StorageUnavailable) else database.translated(error)
        if isinstance(trouble, StorageDamaged):
            self.condemn(trouble)
        elif str(trouble) != self._trouble:
            _log.error("storage unavailable, %s: %s", cost, trouble)
        self._trouble = str(trouble)
        return trouble

    def _attempt(self, batch: list[SqlWrite[Any]]) -> list[SqlWrite[Any]]:
        """One transaction; gives the writes whose bug spoilt it, if any. Raises sqlite3.Error if SQLite failed."""
        connection = self._begin()
        for kind, group in groupby(batch, key=_KIND_OF):
            for writes in kind.split(group):
                try:
                    kind.run(connection, writes)
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

    def _keep_up(self) -> None:
        """Upkeep while nothing waits; its failure is no one's loss, and the next commit tries again."""
        self._upkeep_due = False
        if self._damage:
            return
        try:
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            more = self._when_idle(connection)
            connection.execute("COMMIT")
            if not more:
                database.checkpoint(connection)
            self._upkeep_due = more
        except (sqlite3.Error, StorageUnavailable) as error:
            self._note_trouble(error, "upkeep is put off")
            self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.connect_writer(self._path)
            self._close_failed()
        return self._connection

    def _disconnect(self) -> None:
        """Gives up the connection, which rolls back; a new one sees the file as it is by then.

        It stays open until there is a new one. What a commit whose fsync failed has left in the -wal is overwritten by
        the next one: but were no connection left open, the next to be opened would take it for stored. A disk that has
        failed an fsync may have dropped those pages, and say of later ones that they are safe: a hole that, after a
        power cut, would hide all that follows it.
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
