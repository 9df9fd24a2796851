"""service/storage/postgres/transaction.py: one order of all writes, and what the others are told with it."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from service.storage import news
from service.storage.news import NodeGone
from service.storage.postgres import address, posting, transaction
from service.storage.postgres.connection import connect
from service.storage.records import Post
from tests.support.writers import insert, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster
    from tests.support.writers import Service


@pytest.fixture
def admin(url: str) -> Iterator[Connection]:
    """A program that is no service."""
    with closing(connect(address.parse(url))) as connection:
        yield connection


def events(cluster: Cluster, url: str) -> list[tuple[Any, ...]]:
    rows = cluster.execute("SELECT id, node_id, place, body FROM chat.event ORDER BY id", url.rpartition("/")[2])
    return [(*row[:3], news.decode(row[3])) for row in rows]


def test_what_is_told_lies_behind_the_messages_before_it(admin: Connection, cluster: Cluster, url: str) -> None:
    """Each event has the newest message id of its moment, not that of the commit."""
    with transaction.writing(admin):
        admin.tell(NodeGone(7))
        transaction.place_told(admin)
        posting.store_posts(admin, [(1, [Post(None, "a", None)])])
        admin.tell(NodeGone(8))
    assert events(cluster, url) == [(1, 0, 0, NodeGone(7)), (2, 0, 1, NodeGone(8))]


def test_nothing_is_left_of_what_fails(admin: Connection, cluster: Cluster, url: str) -> None:
    """Neither of the writes nor of what was told."""

    def fail() -> None:
        insert(admin, 1)
        admin.tell(NodeGone(7))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.writing(admin):
        fail()
    with transaction.writing(admin):
        insert(admin, 2)
    assert stored(cluster, url) == [2]
    assert events(cluster, url) == []


def test_an_order_of_no_service_is_heard_by_all(admin: Connection, pair: list[Service]) -> None:
    """It wakes them."""
    with transaction.writing(admin):
        admin.tell(NodeGone(7))
    for service in pair:
        service.wait_for(lambda told: NodeGone(7) in told)


def test_one_write_waits_for_the_other(admin: Connection, url: str, cluster: Cluster) -> None:
    """The second begins where the first has ended."""
    order: list[str] = []

    def write() -> None:
        with closing(connect(address.parse(url))) as other, transaction.writing(other):
            order.append("second")

    with transaction.writing(admin):
        second = threading.Thread(target=write)
        second.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while cluster.execute(waiting) != [(1,)]:
            pass
        order.append("first")
    second.join()
    assert order == ["first", "second"]
