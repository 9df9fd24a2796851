"""service/storage/postgres/pool.py: who reads by which connection, and what a lost one costs."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.errors import StorageUnavailable
from service.storage.postgres import address
from service.storage.postgres.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    """One with two places."""
    with closing(Pool(address.parse(database), 2)) as pool:
        yield pool
        pool.release()


def pid(connection: Connection) -> int:
    (row,) = connection.run("SELECT pg_backend_pid()").fetchall()
    number: int = row[0]
    return number


def read_elsewhere(pool: Pool) -> int:
    """Reads on another thread."""
    pids: list[int] = []
    reader = threading.Thread(target=lambda: pids.append(read_and_release(pool)))
    reader.start()
    reader.join()
    return pids[0]


def read_and_release(pool: Pool) -> int:
    try:
        return pool.read(pid)
    finally:
        pool.release()


def test_a_thread_keeps_its_connection_until_it_gives_it_back(pool: Pool) -> None:
    """The next thread gets the same."""
    first = pool.read(pid)
    assert pool.read(pid) == first
    assert read_elsewhere(pool) != first
    pool.release()
    assert read_elsewhere(pool) == first


def test_who_finds_no_place_waits_for_one(pool: Pool) -> None:
    """The third reader of two places gets one that is given back."""
    pool.read(pid)
    held, freed = threading.Event(), threading.Event()

    def hold() -> None:
        pool.read(pid)
        held.set()
        freed.wait()
        pool.release()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    waiting = threading.Thread(target=read_and_release, args=(pool,))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    freed.set()
    waiting.join()
    holder.join()


def test_a_lost_connection_costs_nothing(pool: Pool, cluster: Cluster) -> None:
    """The query runs again, by a new one; of those that are idle none is tried first."""
    first = pool.read(pid)
    read_elsewhere(pool)
    cluster.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chat'")
    assert pool.read(pid) != first


def test_a_query_that_fails_is_not_repeated(pool: Pool) -> None:
    """A refusal or a bug leaves the connection as it was."""
    calls: list[int] = []

    def fail(connection: Connection) -> None:
        calls.append(pid(connection))
        raise KeyError

    with pytest.raises(KeyError):
        pool.read(fail)
    assert [pool.read(pid)] == calls


def test_a_transaction_that_nobody_ends_is_given_up(pool: Pool) -> None:
    """What fails within one costs the connection, not the next reader."""

    def fail(connection: Connection) -> None:
        connection.run("BEGIN")
        raise KeyError

    with pytest.raises(KeyError):
        pool.read(fail)
    assert pool.read(lambda connection: connection.is_idle)


def test_a_stop_ends_reads(pool: Pool) -> None:
    """One that is under way, soon; and none begins by a new connection."""
    started = threading.Event()
    errors: list[str] = []

    def sleep(connection: Connection) -> None:
        started.set()
        connection.run("SELECT pg_sleep(3)")

    def read() -> None:
        try:
            pool.read(sleep)
        except StorageUnavailable as error:
            errors.append(str(error))
        pool.release()

    reader = threading.Thread(target=read)
    reader.start()
    started.wait()
    pool.hurry()
    reader.join()
    assert errors == ["the database does not answer"]
    with pytest.raises(StorageUnavailable, match="stopping"):
        pool.read(pid)


def test_a_changed_schema_is_read_anew(pool: Pool, cluster: Cluster, database: str) -> None:
    """What is prepared fits no more: that costs a connection, not every read from then on."""
    name = database.rpartition("/")[2]
    statement = "SELECT * FROM search_cursor"
    assert pool.read(lambda connection: connection.run(statement).fetchall()) == [(0,)]
    cluster.execute("ALTER TABLE chat.search_cursor ADD more bigint", name)
    assert pool.read(lambda connection: connection.run(statement).fetchall()) == [(0, None)]
