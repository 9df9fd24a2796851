"""A database for tests of writers: with a scratch table, and an account of the id 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.writers import Service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Cluster

_MADE = (
    "CREATE TABLE chat.scratch (n bigint PRIMARY KEY)",
    "GRANT ALL ON chat.scratch TO chat",
    "INSERT INTO chat.\"user\" (id, name, look, password_hash, created_at) VALUES (1, 'alice', 'alice', 'x', '')",
    "INSERT INTO chat.marker (user_id, read_id, read_position, last_seen_at) VALUES (1, 0, 0, '')",
)


@pytest.fixture
def url(database: str, cluster: Cluster) -> str:
    """The database."""
    for statement in _MADE:
        cluster.execute(statement, database.rpartition("/")[2])
    return database


@pytest.fixture
def service(url: str) -> Iterator[Service]:
    """One service over it."""
    with serving(url) as (service,):
        yield service


@pytest.fixture
def pair(url: str) -> Iterator[list[Service]]:
    """Two services over it."""
    with serving(url, url) as services:
        yield services
