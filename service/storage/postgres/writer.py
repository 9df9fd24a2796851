"""The writer thread: the one connection that writes, and the one that hears of others' writes.

It stores all that waits in its queue in one transaction, reads what other services have committed meanwhile, and hands
both over in the order of the commits.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg

from service.errors import ConfigError, StorageUnavailable
from service.storage.postgres.batches import Batches
from service.storage.postgres.bell import Bell
from service.storage.postgres.feed import Feed
from service.storage.postgres.link import RETRY, Link, as_unavailable
from service.storage.postgres.node import Node
from service.storage.queue import BATCH, QUEUE, WriteQueue
from service.storage.writes import SqlWrite

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    from service.storage.news import News, NodeGone, TakeNews
    from service.storage.postgres.address import Address
    from service.storage.postgres.connection import Connection
    from service.storage.postgres.feed import Heard, Own
    from service.storage.write import HandOver

    Batch = list[SqlWrite[Any]]

_log: Final = logging.getLogger("chat.storage")
_QUIET: Final = 1.0  # seconds without any commit before upkeep, so that no conversation waits for it


class Writer(WriteQueue):
    """Owns the thread `chat-writer`.

    A work runs inside the transaction and must not begin or end one. It must raise a refusal (ChatError) before its
    first change: the refusal concerns that work alone. Any other exception that is not the server's state is a bug: the
    transaction is rolled back, and the other works run again without that one. After the loss of a connection a batch
    is stored by another one, once, if that comes in time; else every work of it ends with StorageUnavailable.
    """

    def __init__(
        self,
        place: Address,
        hand_over: HandOver,
        take_news: TakeNews | None = None,
        *,
        node_name: str = "",
        figures: Callable[[], Mapping[str, Any]] | None = None,
        upkeep: Callable[[Connection], bool] | None = None,
        capacity: int = QUEUE,
        batch: int = BATCH,
    ) -> None:
        """Connects. `upkeep` does a piece when nothing else is to do, and returns whether more is left.

        Raises ConfigError, StorageUnavailable.
        """
        super().__init__(hand_over, capacity, batch, self._hang_bell)
        self._take_news = take_news or _ignore
        self._upkeep = upkeep
        self._feed = Feed()
        self._node = Node(node_name, figures or dict)
        self._link = Link(place, self._node, self._feed, self._bell, self._tell)
        self._batches = Batches(self._link, self._node)
        self._changes: dict[int, bool] = {}  # who has come or left, to be stored; guarded by the queue's lock
        self._given_up: StorageUnavailable | None = None  # while hurrying: why no more attempts are made
        self._hurrying = False
        self._quiet_at = 0.0  # monotonic; when upkeep holds nobody up
        self._upkeep_due = upkeep is not None
        self._own_work: SqlWrite[Any] | None = None  # the newest write that is nobody's but the writer's
        self._trouble = ""  # the error of the last attempt, so that it is logged once, not for each batch
        self._refused = 0  # writes refused since that log line
        self.written = 0  # writes that were stored, without the writer's own
        self.commits = self._batches.commits  # seconds
        try:
            self._link.open()
        except BaseException as error:
            self._link.close()
            self._bell.close()
            if isinstance(error, psycopg.Error):
                raise as_unavailable(error) from error
            raise

    def _hang_bell(self, lock: threading.Lock) -> Bell:
        self._bell = Bell(lock)
        return self._bell

    # -- from any thread ----------------------------------------------------------------------------------------------
    @property
    def node_id(self) -> int:
        """The id of this service among those over the database; another one after it was taken for dead."""
        return self._node.id

    def set_present(self, user_id: int, present: bool) -> None:  # noqa: FBT001 (the contract's)
        """Notes who is in the list of users here; returns at once."""
        with self._lock:
            if not self._closing:
                self._changes[user_id] = present
                if self._idle:
                    self._idle = False
                    self._arrived.notify()

    def hurry(self) -> None:
        """Waits little from now on, as the service stops. After the first failure all other writes fail at once."""
        self._hurrying = True
        self._link.hurry()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """The thread's loop; ends after `close`. If it fails, threads that wait for a write are released."""
        batch: Batch | None = []
        try:
            while (batch := self._take(self._pause())) is not None:
                changes = self._take_changes()
                self._own_work = SqlWrite(self._node.note_presence, (changes,)) if changes else None
                if self._own_work is not None:
                    batch.append(self._own_work)
                if batch:
                    self._commit(batch)
                    if changes and batch[-1].error is not None:
                        self._put_back(changes)
                self._keep_up(is_idle=not batch)
        finally:
            self._link.leave()
            self.close()
            self._abandon(batch or [])
            with self._lock:
                self._bell.close()

    def _pause(self) -> float:
        """Returns how long the thread may wait for a write, in seconds."""
        if self._link.connection is None:
            until = self._link.retry_at
        elif self._link.is_woken or self._node.is_new:
            return 0.0
        else:
            until = min(self._node.beat_at, self._quiet_at) if self._upkeep_due else self._node.beat_at
        return max(0.0, until - time.monotonic())

    # -- a batch ------------------------------------------------------------------------------------------------------
    def _commit(self, batch: Batch) -> None:
        """Gives each write of the batch its result or its error, and hands them over in their place among the news."""
        pending = batch
        own: Own | None = None
        while pending:
            try:
                if self._given_up is not None:
                    raise self._given_up
                broken, own = self._batches.store(pending)
            except (psycopg.Error, StorageUnavailable) as error:
                self._refuse(pending, error)
                break
            if own is not None:
                self._note_success(pending)
                break
            pending = [write for write in pending if write not in broken]
            for write in pending:
                write.error = None  # a refused write may succeed now
        if own is None or not self._feed.note_own(own):
            self._finish(batch)
        else:
            self._finish_among_news(batch, own)

    def _refuse(self, batch: Batch, error: psycopg.Error | StorageUnavailable) -> None:
        unavailable = as_unavailable(error)
        if not isinstance(error, StorageUnavailable):
            self._link.drop(error)
        self._note_trouble(unavailable, "writes are refused")
        self._refused += len(batch)
        self._given_up = StorageUnavailable(str(unavailable)) if self._hurrying else None
        for write in batch:
            write.error = unavailable

    def _note_trouble(self, trouble: StorageUnavailable, cost: str) -> None:
        """Logs a new error once, as each batch meets a server that is away."""
        if str(trouble) != self._trouble:
            _log.error("storage unavailable, %s: %s", cost, trouble)
        self._trouble = str(trouble)

    def _note_success(self, batch: Batch) -> None:
        self.written += len(batch) - (self._own_work is not None and self._own_work in batch)
        self._put_upkeep_off()
        if self._refused:
            _log.info("storing again; %d writes were refused", self._refused)
        self._trouble, self._refused = "", 0

    # -- news ---------------------------------------------------------------------------------------------------------
    def _tell(self, *news: News) -> None:
        """Hands over news, but for what concerns this service itself."""
        told = [(self._take_news, item) for item in news if not self._node.is_own(item)]
        if told:
            self._hand_over(told)

    def _finish_among_news(self, batch: Batch, own: Own) -> None:
        """Hands over what others have committed before the batch, its outcomes, and what others have committed since.

        Where what came before cannot be read nobody hears of the batch before it: nobody knows whether it is stored
        then, and it will be read with the others'.
        """
        since: list[News] = []
        try:
            for page in self._read_pages():
                cut = sum(heard.is_before(own) for heard in page)
                self._tell(*(heard.news for heard in page[:cut]))
                since += [heard.news for heard in page[cut:]]
        except StorageUnavailable as unavailable:
            if not since:
                unavailable.maybe = True
                self._feed.forget_own()
                self._refuse([write for write in batch if write.error is None], unavailable)
        self._finish(batch)
        self._tell(*since)

    def _read_pages(self) -> Iterator[list[Heard]]:
        """Reads what others have committed, by another connection if one is lost. Raises StorageUnavailable."""
        for is_last in (False, True):
            connection = self._link.reach()
            try:
                yield from self._feed.read(connection)
            except psycopg.Error as error:
                self._link.drop(error)
                if is_last:
                    raise as_unavailable(error) from error
            else:
                return

    # -- between the batches ------------------------------------------------------------------------------------------
    def _keep_up(self, *, is_idle: bool) -> None:
        """Gives a sign of life, hears what others have committed, and does upkeep, as far as each is due."""
        link = self._link
        try:
            if link.connection is None and (not is_idle or time.monotonic() < link.retry_at):
                return
            connection = link.open()
            if is_idle and self._bell.is_rung_by_socket:
                connection.take_notices()
            if time.monotonic() >= self._node.beat_at:
                self._beat(connection)
            if link.is_woken and link.connection is connection:
                link.is_woken = False
                for page in self._feed.read(connection):
                    self._tell(*(heard.news for heard in page))
                    self._put_upkeep_off()
            if is_idle and self._upkeep_due and time.monotonic() >= self._quiet_at:
                self._keep_house()
        except (psycopg.Error, ConfigError, StorageUnavailable) as error:
            if link.connection is None:
                link.retry_at = time.monotonic() + RETRY
            link.drop(error)
            self._note_trouble(as_unavailable(error), "nothing is heard of other services")

    def _beat(self, connection: Connection) -> None:
        if not self._node.beat(connection):
            raise StorageUnavailable("other services have taken this one for dead")
        if self._node.has_to_clear:
            cleared: SqlWrite[list[NodeGone]] = SqlWrite(self._node.clear_away, ())
            self._own_work = cleared
            self._commit([cleared])
            if cleared.error is None:
                self._tell(*cleared.result)  # what this service writes it does not hear

    def _keep_house(self) -> None:
        if self._upkeep is not None:
            piece: SqlWrite[bool] = SqlWrite(self._upkeep, ())
            self._own_work = piece
            self._commit([piece])
            self._upkeep_due = piece.error is None and piece.result
            self._quiet_at = 0.0

    def _put_upkeep_off(self) -> None:
        self._upkeep_due = self._upkeep is not None
        self._quiet_at = time.monotonic() + _QUIET

    # -- who is present -----------------------------------------------------------------------------------------------
    def _take_changes(self) -> dict[int, bool]:
        """Returns who has come or left, to be stored."""
        if self._link.connection is None or not (self._changes or self._node.is_new):
            return {}
        with self._lock:
            changes, self._changes = self._changes, {}
        return self._node.note(changes)

    def _put_back(self, changes: dict[int, bool]) -> None:
        with self._lock:
            self._changes = changes | self._changes


def _ignore(news: News) -> None:
    """Takes news where nobody wants them."""
