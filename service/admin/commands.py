"""The operator's commands as they are typed: the one table of their words, arguments and work. Prints nothing."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from service.accounts import passwords
from service.accounts.names import map_name, map_new_name
from service.admin import files
from service.admin.asking import ask
from service.admin.dossier import export
from service.admin.kept_backups import parse_count
from service.admin.orders import accounts, messages, names
from service.admin.orders.announce import MAX_ANNOUNCEMENT, Announce
from service.admin.orders.status import Status, Users
from service.admin.roster import import_users
from service.clock import format_time
from service.errors import PeerError
from service.storage.records import DELETED, Role
from service.visible import one_line
from service.wire.limits import MAX_ID, MAX_REASON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.admin.desk import Order, Work
    from service.admin.show import Layout
    from service.config import Settings


class Command(NamedTuple):
    """A row of the table: what is said about the command, what it takes, and what it does."""

    explain: str
    work: Callable[[argparse.Namespace, Settings], Work]
    add_arguments: Callable[[argparse.ArgumentParser, Settings], None]
    layout: Layout = "text"  # without --json


# -- arguments --------------------------------------------------------------------------------------------------------
def _add_db(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--db", default=settings.db, help="the SQLite file (default %(default)s)")


def _add_name(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="NAME", help="whose account")
    _add_db(parser, settings)


def _add_for_rename(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="OLD", help="the account's present name")
    parser.add_argument("new_name", metavar="NEW", help="its name from now on")
    _add_db(parser, settings)


def _add_for_delete_user(parser: argparse.ArgumentParser, settings: Settings) -> None:
    _add_name(parser, settings)
    parser.add_argument("--with-messages", action="store_true", help="delete what it wrote, too")


def _add_file_to_look_at(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("db", metavar="FILE", nargs="?", default=settings.db, help="the file (default %(default)s)")


def _add_for_init_db(parser: argparse.ArgumentParser, settings: Settings) -> None:
    _add_file_to_look_at(parser, settings)
    parser.add_argument("--backup", action="store_true", help="before an upgrade, copy it to the folder backups")


def _add_for_backup(parser: argparse.ArgumentParser, settings: Settings) -> None:
    default = "backups/<name of the database>-<time>.db"
    parser.add_argument("file", metavar="FILE", nargs="?", help=f"the copy (default {default})")
    parser.add_argument("--overwrite", action="store_true", help="replace a FILE that is there already")
    parser.add_argument(
        "--keep",
        type=parse_count,
        metavar="N",
        help="without FILE: afterwards delete the oldest of the backups that are named so, until N are left",
    )
    _add_db(parser, settings)


def _add_for_restore(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("file", metavar="FILE", help="the backup")
    _add_db(parser, settings)


def _add_for_certs(parser: argparse.ArgumentParser, _: Settings) -> None:
    parser.add_argument("folder", nargs="?", default="certs", help="where to put them (default %(default)s)")
    parser.add_argument("--name", action="append", default=[], help="a further name or address of this machine")


def _add_for_users(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--disabled", action="store_true", help="only those that are shut out")
    _add_db(parser, settings)


def _add_for_role(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="NAME", help="whose")
    parser.add_argument("role", choices=get_args(Role), help="its rank in the main room")
    _add_db(parser, settings)


def _add_for_announce(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("text", metavar="TEXT", help="what to say; - takes it from stdin")
    _add_db(parser, settings)


def _add_for_import(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("file", metavar="FILE", help="CSV in UTF-8, whose first line has a column called name")
    _add_db(parser, settings)


def _add_for_export(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--to", metavar="FOLDER", help="write export.jsonl and export.txt there, in place of printing")
    _add_name(parser, settings)


def _add_for_delete_message(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("id", type=_parse_id, metavar="ID", help="the message's number")
    parser.add_argument("--reason", type=_parse_reason, help="why; it is kept in the database and sent to nobody")
    _add_db(parser, settings)


def _add_for_purge(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--before", type=_parse_date, required=True, metavar="DATE", help="such as 2026-01-01, in UTC")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--public-only", action="store_true", help="leave direct messages")
    kinds.add_argument("--direct-only", action="store_true", help="leave public messages")
    parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
    _add_db(parser, settings)


def _parse_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MAX_ID):
        raise argparse.ArgumentTypeError(f"{text!r} is no message's number")
    return int(text)


def _parse_reason(text: str) -> str:
    if len(text) > MAX_REASON or "\0" in text:
        raise argparse.ArgumentTypeError(f"a reason has at most {MAX_REASON} characters, and no NUL")
    return text


def _parse_date(text: str) -> str:
    """Returns the time at which that day begins, in UTC."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it as 2026-01-31") from None
    return format_time(datetime(day.year, day.month, day.day, tzinfo=UTC))


# -- orders -----------------------------------------------------------------------------------------------------------
def _for_name(make_order: Callable[[str], Order]) -> Callable[[argparse.Namespace, Settings], Work]:
    """Returns the work of a command that has an order carried out for a name."""

    def work(given: argparse.Namespace, _: Settings) -> Work:
        yield from ask(given.db, make_order(map_name(given.name)))

    return work


