"""``python3 -m service.admin``: the operator's commands. Exit status 0: done; 1: failed; 2: a bad command."""

from __future__ import annotations

from service import programs

if __name__ == "__main__":
    programs.explain_missing_packages("service.admin", "chat-admin")

import argparse
import getpass
import io
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotYet
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from service import storage
from service.accounts import passwords
from service.accounts.names import map_name, map_new_name
from service.accounts.refusals import as_peer_errors
from service.admin import control
from service.config import Settings, parse_settings
from service.errors import ChatError, PeerError, ServiceError, StorageUnavailable
from service.net import certificates
from service.visible import Parser, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.storage.contract import Contents

_TICK: Final = 1.0  # seconds until progress shows on a terminal, and between two updates
_STOP_TICK: Final = 0.05  # seconds between two attempts to stop the work
_INTERRUPTED: Final = 130  # the exit status after Ctrl-C, as shells have it
_T = TypeVar("_T")
DEFAULT_DB: Final = Settings().db

_ACTIONS: Final[dict[control.Action, tuple[str, str]]] = {
    "add": ("make an account, also where registration is closed", "the account is made"),
    "password": ("give an account a new password", "the password is changed; sessions and tokens have ended"),
    "disable": ("shut an account out", "the account is disabled; sessions and tokens have ended"),
    "enable": ("let an account in again", "the account is enabled"),
}


