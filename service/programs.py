"""What the programs are called: as commands where the package is installed, as modules of Python in a clone.

Every text that tells a command to type takes the name from here. Runs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]  # holds service/, client/ and migrations/


class Names(NamedTuple):
    """How each program is started, as one types it before its options."""

    client: str
    service: str
    admin: str


def find_names(root: Path, prefix: str) -> Names:
    """Returns the names, for programs in the folder `root`, run by the Python whose environment is `prefix`."""
    if (root / "__init__.py").exists():  # a package: see chat_service/
        return Names("chat", "chat-service", "chat-admin")
    python = ".venv/bin/python" if Path(prefix) == root / ".venv" else "python3"
    return Names(f"{python} -m client", f"{python} -m service", f"{python} -m service.admin")


CLIENT, SERVICE, ADMIN = find_names(ROOT, sys.prefix)
