"""`python3 client.py` in client/, as a file: the same program as `python3 -m client`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from client.chat.help import help_texts
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, running_server

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_file_is_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It logs in and does what stdin says, though the folder's modules have names that others have, too."""
    monkeypatch.setenv("CHAT_PASSWORD", PASSWORD)
    with running_server(tmp_path) as server:
        ended = subprocess.run(
            [sys.executable, "client.py", "localhost", str(server.port), "alice"],
            cwd=ROOT / "client",
            input="help\nex\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (ended.returncode, help_texts()[0] in ended.stdout) == (0, True), ended