def _status(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, Status())


def _users(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, Users(disabled=given.disabled))


def _add(given: argparse.Namespace, settings: Settings) -> Work:
    name = map_new_name(given.name, settings.main_room)
    yield from ask(given.db, accounts.Add(name, _ask_new_hash(name, settings)))


def _rename(given: argparse.Namespace, settings: Settings) -> Work:
    order = names.Rename(map_name(given.name), map_new_name(given.new_name, settings.main_room))
    yield from ask(given.db, order)


def _delete_user(given: argparse.Namespace, _: Settings) -> Work:
    name = map_name(given.name)
    _confirm(f"Close the account {name} for good? Nobody can undo it, and nobody gets the name again.")
    try:
        yield from ask(given.db, names.DeleteUser(name, given.with_messages))
    except KeyboardInterrupt:
        if not given.with_messages:
            raise
        advice = f"what was deleted until then stays so. For the rest give the command again, for {DELETED}-…"
        raise KeyboardInterrupt(advice) from None


def _set_password(given: argparse.Namespace, settings: Settings) -> Work:
    name = map_name(given.name)
    yield from ask(given.db, accounts.SetPassword(name, _ask_new_hash(name, settings)))


def _set_role(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, accounts.SetRole(map_name(given.name), given.role))


def _announce(given: argparse.Namespace, _: Settings) -> Work:
    text = given.text
    try:
        if text == "-":
            text = sys.stdin.read(MAX_ANNOUNCEMENT + 2).rstrip("\r\n")  # no more than shows that it is too long
        text.encode()
    except UnicodeError:
        raise PeerError("bad_request", "the text is no UTF-8; nothing was announced") from None
    yield from ask(given.db, Announce(text))


def _delete_message(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, messages.DeleteMessage(given.id, given.reason))


def _purge(given: argparse.Namespace, _: Settings) -> Work:
    order = messages.Purge(given.before, not given.direct_only, not given.public_only, given.dry_run)
    if not given.dry_run:
        _confirm("Remove these messages for good? --dry-run says how many there are.")
    yield from ask(given.db, order)


def _erase(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, messages.Erase())


def _confirm(question: str) -> None:
    """Asks at a terminal before what cannot be undone; a script means what it says. Raises PeerError."""
    if sys.stdin.isatty():
        sys.stderr.write(f"{one_line(question)} Type yes: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != "yes":
            raise PeerError("bad_request", "nothing was changed")


def _ask_new_hash(name: str, settings: Settings) -> str:
    password = passwords.check_new(_ask_password(name), settings.min_password)
    return passwords.make_hash(password, settings.bcrypt_cost)


def _ask_password(name: str) -> str:
    """Reads it twice and unseen at a terminal, else from the first line of stdin. Other users can see arguments."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"New password for {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise PeerError("weak_password", "the two differ; nothing was changed")
    return password


COMMANDS: Final[Mapping[str, Command]] = {
    "init-db": Command("make the database, or upgrade an older one", files.init_db, _add_for_init_db),
    "backup": Command("copy the database to a file, also while the service runs", files.backup, _add_for_backup),
    "restore": Command(
        "put a backup in the database's place; the service must not run", files.restore, _add_for_restore
    ),
    "verify": Command("check a database or a backup, also while the service runs", files.verify, _add_file_to_look_at),
    "status": Command("say how the service does, and who is connected", _status, _add_db),
    "users": Command("list the accounts", _users, _add_for_users),
    "add": Command("make an account, also where registration is closed", _add, _add_name),
    "password": Command("give an account a new password", _set_password, _add_name),
    "disable": Command("shut an account out", _for_name(accounts.Disable), _add_name),
    "enable": Command("let an account in again", _for_name(accounts.Enable), _add_name),
    "kick": Command("end the sessions of an account; it may come again", _for_name(accounts.Kick), _add_name),
    "role": Command("make an account member, moderator or owner of the main room", _set_role, _add_for_role),
    "announce": Command("say something to everyone, as the account server", _announce, _add_for_announce),
    "import-users": Command(
        "make accounts for the names in a file, with passwords made for them", import_users, _add_for_import, "csv"
    ),
    "export": Command("give out all that is stored of a person", export, _add_for_export),
    "rename": Command("give an account another name; nobody gets the old one", _rename, _add_for_rename),
    "delete-user": Command(
        "close an account for good; its messages stay, without its name", _delete_user, _add_for_delete_user
    ),
    "delete-message": Command("delete the text of a message", _delete_message, _add_for_delete_message),
    "purge": Command("remove the messages of before a day, rows and all", _purge, _add_for_purge),
    "erase": Command("remove what was deleted from the files now, and say when it is done", _erase, _add_db),
    "repair": Command(
        "make counts and search index anew, after a row was changed by hand; the service must not run",
        files.repair,
        _add_db,
    ),
    "compact": Command("make the file smaller after a purge; the service must not run", files.compact, _add_db),
    "certs": Command("make a self-signed certificate and its key, to speak TLS with", files.certs, _add_for_certs),
}
