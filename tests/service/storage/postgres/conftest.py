"""A connection to an empty chat on PostgreSQL, for tests of its statements."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.storage.postgres import address
from service.storage.postgres.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with closing(connect(address.parse(database))) as connection:
        yield connection
