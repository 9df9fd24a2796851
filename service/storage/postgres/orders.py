"""An operator's orders over PostgreSQL, for a running service's storage and for a program without a service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

from service.storage.common import Orders, do_at_once
from service.storage.postgres import (
    address,
    deletion,
    nodes,
    posting,
    purging,
    schema,
    telling,
    timeline,
    transaction,
    users,
)
from service.storage.postgres.connection import ANSWER_TIMEOUT, Connection, all_translated, connect
from service.storage.records import Erasure, Sizes
from service.storage.statements import hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.storage.records import BackupNote, Deleted, NodeView, Outcome, Post, Purged
    from service.storage.write import Done, Failed, Write

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

READ_TIMEOUT: Final = 600.0  # seconds of an order's statement that only reads; ten million messages are counted in some
_ERASED = Erasure(pending=0, wal_is_next=False)  # the bytes go with VACUUM and the server's own WAL


class ServerOrders(Orders[Connection]):
    """The reads and writes for orders on a server. A subclass defines how a read and how a write is done."""

    def sizes(self) -> Sizes:
        """There is nothing to say of the disk, which is the server's."""
        return Sizes(self.read(nodes.size), wal=0, free=0)

    def newest_backup(self) -> BackupNote | None:
        """It is made by other programs than ours."""
        return None

    def nodes(self) -> list[NodeView]:
        return self.read(nodes.views)

    def count_present(self, user_id: int) -> int:
        return self.read(nodes.count_present, user_id)

    def delete_message(
        self,
        actor_id: int | None,
        message_id: int,
        reason: str | None,
        *,
        done: Done[Deleted] = None,
        refused: Failed = None,
    ) -> Write[Deleted]:
        return self.submit(deletion.delete, actor_id, message_id, reason, done=done, refused=refused)

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
        work = partial(purging.purge_some, public=public, direct=direct, room=room)
        return self.submit(work, before, after_id, done=done, refused=refused)

    def count_older(self, before: str, *, public: bool, direct: bool, room: str | None = None) -> int:
        return self.read(partial(purging.count_older, public=public, direct=direct, room=room), before)

    def erasure(self) -> Erasure:
        return _ERASED

    def erase_some(self, *, done: Done[Erasure] = None, refused: Failed = None) -> Write[Erasure]:
        return do_at_once(self.erasure, done, refused)

    def empty_wal(self) -> None:
        """The server does that."""

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


class OfflineStorage(ServerOrders):
    """The database for a program beside the services, if any run: each order is done at once, in a transaction.

    The services hear of it as of each other's writes.
    """

    def __init__(self, url: str) -> None:
        """Connects, and creates the schema if need be. Raises ConfigError, SchemaError, StorageUnavailable."""
        schema.prepare(url)
        place = address.parse(url)
        self._connection = connect(place, name="chat-admin")
        # Nobody waits for a read but the operator, who may have all messages counted.
        self._reader = connect(place, read_only=True, name="chat-admin")
        self._reader.set_answer_timeout(READ_TIMEOUT + ANSWER_TIMEOUT)
        self._reader.run(f"SET statement_timeout = {READ_TIMEOUT * 1000:.0f}")

    def read(self, query: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        with all_translated():
            return query(self._reader, *args)

    def submit(
        self, work: Callable[[Connection, *Ts], T], *args: *Ts, done: Done[T] = None, refused: Failed = None
    ) -> Write[T]:
        return do_at_once(partial(self._write, telling.told(work), *args), done, refused)

    def _write(self, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        with all_translated(), transaction.writing(self._connection):
            timeline.settle(self._connection)
            return work(self._connection, *args)

    def store_posts(
        self,
        sender_id: int,
        posts: Sequence[Post],
        *,
        done: Done[Sequence[Outcome]] = None,
        refused: Failed = None,
    ) -> Write[Sequence[Outcome]]:
        return self.submit(_store_posts, sender_id, posts, done=done, refused=refused)

    def release(self) -> None:
        """No place is held: the connections are for one thread."""

    def result(self, write: Write[T]) -> T:
        if write.error is not None:
            raise write.error
        return write.result

    def close(self) -> None:
        self._reader.close()
        self._connection.close()


def _store_posts(connection: Connection, sender_id: int, posts: Sequence[Post]) -> Sequence[Outcome]:
    (outcomes,) = posting.store_posts(connection, [(sender_id, posts)])
    return outcomes
