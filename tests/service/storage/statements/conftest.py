"""A storage, for the tests of the statements that both engines run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    """An empty, open storage."""
    with open_storage(tmp_path / "chat.db") as storage:
        yield storage
