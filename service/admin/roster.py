"""import-users: makes accounts for the names in a file, each with a password made for it. Sees no password of a user's.

The line with a password is out before its account is stored, so no account has a password that nobody was shown.
"""

from __future__ import annotations

import csv
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.accounts import passwords
from service.accounts.names import map_new_name
from service.admin.asking import ask
from service.admin.desk import Note, Progress, Row
from service.admin.orders.accounts import Add, CheckName
from service.errors import ChatError, PeerError, ServiceError

if TYPE_CHECKING:
    import argparse

    from service.admin.desk import Work
    from service.config import Settings

MAX_ROSTER: Final = 10_000  # names in a file: their hashes take 40 minutes of a processor
_MAX_BYTES: Final = 10_000_000  # of the file, with whatever columns it has besides the names
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 that nobody confuses on paper: 5 bits each
_LENGTH: Final = 16  # of them: 80 bits
_COLUMN: Final = "name"


def import_users(given: argparse.Namespace, settings: Settings) -> Work:
    """Yields a row for each account, and a note for each name that is passed over. Raises ChatError."""
    names = read_roster(Path(given.file))
    bad = [*_find_bad(names, settings.main_room)]
    yield from bad
    if bad:
        raise ServiceError(f"{given.file}: {len(bad)} of {len(names)} names cannot be; nothing was changed")
    refused = 0
    try:
        for number, (_, text) in enumerate(names, 1):
            yield Progress(f"making accounts, {number} of {len(names)}")
            name = map_new_name(text, settings.main_room)
            why = _find_obstacle(given.db, name)
            if why is None:
                yield from _make(given.db, name, settings)
            else:
                refused += why != CheckName.THERE
                yield Note(f"{name}: {why}")
    except KeyboardInterrupt:
        advice = "the accounts above are made, the last one perhaps not. Give the command again for the rest"
        raise KeyboardInterrupt(advice) from None
    if refused:
        raise ServiceError(f"{refused} of {len(names)} names are refused; the others have accounts")


def read_roster(path: Path) -> list[tuple[int, str]]:
    """Returns the names in the column `name`, with the numbers of their lines. Raises ServiceError, OSError."""
    if path.stat().st_size > _MAX_BYTES:
        raise ServiceError(f"{path} has more than {_MAX_BYTES:,} bytes; make several files of it")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # a spreadsheet begins it with a byte order mark
            reader = csv.reader(file, strict=True)
            columns = [column.strip().lower() for column in next(reader, [])]
            if _COLUMN not in columns:
                raise ServiceError(f'{path}: the first line of the file has no column "{_COLUMN}", between commas')
            index = columns.index(_COLUMN)
            names = [(reader.line_num, row[index].strip()) for row in reader if len(row) > index and row[index].strip()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ServiceError(f"{path} is no CSV in UTF-8: {error}") from error
    if len(names) > MAX_ROSTER:
        raise ServiceError(f"{path} has more than {MAX_ROSTER:,} names; make several files of it")
    return names


def _find_bad(names: list[tuple[int, str]], main_room: str) -> Work:
    for line, text in names:
        try:
            map_new_name(text, main_room)
        except PeerError as error:
            yield Note(f"line {line}, {text}: {error}")


def _find_obstacle(db: str, name: str) -> str | None:
    """Returns why no account of that name can be made; None if it can."""
    for told in ask(db, CheckName(name)):
        if isinstance(told, Row):
            why: str | None = told.values["why"]
            return why
    raise ServiceError("the running service gave no answer; look into its log")


def _make(db: str, name: str, settings: Settings) -> Work:
    """Makes an account. Its row is first, as it is printed before this goes on."""
    password = make_password(settings.min_password)
    password_hash = passwords.make_hash(passwords.check_new(password, settings.min_password), settings.bcrypt_cost)
    yield Row({"name": name, "password": password})
    try:
        for _ in ask(db, Add(name, password_hash)):
            pass
    except ChatError as error:
        advice = f"{name} was not made, so its line above is void. Give the command again for it and the rest"
        raise ServiceError(f"{error}. {advice}") from error


def make_password(shortest: int) -> str:
    """Returns a random password of at least so many characters."""
    return "".join(secrets.choice(_LETTERS) for _ in range(max(_LENGTH, shortest)))
