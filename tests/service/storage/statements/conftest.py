"""A storage of the engine that the tests run on, for the tests of the statements that both engines run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.sqlite.engine import SqliteStorage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks those in this folder: they hold on both engines."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engines)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    """An empty, open storage."""
    with open_storage(tmp_path / "chat.db") as storage:
        yield storage
