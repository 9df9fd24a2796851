"""An operator's orders for accounts, for a running service's storage and for a database without a service."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from service.errors import ChatError
from service.storage.contract import Write
from service.storage.sqlite import backup, database, deletion, erasure, posting, purging, schema, users
from service.storage.sqlite.lock import FileLock
from service.storage.sqlite.space import measure_files
from service.storage.statements import (
    accounts,
    acts,
    hooks,
    membership,
    moderation,
    names,
    operators,
    room_lists,
    rooms,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from service.storage.contract import Done, Failed
    from service.storage.records import (
        Act,
        Action,
        BackupNote,
        Closed,
        Deleted,
        Dossier,
        Erasure,
        KeptHook,
        KeptPage,
        KeptRoom,
        NodeView,
        Outcome,
        Overview,
        Person,
        Post,
        Purged,
        Role,
        RoomChange,
        RoomLimits,
        RoomRef,
        Sizes,
        User,
    )

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Orders:
    """The reads and writes for orders. A subclass defines how a read and how a write is done."""

    _path: Path

    def read(self, query: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Returns what ``query(connection, *args)`` reads. Raises StorageUnavailable."""
        raise NotImplementedError

    def submit(
        self, work: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts, done: Done[T] = None, refused: Failed = None
    ) -> Write[T]:
        """Does ``work(connection, *args)`` as a write."""
        raise NotImplementedError

    def find_user(self, name: str) -> User | None:
        return self.read(accounts.find_user, name)

    def check_free(self, name: str, look: str) -> None:
        self.read(names.check_free, name, look)

    def users_page(self, after: str, limit: int, *, disabled: bool = False) -> list[Person]:
        return self.read(partial(operators.users_page, disabled=disabled), after, limit)

    def find_dossier(self, name: str) -> Dossier | None:
        return self.read(operators.find_dossier, name)

    def messages_of(self, user_id: int, after: int, limit: int) -> KeptPage:
        return self.read(operators.messages_of, user_id, after, limit)

    def overview(self, since: str) -> Overview:
        return self.read(operators.overview, since)

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

    def set_password(
        self, name: str, password_hash: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        return self.submit(accounts.set_password, name, password_hash, done=done, refused=refused)

    def disable(self, name: str, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        return self.submit(accounts.disable, name, now, done=done, refused=refused)

    def enable(self, name: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        return self.submit(accounts.enable, name, done=done, refused=refused)

    def ensure_server(self, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        return self.submit(users.ensure_server, done=done, refused=refused)

    def rename_user(
        self, name: str, new_name: str, look: str, now: str, *, done: Done[User] = None, refused: Failed = None
    ) -> Write[User]:
        return self.submit(accounts.rename, name, new_name, look, now, done=done, refused=refused)

    def delete_user(self, name: str, now: str, *, done: Done[Closed] = None, refused: Failed = None) -> Write[Closed]:
        return self.submit(accounts.delete, name, now, done=done, refused=refused)

    # -- webhooks -----------------------------------------------------------------------------------------------------
    def hooks_page(self, after: str, limit: int) -> list[KeptHook]:
        return self.read(hooks.hooks_page, after, limit)

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

    def remove_hook(self, name: str, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        return self.submit(hooks.remove, name, done=done, refused=refused)

    # -- rooms --------------------------------------------------------------------------------------------------------
    def find_room(self, name: str) -> RoomRef | None:
        return self.read(rooms.find_room, name)

    def all_rooms(self, after: tuple[str, str], limit: int, *, gone: bool) -> list[KeptRoom]:
        return self.read(partial(room_lists.all_rooms, gone=gone), after, limit)

    def moderation_page(
        self,
        after_id: int,
        limit: int,
        *,
        room: str | None = None,
        user: str | None = None,
        action: str | None = None,
        since: str | None = None,
    ) -> list[Act]:
        find = partial(acts.moderation_page, room=room, user=user, action=action, since=since)
        return self.read(find, after_id, limit)

    def delete_room(self, room: str, *, done: Done[RoomChange] = None, refused: Failed = None) -> Write[RoomChange]:
        return self.submit(membership.delete_room, room, done=done, refused=refused)

    def moderate(
        self,
        actor_id: int | None,
        room: str | None,
        username: str,
        action: Action,
        *,
        limits: RoomLimits,
        role: Role | None = None,
        until: str | None = None,
        reason: str | None = None,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        arguments = (actor_id, room, username, action, role, until, reason, limits)
        return self.submit(self._moderate, *arguments, done=done, refused=refused)

    def _moderate(
        self,
        connection: sqlite3.Connection,
        actor_id: int | None,
        room: str | None,
        username: str,
        action: Action,
        role: Role | None,
        until: str | None,
        reason: str | None,
        limits: RoomLimits,
    ) -> RoomChange:
        return moderation.moderate(connection, actor_id, room, username, action, role, until, reason, limits)


class OfflineStorage(Orders):
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
        write: Write[T] = Write(done, refused)
        try:
            with database.all_translated(), closing(self._connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                write.result = work(connection, *args)
                connection.execute("COMMIT")
        except ChatError as error:
            write.error = error
        write.finish()
        if write.error is None and done is not None:
            done(write.result)
        elif write.error is not None and refused is not None:
            refused(write.error)
        return write

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
