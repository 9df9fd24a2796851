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
    for name in ("Makefile", "requirements.txt", "service", "client", "migrations"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    make_program(folder / ".venv" / "bin" / "python")
    for stamp in ("venv.stamp", "run.stamp"):
        (folder / ".venv" / stamp).touch()
    return folder


def make_program(path: Path, *arguments: str) -> None:
    """Makes a program that runs this Python with these arguments and its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {" ".join(arguments)} "$@"\n')
    path.chmod(0o755)


def environment(**more: str) -> dict[str, str]:
    """As tests have it, without what a surrounding make has set."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MAKE")} | more
