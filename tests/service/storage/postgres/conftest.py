"""What the tests of the engine over PostgreSQL are run by: `make test-postgres`, or by name. And services for them."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection
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
    from service.storage.postgres import address
    from service.storage.postgres.connection import connect

    with closing(connect(address.parse(database))) as connection:
        yield connection
