"""The engine over PostgreSQL: reads by lent connections, writes through the writer thread.

The statements are in the modules beside it and in storage/statements; contract.py describes the methods.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from service.errors import ConfigError
from service.storage.common import Sessions
from service.storage.postgres import (
    address,
    fulltext,
    markers,
    messages,
    nodes,
    posting,
    schema,
    since,
    telling,
    users,
)
from service.storage.postgres.connection import Connection, warn_of_superuser
from service.storage.postgres.orders import ServerOrders
from service.storage.postgres.pool import Pool
from service.storage.postgres.writer import Writer
from service.storage.records import DEFAULT_LIFETIME, Figures
from service.storage.statements import hooks
from service.storage.writes import GroupWrite, SqlWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.storage.news import TakeNews
    from service.storage.records import Login, Outcome, Page, Post, Shown, SinceNews, Stored, User
    from service.storage.write import Done, Failed, HandOver, Write

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

_MEASURE: Final = 60.0  # seconds between two looks at the size of the database; one takes a millisecond


class PostgresStorage(ServerOrders, Sessions[Connection]):
    """An open database. Owns the thread `chat-writer`."""

    def __init__(
        self,
        url: str,
        hand_over: HandOver,
        *,
        max_db: int = 0,
        keep_free: int = 0,
        take_news: TakeNews | None = None,
        node_name: str = "",
        figures: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        """Creates or upgrades the schema; the arguments are those of `open_storage`.

        Raises ConfigError, SchemaError, StorageUnavailable.
        """
        del keep_free  # there is a default: so nobody has asked for it
        if max_db:
            raise ConfigError("--max-db is for a file: the disk of PostgreSQL is its server's to watch")
        schema.prepare(url)
        place = address.parse(url)
        self._hurrying = False
        self._pool = Pool(place)
        try:
            self.engine, self._bytes = self.read(_look)  # the bytes of the database, as measured last
            self.release()
            self._measure_at = time.monotonic() + _MEASURE
            self._writer = Writer(
                place, hand_over, take_news, node_name=node_name, figures=figures, upkeep=self._keep_up
            )
        except BaseException:
            self.release()
            self._pool.close()
            raise
        self._thread = threading.Thread(target=self._writer.run, name="chat-writer")
        self._thread.start()

    def _keep_up(self, connection: Connection) -> bool:
        """For the writer's idle moments: fills the search index; returns whether more is to be done."""
        if time.monotonic() >= self._measure_at:
            self._measure_at = time.monotonic() + _MEASURE
            self._bytes = nodes.size(connection)
        return fulltext.index_some(connection)

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

    def read(self, query: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Reads by a connection that is lent to this thread until `release`. Raises StorageUnavailable."""
        return self._pool.read(query, *args)

    def release(self) -> None:
        self._pool.release()

    def figures(self) -> Figures:
        writer = self._writer
        return Figures(writer.queued, writer.written, writer.commits, self._bytes, wal_bytes=0)

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
        self._writer.set_present(user_id, present)

    def probe(self, *, done: Done[None] = None, refused: Failed = None) -> None:
        self._writer.submit(SqlWrite(_do_nothing, (), done, refused), may_wait=False)

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
            posting.store_posts, (sender_id, posts), done, refused, size=len(posts)
        )
        self._writer.submit(write)
        return write

    def post_by_hook(
        self,
        secret_hash: bytes,
        posts: Sequence[Post],
        *,
        beyond: str | None = None,
        done: Done[list[Stored]] = None,
        refused: Failed = None,
    ) -> Write[list[Stored]]:
        arguments = (secret_hash, posts, beyond, posting.store_together)
        write: SqlWrite[list[Stored]] = SqlWrite(hooks.post, arguments, done, refused, size=len(posts))
        self._writer.submit(write, may_wait=False)
        return write

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
        self, work: Callable[[Connection, *Ts], T], *args: *Ts, done: Done[T] = None, refused: Failed = None
    ) -> SqlWrite[T]:
        """Queues a statement function as a write; one that concerns other services tells them of it."""
        write: SqlWrite[T] = SqlWrite(telling.told(work), args, done, refused)
        self._writer.submit(write)
        return write

    def call(self, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Writes, waits, and returns the result or raises the error."""
        return self.result(self.submit(work, *args))

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
        self._writer.wait(self.submit(_do_nothing))

    def hurry(self) -> None:
        self._hurrying = True
        self._writer.hurry()
        self._pool.hurry()

    def close(self) -> None:
        self._writer.close()
        self._thread.join()
        self._pool.close()


def _look(connection: Connection) -> tuple[str, int]:
    """Returns the engine's name and version, and the bytes of the database."""
    warn_of_superuser(connection)
    ((version,),) = connection.run("SELECT current_setting('server_version')").fetchall()
    return f"PostgreSQL {version.split()[0]}", nodes.size(connection)


def _do_nothing(_: Connection) -> None:
    """A write is a write: its commit tells whether others would be stored."""
