"""A folder set up as a clone is after `make install`, and shell lines that run there. Holds no test."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tests.support.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def make_clone(folder: Path) -> Path:
    """Returns the folder; `make` needs no network there."""
    for path in (*map(ROOT.joinpath, ("Makefile", "service", "client", "migrations")), *ROOT.glob("requirements*")):
        (folder / path.name).symlink_to(path)
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for stamp in ("venv.stamp", "run.stamp", "postgres.stamp"):
        (folder / ".venv" / stamp).touch()
    return folder


def environment(**more: str) -> dict[str, str]:
    """As tests have it, without what a surrounding make has set."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MAKE")} | more
