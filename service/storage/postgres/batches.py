"""Stores a batch of writes, once, whatever becomes of the connection meanwhile. Waits for no writes, and tells nobody.

Messages alone are one call of `chat_store`, whatever else is a transaction.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg

from service.errors import ChatError, StorageUnavailable
from service.storage.postgres import posting, transaction
from service.storage.postgres.connection import Places, is_unavailable
from service.storage.postgres.feed import Own
from service.storage.records import Stored
from service.storage.writes import cut_into_pieces
from service.tally import Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.postgres.connection import Connection
    from service.storage.postgres.link import Link
    from service.storage.postgres.node import Node
    from service.storage.writes import SqlWrite

    Batch = list[SqlWrite[Any]]

_log: Final = logging.getLogger("chat.storage")
_ATTEMPTS: Final = 5  # of a batch: it may itself be what ends the connections
# Seconds: a commit of one message takes 0.001 over a fast disk; what has to wait for other services some times that.
_COMMIT_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Batches:
    """What the writer thread does with a batch."""

    def __init__(self, link: Link, node: Node) -> None:
        self._link = link
        self._node = node
        self._is_sent = False  # whether the server may have committed the batch
        self.commits = Histogram(_COMMIT_BOUNDS)  # seconds

    def store(self, batch: Batch) -> tuple[Batch, Own | None]:
        """Runs one transaction, again where the connection was lost before it was committed.

        Returns the writes whose bug spoilt it, or where it stands among all. Raises psycopg.Error, StorageUnavailable.
        """
        for _ in range(_ATTEMPTS):
            connection = self._link.reach()
            self._node.batch += 1
            connection.batch = self._node.batch
            began = time.perf_counter()
            try:
                broken, own = self._transact(connection, batch)
            except psycopg.Error as error:
                own = self._recover(connection, batch, error)
                broken = []
            if own is not None:
                self._node.stored = self._node.batch
                self.commits.add(time.perf_counter() - began)
            if broken or own is not None:
                return broken, own
        raise StorageUnavailable(f"the connection to the database was lost {_ATTEMPTS} times in a row")

    def _transact(self, connection: Connection, batch: Batch) -> tuple[Batch, Own | None]:
        """As `store`, by one connection."""
        self._is_sent = False
        pieces = list(cut_into_pieces(batch))
        if len(pieces) == 1 and batch[0].work is posting.store_posts:
            connection.place = None
            self._is_sent = True
            _run(connection, batch)
            if batch[0].error is not None:  # and so has each: they are one call
                return batch, None
            return [], _own_posts(connection.answer, batch)
        connection.place = place = transaction.begin(connection)
        for number, writes in enumerate(pieces):
            if number:
                transaction.place_told(connection)
            broken = _run(connection, writes)
            if broken:
                transaction.roll_back(connection)
                return broken, None
        self._is_sent = True
        return [], Own(place, transaction.finish(connection, place))

    def _recover(self, connection: Connection, batch: Batch, error: psycopg.Error) -> Own | None:
        """After an error: returns where the batch stands, if it was committed all the same; None if it can be repeated.

        Raises psycopg.Error, StorageUnavailable.
        """
        was_sent, number = self._is_sent, self._node.batch
        is_fenced = error.sqlstate == transaction.FENCED
        if not (connection.is_lost or is_fenced):
            raise error
        self._link.drop(error)
        try:
            self._link.reach()
            found = self._node.found
            if found is None:
                if was_sent and not is_fenced:
                    raise StorageUnavailable("this service was taken for dead before it heard what was stored")
                return None  # by the new row
            if found.batch >= number and (is_fenced or not was_sent):
                raise StorageUnavailable("another service writes in the place of this one")
        except StorageUnavailable as unavailable:
            unavailable.maybe = was_sent
            raise
        if found.batch < number:
            return None
        if connection.place is not None:
            place, told = connection.place, len(connection.told)
            return Own(place, Places(found.outcome[3], place.event + told))
        results = posting.outcomes_of(found.outcome, [write.arguments for write in batch])
        for write, result in zip(batch, results, strict=True):
            write.result = result
        return _own_posts(found.outcome, batch)


def _run(connection: Connection, writes: Batch) -> Batch:
    """Runs one piece of a batch; returns its writes if they have a bug. Raises psycopg.Error."""
    try:
        writes[0].run(connection, writes)
    except ChatError as refusal:
        for write in writes:
            write.error = refusal
    except Exception as error:  # a bug in one work must not stop the writer
        is_ours = (
            isinstance(error, psycopg.Error) and error.sqlstate != transaction.FENCED and not is_unavailable(error)
        )
        if isinstance(error, psycopg.Error) and (connection.is_lost or not is_ours):
            raise
        _log.exception("a write failed: %s", writes[0].work)
        for write in writes:
            write.error = error
        return writes
    return []


def _own_posts(answer: Sequence[Any], batch: Batch) -> Own:
    """Returns where the messages of a batch stand that is nothing else."""
    place, event, _, first, others, _ = answer
    if others is None:
        newest = first + sum(write.size for write in batch) - 1
    else:
        outcomes = [outcome for write in batch for outcome in write.result]
        newest = max((each.id for each in outcomes if isinstance(each, Stored) and each.fresh), default=place)
    return Own(Places(place, event), Places(newest, event))
