"""The engine over SQLite: reads on the calling thread's own connection, writes through the writer thread.

The statements are in the modules beside it; contract.py describes the methods.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from service.config import READERS
from service.errors import StorageDamaged, StorageUnavailable
from service.storage.common import Sessions
from service.storage.records import DEFAULT_LIFETIME, Closed, Figures, RoomChange
from service.storage.sqlite import (
    database,
    fulltext,
    integrity,
    markers,
    messages,
    posting,
    schema,
    since,
    users,
)
from service.storage.sqlite.lock import FileLock
from service.storage.sqlite.orders import FileOrders
from service.storage.sqlite.space import Space
from service.storage.sqlite.upkeep import ChatUpkeep
from service.storage.sqlite.writer import Limits, Writer
from service.storage.statements import hooks, retries
from service.storage.writes import GroupWrite, SqlWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from service.storage.contract import Done, Failed, HandOver, Write
    from service.storage.records import (
        Login,
        Outcome,
        Page,
        Post,
        Shown,
        SinceNews,
        Stored,
        User,
    )

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class SqliteStorage(FileOrders, Sessions["sqlite3.Connection"]):
    """An open database. Owns the thread `chat-writer`."""

    engine = f"SQLite {sqlite3.sqlite_version}"

    def __init__(
        self,
        path: Path,
        hand_over: HandOver,
        *,
        max_db: int = 0,
        keep_free: int = 0,
        readers: int = READERS,
        limits: Limits | None = None,
        check_seconds: float = integrity.START_CHECK_TIME,
    ) -> None:
        """Creates or upgrades the file; the arguments are those of `open_storage`, and limits for tests.

        Raises SchemaError, and FileError if another service has the file or it is damaged.
        """
        path = path.resolve()  # so that any name of the file leads to the same lock, -wal and -shm
        schema.read_revision(path)  # another program's file gets no lock beside it
        self._file_lock = FileLock(path)
        try:
            schema.prepare(path)
            integrity.check_start(path, self._file_lock, check_seconds)
        except BaseException:
            self._file_lock.close()
            raise
        self._path = path
        self._own = threading.local()
        self._readers: set[sqlite3.Connection] = set()  # the open ones of all threads
        self._places = threading.BoundedSemaphore(readers)  # for the readers
        self._hurrying = False
        self._disk_space = Space(path, max_db, keep_free)
        self._perhaps_closed: set[int] = set()  # accounts deleted in this run; only the writer thread uses it
        self._perhaps_banned: set[int] = set()  # from the main room in this run; likewise
        self._post_work = self._store_posts  # bound once, not for each write
        self._writer = Writer(path, hand_over, ChatUpkeep(), self._file_lock.note, limits)
        if self.erasure().pending:
            self._writer.owe()
        self.release()
        self._thread = threading.Thread(target=self._writer.run, name="chat-writer")
        self._thread.start()

    # -- reads --------------------------------------------------------------------------------------------------------
    def missed_page(self, user_id: int, up_to: int, limit: int) -> Page:
        return self.read(messages.missed_page, user_id, up_to, limit)

    def history_page(self, talk: tuple[int, int] | None, before: int | None, after: int | None, limit: int) -> Page:
        return self.read(messages.history_page, talk, before, after, limit)

    def room_page(self, user_id: int, room: str, before: int | None, after: int | None, limit: int) -> Page:
        return self.read(since.room_page, user_id, room, before, after, limit)

    def since_page(self, user_id: int, after: int, limit: int, *, rooms: bool, deleted_after: str | None) -> SinceNews:
        work = partial(since.since_page, rooms=rooms, deleted_after=deleted_after)
        return self.read(work, user_id, after, limit)

    def search_page(
        self,
        query: str,
        user_id: int,
        with_id: int | None,
        before: int | None,
        limit: int,
        *,
        room: str | None = None,
        rooms: bool = False,
    ) -> Page:
        work = partial(fulltext.search_page, room=room, rooms=rooms)
        return self.read(work, query, user_id, with_id, before, limit)

    def read(self, query: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Reads on this thread's own connection, which it opens when needed. Raises StorageUnavailable."""
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
            if self._hurrying:  # `hurry` could not interrupt a thread that waited for a place
                raise StorageUnavailable("the service is stopping")
            reader = database.connect_reader(self._path)
        except BaseException:
            self._places.release()
            raise
        self._readers.add(reader)
        return reader

    def release(self) -> None:
        reader: sqlite3.Connection | None = getattr(self._own, "reader", None)
        if reader is not None:
            self._own.reader = None
            self._readers.discard(reader)
            try:
                reader.close()
            finally:
                self._places.release()

    def figures(self) -> Figures:
        writer = self._writer
        sizes = self.sizes()
        return Figures(writer.queued, writer.written, writer.commits, sizes.database, sizes.wal)

    # -- writes -------------------------------------------------------------------------------------------------------
    def register(
        self,
        name: str,
        look: str,
        password_hash: str,
        token_hash: bytes | None,
        now: str,
        *,
        lifetime: int = DEFAULT_LIFETIME,
        done: Done[Login] = None,
        refused: Failed = None,
    ) -> Write[Login]:
        arguments = (name, look, password_hash, token_hash, now, lifetime)
        return self.submit(users.register, *arguments, done=done, refused=refused)

    def set_present(self, user_id: int, present: bool) -> None:  # noqa: FBT001
        """There is no other service over a file."""

    def probe(self, *, done: Done[None] = None, refused: Failed = None) -> None:
        self._writer.submit(SqlWrite(self._probe, (), done, refused), may_wait=False)

    def _probe(self, connection: sqlite3.Connection) -> None:
        self._check_space(connection)
        integrity.write_identity_again(connection)

    def log_in(
        self,
        user: User,
        token_hash: bytes | None,
        now: str,
        *,
        lifetime: int = DEFAULT_LIFETIME,
        done: Done[Login] = None,
        refused: Failed = None,
    ) -> Write[Login]:
        return self.submit(users.log_in, user, token_hash, now, lifetime, done=done, refused=refused)

    def resume(self, token_hash: bytes, now: str, *, done: Done[Login] = None, refused: Failed = None) -> Write[Login]:
        return self.submit(users.resume, token_hash, now, done=done, refused=refused)

    def note_presence(self, user_id: int, now: str, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        return self.submit(users.note_presence, user_id, now, done=done, refused=refused)

    def store_posts(
        self,
        sender_id: int,
        posts: Sequence[Post],
        *,
        done: Done[Sequence[Outcome]] = None,
        refused: Failed = None,
    ) -> Write[Sequence[Outcome]]:
        write: GroupWrite[Sequence[Outcome]] = GroupWrite(
            self._post_work, (sender_id, posts), done, refused, size=len(posts)
        )
        self._writer.submit(write)
        return write

    def _store_posts(
        self, connection: sqlite3.Connection, calls: Sequence[tuple[int, Sequence[Post]]]
    ) -> list[list[Outcome]]:
        full = self._disk_space.check(connection)
        if full is not None:
            return retries.refuse_new(connection, calls, full)
        # A sender looked its receiver up before this write. So only who was deleted since the start can be closed here.
        closed = users.find_closed(connection, self._perhaps_closed) if self._perhaps_closed else ()
        banned = users.find_banned(connection, self._perhaps_banned) if self._perhaps_banned else {}
        if not banned:
            return posting.store_all(connection, calls, closed)
        stored = iter(posting.store_all(connection, [call for call in calls if call[0] not in banned], closed))
        return [
            retries.refuse_new(connection, [call], banned[call[0]])[0] if call[0] in banned else next(stored)
            for call in calls
        ]

    def post_by_hook(
        self,
        secret_hash: bytes,
        posts: Sequence[Post],
        *,
        beyond: str | None = None,
        done: Done[list[Stored]] = None,
        refused: Failed = None,
    ) -> Write[list[Stored]]:
        write: SqlWrite[list[Stored]] = SqlWrite(
            hooks.post,
            (secret_hash, posts, beyond, self.if_space(posting.store_together)),
            done,
            refused,
            size=len(posts),
        )
        self._writer.submit(write, may_wait=False)
        return write

    def _check_space(self, connection: sqlite3.Connection) -> None:
        """Raises StorageFull where no message may be stored: whoever makes a room may fill the log of acts there."""
        full = self._disk_space.check(connection)
        if full is not None:
            raise full

    def if_space(self, work: Callable[[sqlite3.Connection, *Ts], T]) -> Callable[[sqlite3.Connection, *Ts], T]:
        def work_if_space(connection: sqlite3.Connection, *args: *Ts) -> T:
            self._check_space(connection)
            return work(connection, *args)

        return work_if_space

    def noting(self, work: Callable[[sqlite3.Connection, *Ts], T]) -> Callable[[sqlite3.Connection, *Ts], T]:
        def work_and_note(connection: sqlite3.Connection, *args: *Ts) -> T:
            result = work(connection, *args)
            if isinstance(result, Closed):
                self._perhaps_closed.add(result.user.id)  # only perhaps, as the commit can fail
            elif isinstance(result, RoomChange) and result.room is None:
                # Their sessions end soon; no login comes until the ban has ended.
                self._perhaps_banned.update(told.user_id for told in result.changes if told.action == "ban")
            return result

        return work_and_note

    def see_up_to(
        self, user_id: int, message_id: int, now: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        return self.submit(users.see_up_to, user_id, message_id, now, done=done, refused=refused)

    def see_room_up_to(
        self, user_id: int, room: str | None, message_id: int, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        return self.submit(markers.see_room_up_to, user_id, room, message_id, done=done, refused=refused)

    def see_talk_up_to(
        self,
        user_id: int,
        other_id: int,
        message_id: int,
        now: str,
        *,
        done: Done[int] = None,
        refused: Failed = None,
    ) -> Write[int]:
        return self.submit(markers.see_talk_up_to, user_id, other_id, message_id, now, done=done, refused=refused)

    def mark_seen(
        self, user_id: int, message_ids: Sequence[int], now: str, *, done: Done[bool] = None, refused: Failed = None
    ) -> Write[bool]:
        return self.submit(messages.mark_seen, user_id, message_ids, now, done=done, refused=refused)

    def store_receipts(
        self, shown: Sequence[Shown], now: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        return self.submit(users.store_receipts, shown, now, done=done, refused=refused)

    def submit(
        self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts, done: Done[T] = None, refused: Failed = None
    ) -> SqlWrite[T]:
        """Queues a statement function as a write."""
        write: SqlWrite[T] = SqlWrite(work, args, done, refused)
        self._writer.submit(write)
        return write

    def call(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Writes, waits, and returns the result or raises the error."""
        return self.result(self.submit(work, *args))

    def erasing(self, work: Callable[[sqlite3.Connection, *Ts], T]) -> Callable[[sqlite3.Connection, *Ts], T]:
        def work_and_owe(connection: sqlite3.Connection, *args: *Ts) -> T:
            result = work(connection, *args)
            self._writer.owe()
            return result

        return work_and_owe

    # -- waiting, and the end -----------------------------------------------------------------------------------------
    def wait(self, write: Write[Any]) -> None:
        self.release()
        self._writer.wait(write)

    def result(self, write: Write[T]) -> T:
        self.wait(write)
        if write.error is not None:
            raise write.error
        return write.result

    def index_search(self) -> None:
        """Indexes one batch at a time, so that other writes do not wait for all of them."""
        newest = self.read(fulltext.newest_missing)
        while newest and not self._hurrying and self.call(fulltext.index_some_up_to, newest):
            pass

    def settle(self) -> None:
        self._writer.wait(self.submit(lambda _: None))

    def hurry(self) -> None:
        self._hurrying = True
        self._writer.hurry()
        for reader in list(self._readers):
            with suppress(sqlite3.ProgrammingError):  # its own thread has closed it
                reader.interrupt()

    def close(self) -> None:
        self._writer.close()
        self._thread.join()
        self._file_lock.close()
