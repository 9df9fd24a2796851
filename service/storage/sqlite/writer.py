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
from typing import TYPE_CHECKING, Any, Final

from service.config import HURRIED_STORAGE_TIMEOUT, INDEX_DELAY, WRITE_BATCH, WRITE_QUEUE
from service.errors import ChatError, StorageDamaged, StorageUnavailable
from service.storage.sqlite import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_log: Final = logging.getLogger("chat.storage")


class Write:
    """One write on its way: what to do, who is told, and what came of it."""

    __slots__ = ("_finished", "arguments", "done", "outcome", "size", "then", "work")

    def __init__(
        self, work: Callable[..., Any], arguments: tuple[Any, ...], then: Callable[[Any], None] | None, size: int
    ) -> None:
        self.work = work
        self.arguments = arguments
        self.size = size  # how many it counts for in the bounds of the queue and of a batch
        self.then = then
        self.outcome: Any = None
        self.done = False
        self._finished: threading.Event | None = None  # made only for those who wait: most writes are not waited for

    def waiting_event(self) -> threading.Event:
        """Set once this write is done and handed on; call with the writer's lock held."""
        if self._finished is None:
            self._finished = threading.Event()
        return self._finished

    def finish(self) -> None:
        """Marks it as done and handed on; call with the writer's lock held."""
        self.done = True
        if self._finished is not None:
            self._finished.set()


class Writer:
    """Owns the thread `chat-writer`.

    A work runs inside the transaction and must not begin or end one. A refusal (PeerError) must be raised before its
    first change: it concerns that work alone. Any other exception that is not SQLite's is a bug: the transaction is
    rolled back and the others run again without that work. If SQLite itself fails (locked, full, read-only), every work
    of the batch ends with StorageUnavailable and nothing of it is stored; the next batch tries
    afresh, on a new connection.
    """

    def __init__(
        self,
        path: Path,
        hand_over: Callable[[Iterable[tuple[Callable[[Any], None], Any]]], None],
        when_idle: Callable[[sqlite3.Connection], bool],
        bulk: Callable[[sqlite3.Connection, Any], Sequence[Any]] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        """`hand_over` gets (then, outcome) pairs after each commit; `when_idle` does a piece of upkeep.

        That piece is small and runs in a transaction of its own; it says whether there is more to do. The work `bulk`
        is not called for each write: it gets a list of the arguments of several in a row, and gives their outcomes.
        After each commit `note` gets the newest ids as lines.
        """
        self._note = note
        self._bulk = bulk
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
        self._room = threading.Condition(self._lock)
        self._queue: deque[Write] = deque()
        self._queued = 0  # their sizes
        self._idle = False  # the thread waits for a write
        self._closing = False
        self._hurrying = False
        self._given_up: StorageUnavailable | None = None  # while hurrying: why nothing more is tried
        self._upkeep_due = True

    # -- from any thread ----------------------------------------------------------------------------------------------
    def submit(
        self, work: Callable[..., Any], *arguments: Any, then: Callable[[Any], None] | None = None, size: int = 1
    ) -> Write:
        """Queues `work(connection, *arguments)`; waits while the queue is full. `then` gets the outcome.

        `size` says how many messages, or other such things, it stores.

        After the end of the service the write fails at once, with StorageUnavailable as its outcome.
        """
        write = Write(work, arguments, then, size)
        with self._lock:
            while self._queued >= WRITE_QUEUE and not self._closing:
                self._room.wait()
            if not self._closing:
                self._queue.append(write)
                self._queued += size
                if self._idle:  # a notify costs a microsecond also when nobody waits
                    self._arrived.notify()
                return write
            write.outcome = StorageUnavailable("the service is stopping")
            write.finish()
        if then is not None:
            self._hand_over([(then, write.outcome)])
        return write

    def wait(self, write: Write) -> None:
        """Returns once the write has its outcome and that is handed on."""
        with self._lock:
            finished = None if write.done else write.waiting_event()
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
            self._room.notify_all()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """The thread's loop; ends after `close`. If it breaks down, nobody waits for it in vain."""
        batch: list[Write] | None = []
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

    def _abandon(self, batch: list[Write]) -> None:
        """Ends what is left undone: what may or may not be stored is answered as unavailable, and sent again."""
        with self._lock:
            left = [write for write in (*batch, *self._queue) if not write.done]
            self._queue.clear()
        for write in left:
            write.outcome = StorageUnavailable("the writer thread has ended")
        if left:
            self._finish(left)

    def _take(self) -> list[Write] | None:
        """What waits, at most a batch; empty when it is time for upkeep; None when all is done."""
        with self._lock:
            while not self._queue:
                if self._closing:
                    return None
                self._idle = True
                arrived = self._arrived.wait(INDEX_DELAY if self._upkeep_due else None)
                self._idle = False
                if not arrived and self._upkeep_due:
                    break
            batch: list[Write] = []
            taken = 0
            while self._queue and taken < WRITE_BATCH:
                batch.append(self._queue.popleft())
                taken += batch[-1].size
            self._queued -= taken
            self._room.notify_all()
            return batch

    def _finish(self, batch: list[Write]) -> None:
        self._hand_over([(write.then, write.outcome) for write in batch if write.then is not None])
        with self._lock:
            for write in batch:
                write.finish()

    def _commit(self, batch: list[Write]) -> None:
        """Gives every write of the batch its outcome."""
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
                    write.outcome = unavailable
                return
            if not broken:
                self._upkeep_due = True
                if self._refused:
                    _log.info("storing again; %d writes were refused", self._refused)
                    self._trouble, self._refused = "", 0
                return
            self._disconnect()
            pending = [write for write in pending if write not in broken]

    def _note_trouble(self, error: sqlite3.Error | StorageUnavailable, cost: str) -> StorageUnavailable:
        """Logs what is new: a full disk is met by each batch. Gives the error as the service knows it."""
        trouble = error if isinstance(error, StorageUnavailable) else database.translated(error)
        if isinstance(trouble, StorageDamaged):
            self.condemn(trouble)
        elif str(trouble) != self._trouble:
            _log.error("storage unavailable, %s: %s", cost, trouble)
        self._trouble = str(trouble)
        return trouble

    def _attempt(self, batch: list[Write]) -> list[Write]:
        """One transaction; gives the writes whose bug spoilt it, if any. Raises sqlite3.Error if SQLite failed."""
        connection = self._begin()
        for work, group in groupby(batch, key=attrgetter("work")):
            for writes in [list(group)] if work is self._bulk else [[write] for write in group]:
                try:
                    self._run(connection, writes)
                except ChatError as refusal:
                    for write in writes:
                        write.outcome = refusal
                except Exception as error:  # a bug in one work must not stop the writer
                    if isinstance(error, sqlite3.Error) and database.is_unavailable(error):
                        raise
                    _log.exception("a write failed: %s", work)
                    for write in writes:
                        write.outcome = error
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
            database.set_timeout(connection, HURRIED_STORAGE_TIMEOUT)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def _run(self, connection: sqlite3.Connection, writes: list[Write]) -> None:
        """Does one write, or several of the bulk work."""
        if writes[0].work is not self._bulk:
            writes[0].outcome = writes[0].work(connection, *writes[0].arguments)
            return
        outcomes = self._bulk(connection, [write.arguments for write in writes])
        for write, outcome in zip(writes, outcomes, strict=True):
            write.outcome = outcome

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
