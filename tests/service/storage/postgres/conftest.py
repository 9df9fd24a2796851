"""What the tests of the engine over PostgreSQL are run by: `make test-postgres`, or by name. And services for them."""

from __future__ import annotations

from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.long_history import FILL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.storage.postgres.connection import Connection
    from tests.support.pg_proxy import PgProxy
    from tests.support.postgres import Cluster
    from tests.support.writers import Service

if find_spec("psycopg") is None:
    collect_ignore_glob = ["test_*.py"]

_MADE = (
    "CREATE TABLE chat.scratch (n bigint PRIMARY KEY)",
    "GRANT ALL ON chat.scratch TO chat",
    "INSERT INTO chat.\"user\" (id, name, look, password_hash, created_at) VALUES (1, 'alice', 'alice', 'x', '')",
    "INSERT INTO chat.marker (user_id, read_id, read_position, last_seen_at) VALUES (1, 0, 0, '')",
)


def _connect(url: str) -> Connection:
    """Imports the engine only once a test runs: it may be missing."""
    from service.storage.postgres import address
    from service.storage.postgres.connection import connect

    return connect(address.parse(url))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks those in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.postgres)


@pytest.fixture
def url(database: str, cluster: Cluster) -> str:
    """A database with a scratch table, and an account of the id 1."""
    for statement in _MADE:
        cluster.execute(statement, database.rpartition("/")[2])
    return database


@pytest.fixture
def service(url: str) -> Iterator[Service]:
    """One service over it."""
    from tests.support.writers import serving

    with serving(url) as (service,):
        yield service


@pytest.fixture
def pair(url: str) -> Iterator[list[Service]]:
    """Two services over it."""
    from tests.support.writers import serving

    with serving(url, url) as services:
        yield services


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """A connection to an empty chat."""
    with closing(_connect(database)) as connection:
        yield connection


@pytest.fixture(scope="session")
def history(cluster: Cluster) -> Iterator[str]:
    """The URL of a database with a history that the tests leave as it is: they end with ROLLBACK."""
    url = cluster.create()
    with closing(_connect(url)) as connection:
        for statement in FILL.split(";\n"):
            connection.raw.execute(statement.encode())
    yield url
    cluster.drop(url)


@pytest.fixture
def looked_at(history: str) -> Iterator[Callable[[Callable[[Connection], object]], int]]:
    """Does some work on the long history, and counts the rows of messages that PostgreSQL looked at.

    In functions too, where EXPLAIN tells nothing. A walk of the whole table counts as all of it.
    """
    with closing(_connect(history)) as connection:

        def count(work: Callable[[Connection], object]) -> int:
            for _ in range(7):  # PostgreSQL takes a plan for all values only after some runs
                with rolled_back(connection):
                    before = _count_rows(connection)
                    work(connection)
                    rows = _count_rows(connection) - before
            return rows

        yield count


def _count_rows(connection: Connection) -> int:
    ((rows,),) = connection.run(
        "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0) FROM pg_stat_xact_user_tables "
        "WHERE relname IN ('message', 'unseen', 'seen') AND schemaname = 'chat'"
    ).fetchall()
    return int(rows)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    connection.run("BEGIN")
    try:
        yield
    finally:
        connection.run("ROLLBACK")


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[PgProxy]:
    """A way to the cluster that can be cut."""
    from tests.support.pg_proxy import PgProxy

    with PgProxy("127.0.0.1", cluster.port) as proxy:
        yield proxy


@pytest.fixture
def far(url: str, proxy: PgProxy) -> Iterator[Service]:
    """A service behind it."""
    from tests.support.pg_proxy import Fate
    from tests.support.writers import behind, serving

    with serving(behind(url, proxy)) as (service,):
        yield service
        proxy.decide = lambda: Fate.PASS
        proxy.release()
