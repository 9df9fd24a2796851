"""The one door to the database; nothing else in the service touches SQLite.

`Storage` runs the statements of `users`, `messages` and `fulltext`: reads at once, on the calling thread's own
connection, writes through the writer thread.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from service.config import READERS
from service.errors import PeerError, StorageDamaged, StorageFull, StorageUnavailable
from service.storage.sqlite import database, fulltext, integrity, messages, schema, users
from service.storage.sqlite.lock import FileLock
from service.storage.sqlite.space import Space
from service.storage.sqlite.writer import Write, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

__all__ = ["Storage", "Write", "fulltext", "messages", "schema", "users"]

_Ts = TypeVarTuple("_Ts")
_T = TypeVar("_T")


class Storage:
    """An open database. Owns the thread `chat-writer`."""

    def __init__(
        self,
        path: Path,
        hand_over: Callable[[Iterable[tuple[Callable[[Any], None], Any]]], None],
        *,
        max_db: int = 0,
        keep_free: int = 0,
    ) -> None:
        """Makes or upgrades the file. `hand_over` gets (then, outcome) pairs in commit order.

        `max_db` and `keep_free` are bytes, as Space has them. Raises SchemaError, and FileError if another service has
        the file or it is damaged.
        """
        path = path.resolve()  # so that by whatever way it was named, its lock, -wal and -shm are the same
        schema.read_revision(path)  # a file that is not ours gets no lock beside it
        self._file_lock = FileLock(path)
        try:
            schema.prepare(path)
            integrity.check_start(path, self._file_lock)
        except BaseException:
            self._file_lock.close()
            raise
        self._path = path
        self._own = threading.local()
        self._readers: set[sqlite3.Connection] = set()  # open ones, of all threads
        self._places = threading.BoundedSemaphore(READERS)  # for these
        self._hurrying = False
        self._space = Space(path, max_db, keep_free)
        self._store_posts = self._store  # one object: the writer knows its bulk work by that
        self._writer = Writer(path, hand_over, fulltext.index_some, bulk=self._store_posts, note=self._file_lock.note)
        self._thread = threading.Thread(target=self._writer.run, name="chat-writer")
        self._thread.start()

    def submit(
        self, work: Callable[[sqlite3.Connection, *_Ts], _T], *args: *_Ts, then: Callable[[Any], None] | None = None
    ) -> Write:
        """Queues a write; `then` gets what it gave, or the exception, once it is committed, in commit order."""
        return self._writer.submit(work, *args, then=then)

    def submit_posts(
        self, sender_id: int, posts: Sequence[messages.Post], then: Callable[[Any], None] | None = None
    ) -> Write:
        """Queues messages of one sender; `then` gets a list, with a Receipt or a PeerError for each."""
        return self._writer.submit(self._store_posts, sender_id, posts, then=then, size=len(posts))

    def _store(
        self, connection: sqlite3.Connection, calls: Sequence[tuple[int, Sequence[messages.Post]]]
    ) -> Sequence[Sequence[messages.Receipt | PeerError | StorageFull]]:
        full = self._space.check(connection)
        if full is not None:
            return messages.refuse_new(connection, calls, full)
        return messages.store_all(connection, calls)

    def wait(self, write: Write) -> None:
        """Returns once the write has its outcome and that is handed on; raises nothing."""
        self.release()
        self._writer.wait(write)

    def call(
        self,
        work: Callable[[sqlite3.Connection, *_Ts], _T],
        *args: *_Ts,
        then: Callable[[Any], None] | None = None,
    ) -> _T:
        """Writes and waits for it. Raises PeerError as `work` does, StorageUnavailable."""
        write = self._writer.submit(work, *args, then=then)
        self.wait(write)
        if isinstance(write.outcome, BaseException):
            raise write.outcome
        result: _T = write.outcome
        return result

    def read(self, query: Callable[[sqlite3.Connection, *_Ts], _T], *args: *_Ts) -> _T:
        """Reads on this thread's own connection, opened when first needed. Raises StorageUnavailable.

        Only so many threads may have one: who has read calls `release` before waiting for anything, and before its end.
        """
        try:
            with database.translated_errors():
                if getattr(self._own, "reader", None) is None:
                    self._own.reader = self._open_reader()
                return query(self._own.reader, *args)
        except StorageDamaged as damage:
            self._writer.condemn(damage)
            raise

    def _open_reader(self) -> sqlite3.Connection:
        self._places.acquire()
        try:
            if self._hurrying:  # whoever waited for a place comes too late to be interrupted
                raise StorageUnavailable("the service is stopping")
            reader = database.connect_reader(self._path)
        except BaseException:
            self._places.release()
            raise
        self._readers.add(reader)
        return reader

    def release(self) -> None:
        """Closes this thread's read connection, if it has one: thread-local values do not close by themselves."""
        reader: sqlite3.Connection | None = getattr(self._own, "reader", None)
        if reader is not None:
            self._own.reader = None
            self._readers.discard(reader)
            try:
                reader.close()
            finally:
                self._places.release()

    def index_search(self) -> None:
        """Brings the search index up to the newest message, a batch at a time, so that writers wait for none of it.

        That is the newest one when this begins: it ends, whatever is said meanwhile. It may take minutes after an
        upgrade. Raises StorageUnavailable; what was indexed before can be searched all the same.
        """
        newest = self.read(fulltext.newest_missing)
        while newest and not self._hurrying and self.call(fulltext.index_some_up_to, newest):
            pass

    def settle(self) -> None:
        """Returns when every write submitted so far has its outcome, and that is handed on; raises nothing."""
        self._writer.wait(self._writer.submit(lambda _: None))

    def hurry(self) -> None:
        """For a shutdown: reads under way end with StorageUnavailable, and writes wait no longer for locks."""
        self._hurrying = True
        self._writer.hurry()
        for reader in list(self._readers):
            with suppress(sqlite3.ProgrammingError):  # closed by its own thread just now
                reader.interrupt()

    def close(self) -> None:
        """Stores what was submitted and ends the writer thread."""
        self._writer.close()
        self._thread.join()
        self._file_lock.close()
