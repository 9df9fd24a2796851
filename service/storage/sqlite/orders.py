"""An operator's orders for accounts, for a running service's storage and for a database without a service."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from service.storage.common import Orders, do_at_once
from service.storage.sqlite import backup, database, deletion, erasure, posting, purging, schema, users
from service.storage.sqlite.lock import FileLock
from service.storage.sqlite.space import measure_files
from service.storage.statements import hooks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from service.storage.contract import Done, Failed, Write
    from service.storage.records import (
        BackupNote,
        Deleted,
        Erasure,
        NodeView,
        Outcome,
        Post,
        Purged,
        Sizes,
    )

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class FileOrders(Orders["sqlite3.Connection"]):
    """The reads and writes for orders on a file. A subclass defines how a read and how a write is done."""

    _path: Path

    def sizes(self) -> Sizes:
        return measure_files(self._path)

    def newest_backup(self) -> BackupNote | None:
        return backup.read_note(self._path)

    def nodes(self) -> list[NodeView]:
        return []

    def count_present(self, user_id: int) -> int:  # noqa: ARG002 (there is no other service over a file)
        return 0

    def erasing(self, work: Callable[[sqlite3.Connection, *Ts], T]) -> Callable[[sqlite3.Connection, *Ts], T]:
        """Returns a work whose erasure becomes due with it."""
        return work

    def delete_message(
        self,
        actor_id: int | None,
        message_id: int,
        reason: str | None,
        *,
        done: Done[Deleted] = None,
        refused: Failed = None,
    ) -> Write[Deleted]:
        work = self.erasing(deletion.delete)
        return self.submit(work, actor_id, message_id, reason, done=done, refused=refused)

    def purge_some(
        self,
        before: str,
        after_id: int,
        *,
        public: bool,
        direct: bool,
        room: str | None = None,
        done: Done[Purged] = None,
        refused: Failed = None,
    ) -> Write[Purged]:
        work = self.erasing(partial(purging.purge_some, public=public, direct=direct, room=room))
        return self.submit(work, before, after_id, done=done, refused=refused)

    def count_older(self, before: str, *, public: bool, direct: bool, room: str | None = None) -> int:
        return self.read(partial(purging.count_older, public=public, direct=direct, room=room), before)

    def erasure(self) -> Erasure:
        return self.read(erasure.find_pending)

    def erase_some(self, *, done: Done[Erasure] = None, refused: Failed = None) -> Write[Erasure]:
        return self.submit(erasure.erase_some, done=done, refused=refused)

    def empty_wal(self) -> None:
        """Nothing to do where the writer's upkeep does it."""

    def add_user(
        self, name: str, look: str, password_hash: str, now: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        return self.submit(users.add, name, look, password_hash, now, done=done, refused=refused)

    def ensure_server(self, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        return self.submit(users.ensure_server, done=done, refused=refused)

    def add_hook(
        self,
        name: str,
        look: str,
        room: str | None,
        secret_hash: bytes,
        now: str,
        *,
        done: Done[None] = None,
        refused: Failed = None,
    ) -> Write[None]:
        return self.submit(hooks.add, name, look, room, secret_hash, now, users.add, done=done, refused=refused)


class OfflineStorage(FileOrders):
    """A database that no service has open; each order is done at once, in its own transaction."""

    def __init__(self, path: Path, *, timeout: float = database.STORAGE_TIMEOUT) -> None:
        """Locks and upgrades the database. Raises SchemaError, and FileError if another program holds the lock.

        `timeout`: seconds that an order waits while another program, such as sqlite3, writes.
        """
        self._path = path.resolve()
        self._timeout = timeout
        self._file_lock = FileLock(self._path)
        try:
            schema.prepare(self._path)
        except BaseException:
            self._file_lock.close()
            raise

    def read(self, query: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        with database.all_translated(), closing(self._connect()) as connection:
            return query(connection, *args)

    def empty_wal(self) -> None:
        with database.all_translated(), closing(self._connect()) as connection:
            if database.checkpoint(connection):
                connection.execute("BEGIN IMMEDIATE")
                erasure.note_emptied(connection)
                connection.execute("COMMIT")

    def release(self) -> None:
        """No place is held: each read has its own connection, and nobody waits for one."""

    def submit(
        self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts, done: Done[T] = None, refused: Failed = None
    ) -> Write[T]:
        return do_at_once(partial(self._write, work, *args), done, refused)

    def _write(self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        with database.all_translated(), closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection, *args)
            connection.execute("COMMIT")
            return result

    def store_posts(
        self,
        sender_id: int,
        posts: Sequence[Post],
        *,
        done: Done[Sequence[Outcome]] = None,
        refused: Failed = None,
    ) -> Write[Sequence[Outcome]]:
        return self.submit(_store_posts, sender_id, posts, done=done, refused=refused)

    def _connect(self) -> sqlite3.Connection:
        return database.connect_writer(self._path, timeout=self._timeout)

    def result(self, write: Write[T]) -> T:
        if write.error is not None:
            raise write.error
        return write.result

    def close(self) -> None:
        self._file_lock.close()


def _store_posts(connection: sqlite3.Connection, sender_id: int, posts: Sequence[Post]) -> Sequence[Outcome]:
    (outcomes,) = posting.store_all(connection, [(sender_id, posts)])
    return outcomes
