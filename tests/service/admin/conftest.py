"""What the tests of the operator's commands share."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from service.admin import __main__ as admin
from tests.support.engines import POSTGRES, name_database
from tests.support.helpers import hear_orders

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs an operator's command on this test's database; gives its status, stdout and stderr."""

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{stdin}\n"))
        monkeypatch.setenv("CHAT_BCRYPT_COST", "4")
        status = admin.main([*arguments, "--db", name_database(tmp_path / "chat.db")])
        if POSTGRES:
            hear_orders()
        return status, *capsys.readouterr()

    return run
