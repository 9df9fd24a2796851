"""``python3 -m service.admin``: what an operator does to the database. 0: done; 1: it cannot be; 2: a bad command."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service import control, passwords
from service.config import Settings, parse_settings
from service.errors import ChatError, PeerError
from service.names import map_name
from service.storage import database, schema
from service.storage.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACTIONS: Final[dict[control.Action, tuple[str, str]]] = {
    "add": ("make an account, also where registration is closed", "the account is made"),
    "password": ("give an account a new password", "the password is changed; sessions and tokens have ended"),
    "disable": ("shut an account out", "the account is disabled; sessions and tokens have ended"),
    "enable": ("let an account in again", "the account is enabled"),
}


def main(arguments: Sequence[str]) -> int:
    """Runs one command; its result is one line."""
    try:
        settings = parse_settings([], os.environ)
        print(_run(_parse(arguments, settings), settings))
    except ChatError as error:
        sys.stderr.write(f"chat admin: {error}\n")
        return 1
    return 0


def _parse(arguments: Sequence[str], settings: Settings) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m service.admin", description="Looks after the chat's database.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init_db = commands.add_parser("init-db", help="make the database, or upgrade an older one")
    init_db.add_argument("db", nargs="?", default=settings.db, help="the SQLite file (default %(default)s)")
    for action, (explain, _) in _ACTIONS.items():
        account = commands.add_parser(action, help=explain, description=f"To {explain}; also while the service runs.")
        account.add_argument("name", metavar="NAME", help="whose account")
        account.add_argument("--db", default=settings.db, help="the SQLite file (default %(default)s)")
    return parser.parse_args(arguments)


def _run(given: argparse.Namespace, settings: Settings) -> str:
    path = Path(given.db)
    if given.command == "init-db":
        return f"{path}: {schema.init_db(path)}, schema {schema.revisions()[-1]}"
    name = map_name(given.name)
    password_hash = ""
    if given.command in {"add", "password"}:
        password = passwords.check_new(_ask_password(name), settings.min_password)
        password_hash = passwords.make_hash(password, settings.bcrypt_cost)
    order = control.Order(given.command, name, password_hash)
    if not control.ask(path, order):
        _carry_out(path, order)
    return f"{name}: {_ACTIONS[given.command][1]}"


def _ask_password(name: str) -> str:
    """From the keyboard, twice and unseen; in a pipe the first line. Never an argument: those are seen by everyone."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"New password for {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise PeerError("weak_password", "the two differ; nothing was changed")
    return password


def _carry_out(path: Path, order: control.Order) -> None:
    """Does it here, as no service runs."""
    if not path.exists():
        raise PeerError("bad_request", f"there is no database {path}; name it with --db")
    path = path.resolve()
    with closing(FileLock(path)):
        schema.prepare(path)
        with database.translated_errors(), closing(database.connect_writer(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            control.carry_out(connection, order)
            connection.execute("COMMIT")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
