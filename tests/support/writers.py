"""Services over PostgreSQL as far as their writers go: what each has handed over, in order. Holds no test."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from service.storage.news import Posted
from service.storage.postgres import address, posting
from service.storage.postgres.writer import Writer
from service.storage.records import Post, Stored
from service.storage.writes import GroupWrite, SqlWrite
from tests.support.helpers import call_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.storage.postgres.connection import Connection
    from tests.support.pg_proxy import PgProxy
    from tests.support.postgres import Cluster


class Service:
    """A writer and its thread; `told` has outcomes and news in the order in which they were handed over."""

    def __init__(self, url: str, **arguments: Any) -> None:
        self.told: list[Any] = []
        self._arrived = threading.Condition()
        self.writer = Writer(address.parse(url), call_back, self._take, **arguments)
        self.thread = threading.Thread(target=self.writer.run, name="chat-writer")
        self.thread.start()

    def _take(self, item: Any) -> None:
        with self._arrived:
            self.told.append(item)
            self._arrived.notify_all()

    def wait_for(self, found: Callable[[list[Any]], object], seconds: float = 20.0) -> None:
        """Waits until that is true of what was told."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: found(self.told), seconds), self.told[-5:]

    def submit(self, work: Callable[..., Any], *arguments: Any) -> SqlWrite[Any]:
        """Queues a write whose outcome is told."""
        write: SqlWrite[Any] = SqlWrite(work, arguments, self._take, self._take)
        self.writer.submit(write)
        return write

    def call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Writes, and returns the result or raises the error."""
        return self.result(self.submit(work, *arguments))

    def result(self, write: SqlWrite[Any]) -> Any:
        self.writer.wait(write)
        if write.error is not None:
            raise write.error
        return write.result

    def post(self, sender: int, *texts: str, nonce: str | None = None) -> GroupWrite[Any]:
        """Queues public messages as one write."""
        posts = [Post(None, text, nonce) for text in texts]
        write: GroupWrite[Any] = GroupWrite(
            posting.store_posts, (sender, posts), self._take, self._take, size=len(posts)
        )
        self.writer.submit(write)
        return write

    def say(self, sender: int, text: str) -> int:
        """Stores a public message; returns its id."""
        (stored,) = self.result(self.post(sender, text))
        number: int = stored.id
        return number

    def hold(self) -> threading.Event:
        """Keeps the writer in a write until the event is set, so that what follows gathers in one batch."""
        started, released = threading.Event(), threading.Event()

        def wait(_: Connection) -> None:
            started.set()
            released.wait()

        self.writer.submit(SqlWrite(wait, ()))
        started.wait()
        return released

    def close(self) -> None:
        self.writer.close()
        self.thread.join()


@contextmanager
def serving(*urls: str, **arguments: Any) -> Iterator[list[Service]]:
    """Services, one for each URL, closed at the end."""
    services: list[Service] = []
    try:
        services += (Service(url, node_name=f"n{number}", **arguments) for number, url in enumerate(urls))
        yield services
    finally:
        for service in services:
            service.close()


def insert(connection: Connection, n: int) -> int:
    """A work: stores a number in the scratch table."""
    connection.execute("INSERT INTO scratch VALUES (?)", (n,))
    return n


def stored(cluster: Cluster, url: str) -> list[int]:
    """What the scratch table has."""
    return [n for (n,) in cluster.execute("SELECT n FROM chat.scratch ORDER BY n", url.rpartition("/")[2])]


def ids_of(told: list[Any]) -> list[int]:
    """The ids of the messages that a service was told of, as they came."""
    ids: list[int] = []
    for item in told:
        if isinstance(item, Posted):
            ids.append(item.id)
        elif isinstance(item, list):
            ids += [each.id for each in item if isinstance(each, Stored)]
    return ids


def select(cluster: Cluster, url: str, statement: str) -> list[Any]:
    """Executes a statement in that database as the superuser; returns its rows."""
    return cluster.execute(statement, url.rpartition("/")[2])


def behind(url: str, proxy: PgProxy) -> str:
    """The URL of that database by way of a proxy."""
    return f"postgresql://chat@127.0.0.1:{proxy.port}/{url.rpartition('/')[2]}"
