"""What each of the operator's commands takes, as it is typed. Does nothing with it."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, get_args

from service.admin.kept_backups import parse_count
from service.clock import format_time
from service.storage.records import Action, Role
from service.wire.limits import MAX_ID, MAX_MINUTES, MAX_REASON

if TYPE_CHECKING:
    from service.config import Settings

_DB: Final = "the SQLite file, or postgresql://user@host/name (default %(default)s)"
# What the log of moderation has; joins and leaves are no acts.
_ACTS: Final = sorted({*get_args(Action), "delete", "topic", "private", "delete_room"} - {"join", "leave"})


def add_db(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--db", default=settings.db, help=_DB)


def add_name(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="NAME", help="whose account")
    add_db(parser, settings)


def add_for_rename(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="OLD", help="the account's present name")
    parser.add_argument("new_name", metavar="NEW", help="its name from now on")
    add_db(parser, settings)


def add_for_delete_user(parser: argparse.ArgumentParser, settings: Settings) -> None:
    add_name(parser, settings)
    parser.add_argument("--with-messages", action="store_true", help="delete what it wrote, too")


def add_file_to_look_at(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("db", metavar="FILE", nargs="?", default=settings.db, help="the file (default %(default)s)")


def add_for_init_db(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("db", metavar="FILE", nargs="?", default=settings.db, help=_DB)
    parser.add_argument("--backup", action="store_true", help="before an upgrade, copy it to the folder backups")
    for option, may in (("--service", "serve the chat"), ("--reader", "read the views history, users and rooms")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="ROLE",
            help=f"of PostgreSQL: a role that may {may} from now on",
        )


def add_for_backup(parser: argparse.ArgumentParser, settings: Settings) -> None:
    default = "backups/<name of the database>-<time>.db"
    parser.add_argument("file", metavar="FILE", nargs="?", help=f"the copy (default {default})")
    parser.add_argument("--overwrite", action="store_true", help="replace a FILE that is there already")
    parser.add_argument(
        "--keep",
        type=parse_count,
        metavar="N",
        help="without FILE: afterwards delete the oldest of the backups that are named so, until N are left",
    )
    add_db(parser, settings)


def add_for_restore(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("file", metavar="FILE", help="the backup")
    add_db(parser, settings)


def add_for_copy(parser: argparse.ArgumentParser, _: Settings) -> None:
    parser.add_argument(
        "--from", dest="source", required=True, metavar="DB", help="a SQLite file, or a postgresql:// URL"
    )
    parser.add_argument(
        "--to", dest="target", required=True, metavar="DB", help="the other of the two, with nothing in it"
    )


def add_for_certs(parser: argparse.ArgumentParser, _: Settings) -> None:
    parser.add_argument("folder", nargs="?", default="certs", help="where to put them (default %(default)s)")
    parser.add_argument("--name", action="append", default=[], help="a further name or address of this machine")


def add_for_users(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--disabled", action="store_true", help="only those that are shut out")
    add_db(parser, settings)


def _add_room(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--room", metavar="ROOM", help="in that room (default: the main room)")


def add_name_in_room(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="NAME", help="whom")
    _add_room(parser)
    add_db(parser, settings)
    parser.set_defaults(minutes=None, reason=None)


def add_for_restriction(parser: argparse.ArgumentParser, settings: Settings) -> None:
    add_name_in_room(parser, settings)
    parser.add_argument("--minutes", type=_parse_minutes, metavar="N", help="for so long (default: until undone)")
    parser.add_argument("--reason", type=_parse_reason, help="why; the members are told")


def add_for_rooms(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--gone", action="store_true", help="also those that are no more")
    add_db(parser, settings)


def add_for_room(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("what", choices=["delete"], help="what to do with it")
    parser.add_argument("room", metavar="ROOM", help="its name")
    add_db(parser, settings)


def add_for_hook(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("what", choices=["add", "remove"], help="what to do with it")
    parser.add_argument("name", metavar="NAME", help="its name, by which it speaks")
    parser.add_argument("--room", metavar="ROOM", help="add: where it speaks (default: the main room)")
    parser.add_argument("--url", metavar="URL", help="add: where programs reach the web port (default: as it is known)")
    add_db(parser, settings)


def add_for_moderation(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--room", metavar="ROOM", help="only in that room, and others that had the name")
    parser.add_argument("--user", metavar="NAME", help="only by that account, and to it")
    parser.add_argument("--action", choices=_ACTS, help="only these")
    parser.add_argument("--since", type=_parse_date, metavar="DATE", help="from that day on, in UTC")
    add_db(parser, settings)


def add_for_role(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("name", metavar="NAME", help="whose")
    parser.add_argument("role", choices=get_args(Role), help="its rank there")
    _add_room(parser)
    add_db(parser, settings)


def add_for_announce(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("text", metavar="TEXT", help="what to say; - takes it from stdin")
    add_db(parser, settings)


def add_for_import(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("file", metavar="FILE", help="CSV in UTF-8, whose first line has a column called name")
    add_db(parser, settings)


def add_for_export(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--to", metavar="FOLDER", help="write export.jsonl and export.txt there, in place of printing")
    add_name(parser, settings)


def add_for_delete_message(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("id", type=_parse_id, metavar="ID", help="the message's number")
    parser.add_argument("--reason", type=_parse_reason, help="why; it is kept in the database and sent to nobody")
    add_db(parser, settings)


def add_for_purge(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument("--before", type=_parse_date, required=True, metavar="DATE", help="such as 2026-01-01, in UTC")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--public-only", action="store_true", help="leave direct messages")
    kinds.add_argument("--direct-only", action="store_true", help="leave public messages")
    kinds.add_argument("--room", metavar="ROOM", help="only those of that room, and of others that had the name")
    parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
    add_db(parser, settings)


def _parse_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MAX_ID):
        raise argparse.ArgumentTypeError(f"{text!r} is no message's number")
    return int(text)


def _parse_minutes(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MAX_MINUTES):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 1 to {MAX_MINUTES}, a year")
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
