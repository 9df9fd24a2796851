"""The storage of each engine, for the tests of what every engine does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.storage.contract import Storage
from tests.support.helpers import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

Engine = Callable[[Path], AbstractContextManager[Storage]]


@pytest.fixture
def engine() -> Engine:
    """Opens a storage in a folder, or the one that is there, of the engine that the tests run on."""
    return lambda folder: open_storage(folder / "chat.db")


@pytest.fixture
def storage(engine: Engine, tmp_path: Path) -> Iterator[Storage]:
    """An empty, open storage."""
    with engine(tmp_path) as storage:
        yield storage
