"""The names that the command gives to backups, and which of these are old. Deletes nothing, opens no database."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from service import storage

MOST_KEPT: Final = 10_000  # a backup each hour for more than a year
_TIME: Final = r"\d{4}-\d\d-\d\dT\d{6}Z"  # as storage.time_stamp has it


def name_backup(db: str) -> Path:
    """Returns a name for a backup of this moment: ``backups/<name of the database>-<time>.db``."""
    return Path(f"backups/{Path(db).stem}-{storage.time_stamp()}.db")


def parse_count(text: str) -> int:
    """Returns how many backups to keep. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_KEPT):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_KEPT:,}, not {text!r}")
    return int(text)


def find_old(newest: Path, db: str, keep: int) -> list[Path]:
    """Returns the backups to delete, the oldest first, so that `keep` are left, `newest` among them.

    They are files beside it with a name that `name_backup` gives to this database; nothing else is touched. By the time
    in the name, because copying a backup elsewhere and back changes the file's own.
    """
    named = re.compile(rf"{re.escape(Path(db).stem)}-{_TIME}\.db")
    others = [
        path
        for path in newest.parent.iterdir()
        if named.fullmatch(path.name) and path.name != newest.name and path.is_file() and not path.is_symlink()
    ]
    return sorted(others)[: max(0, len(others) + 1 - keep)]
