"""``python3 -m service.admin``: what an operator does to the database. 0: done; 1: it cannot be; 2: a bad command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.config import Settings
from service.errors import ServiceError
from service.storage import schema

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Runs one command; its result is one line."""
    parser = argparse.ArgumentParser(prog="python3 -m service.admin", description="Looks after the chat's database.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init_db = commands.add_parser("init-db", help="make the database, or upgrade an older one")
    init_db.add_argument("db", nargs="?", default=Settings().db, help="the SQLite file (default %(default)s)")
    given = parser.parse_args(arguments)
    try:
        result = schema.prepare(Path(given.db))
    except ServiceError as error:
        sys.stderr.write(f"chat admin: {error}\n")
        return 1
    print(f"{given.db}: {result}, schema {schema.revisions()[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
