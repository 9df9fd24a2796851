"""A running server and its clients, for the tests of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import running_server
from tests.support.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with an empty database."""
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def wires(server: Server) -> Iterator[Wires]:
    """Clients of that server, closed at the end."""
    wires = Wires(server.port)
    yield wires
    wires.close()
