"""service/admin/live.py: the running service, for orders."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from service.admin.live import LiveService
from service.errors import StorageUnavailable
from tests.support.helpers import enter, running_server

if TYPE_CHECKING:
    from pathlib import Path


def test_it_acts_on_the_delivery_thread(tmp_path: Path) -> None:
    """The roster is that thread's alone."""
    with running_server(tmp_path) as server, enter(server.port, "alice"), enter(server.port, "alice"):
        live = LiveService(server.services)
        user_id = server.services.accounts.find_id("alice")
        assert user_id is not None
        assert live.run(lambda: (threading.current_thread().name, live.count_sessions(user_id))) == ("chat-delivery", 2)
        server.services.storage.release()


def test_a_fault_there_is_an_error_here(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log has it; the delivery goes on."""
    with running_server(tmp_path) as server, pytest.raises(StorageUnavailable, match="look into its log"):
        LiveService(server.services).run(lambda: 1 // 0)
    assert "a delivery failed" in caplog.text