def main(arguments: Sequence[str]) -> int:
    """Runs one command and prints its result: one line, or several for `certs`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # even in a locale that lacks a letter of it
    try:
        settings = parse_settings([], os.environ)
        for line in _run(make_parser(settings.db).parse_args(arguments), settings):
            print(one_line(line))
    except ChatError as error:
        return _fail(str(error), 1)
    except (OSError, RuntimeError) as error:  # pathlib raises RuntimeError for a link to itself
        return _fail(f"{' '.join(arguments[:1])}: {error}", 1)
    except KeyboardInterrupt:
        return _fail("stopped; nothing was changed", _INTERRUPTED)
    return 0


def _fail(text: str, status: int) -> int:
    sys.stderr.write(f"chat admin: {one_line(text)}\n")
    return status


def make_parser(db: str = DEFAULT_DB, prog: str = programs.ADMIN) -> Parser:
    """Returns the parser of the command line, for completion and the man page, too; `db` is what --db is without."""
    parser = Parser(prog=prog, description="Looks after the chat's database.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init_db = commands.add_parser("init-db", help="make the database, or upgrade an older one")
    init_db.add_argument("db", nargs="?", default=db, help="the SQLite file (default %(default)s)")
    init_db.add_argument("--backup", action="store_true", help="before an upgrade, copy it to the folder backups")
    _add_backup_commands(commands, db)
    for action, (explain, _) in _ACTIONS.items():
        account = commands.add_parser(action, help=explain, description=f"To {explain}; also while the service runs.")
        account.add_argument("name", metavar="NAME", help="whose account")
        account.add_argument("--db", default=db, help="the SQLite file (default %(default)s)")
    certs = commands.add_parser("certs", help="make a self-signed certificate and its key, to speak TLS with")
    certs.add_argument("folder", nargs="?", default="certs", help="where to put them (default %(default)s)")
    certs.add_argument("--name", action="append", default=[], help="a further name or address of this machine")
    programs.add_common_options(parser, programs.COMMANDS.admin)
    return parser


def _run(given: argparse.Namespace, settings: Settings) -> list[str]:
    """Runs the command; returns the lines of its result."""
    if given.command == "certs":
        return certificates.make_pair(Path(given.folder), given.name)
    path = Path(given.db)
    if given.command == "init-db":
        lines = []
        if given.backup and storage.is_older(given.db):
            lines.append(_backup(argparse.Namespace(db=given.db, file=None, overwrite=False)))
        what, revision = storage.init_db(given.db)
        return [*lines, f"{path}: {what}, schema {revision}"]
    if given.command in _FILE_COMMANDS:
        try:
            return [_FILE_COMMANDS[given.command](given)]
        except StorageUnavailable as error:
            raise ServiceError(f"{given.command}: {error}") from error
    name = (map_new_name if given.command == "add" else map_name)(given.name)
    password_hash = ""
    if given.command in {"add", "password"}:
        password = passwords.check_new(_ask_password(name), settings.min_password)
        password_hash = passwords.make_hash(password, settings.bcrypt_cost)
    order = control.Order(given.command, name, password_hash)
    if not control.ask(path, order):
        _carry_out(given.db, order)
    return [f"{name}: {_ACTIONS[given.command][1]}"]


def _ask_password(name: str) -> str:
    """Reads it twice and unseen at a terminal, else from the first line of stdin. Other users can see arguments."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"New password for {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise PeerError("weak_password", "the two differ; nothing was changed")
    return password


def _carry_out(db: str, order: control.Order) -> None:
    """Carries the order out in this process, as no service runs."""
    if not storage.exists(db):
        raise PeerError("bad_request", f"there is no database {Path(db)}; name it with --db")
    with closing(storage.open_offline(db)) as opened, as_peer_errors():
        opened.result(control.carry_out(opened, order))


# -- backups ----------------------------------------------------------------------------------------------------------
def _add_backup_commands(commands: argparse._SubParsersAction[Parser], db: str) -> None:
    copy = commands.add_parser("backup", help="copy the database to a file, also while the service runs")
    copy.add_argument("file", nargs="?", help="the copy (default backups/<name of the database>-<time>.db)")
    copy.add_argument("--overwrite", action="store_true", help="replace a FILE that is there already")
    back = commands.add_parser("restore", help="put a backup in the database's place; the service must not run")
    back.add_argument("file", help="the backup")
    for parser in (copy, back):
        parser.add_argument("--db", default=db, help="the SQLite file (default %(default)s)")
    check = commands.add_parser("verify", help="check a database or a backup, also while the service runs")
    check.add_argument("db", metavar="file", nargs="?", default=db, help="the SQLite file (default %(default)s)")


def _backup(given: argparse.Namespace) -> str:
    source = Path(given.db)
    target = Path(given.file or f"backups/{source.stem}-{storage.time_stamp()}.db")
    begun = time.monotonic()
    held = _attend(lambda task: storage.backup(given.db, target, task, overwrite=given.overwrite))
    size = target.stat().st_size
    return f"{target}: {size:,} bytes, {_describe(held)}, {time.monotonic() - begun:.1f} s"


def _restore(given: argparse.Namespace) -> str:
    held, old = _attend(lambda task: storage.restore(Path(given.file), given.db, task))
    return f"{given.db}: restored, {_describe(held)}" + (f"; the old file is now {old}" if old else "")


def _verify(given: argparse.Namespace) -> str:
    def check(task: storage.Task) -> Contents:
        task.doing = "checking"
        return storage.verify(given.db, task)

    return f"{given.db}: sound, {_describe(_attend(check))}"


_FILE_COMMANDS: Final[dict[str, Callable[[argparse.Namespace], str]]] = {
    "backup": _backup,
    "restore": _restore,
    "verify": _verify,
}


def _describe(held: Contents) -> str:
    messages, users = (
        f"{number:,} {word}{'s' if number != 1 else ''}"
        for number, word in ((held.messages, "message"), (held.users, "user"))
    )
    return f"{messages}, {users}, schema {held.revision}"


def _attend(work: Callable[[storage.Task], _T]) -> _T:
    """Does long work in a thread, so that a terminal shows its progress and Ctrl-C ends it at once."""
    task = storage.Task()
    begun = time.monotonic()
    shows = False
    with ThreadPoolExecutor(1, "chat-admin") as pool:
        future = pool.submit(work, task)
        try:
            while True:
                try:
                    return future.result(timeout=_TICK)
                except NotYet:
                    shows = sys.stderr.isatty()
                    if shows:
                        sys.stderr.write(f"\r{task.doing}, {time.monotonic() - begun:.0f} s \x1b[K")
                        sys.stderr.flush()
        except KeyboardInterrupt:
            while not future.done():  # repeated: an interrupt between two statements is lost
                task.stop()
                wait([future], _STOP_TICK)
            if future.exception() is not None:
                raise
            return future.result()  # the work finished before it could be stopped
        finally:
            if shows:
                sys.stderr.write("\r\x1b[K")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
