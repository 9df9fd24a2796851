"""Copies a chat into an empty database of the other engine, and compares both. No SQL, no engine.

All that is stored goes over, row by row in one form; what an engine derives from it is made there anew.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from service.errors import FileError
from service.storage.records import Contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Row = tuple[Any, ...]  # text, whole numbers, bytes and None, in the order of the columns
PIECE: Final = 5_000  # rows between two looks at whether to stop


class Table(NamedTuple):
    """What is copied of one thing; its rows come in the order of the first columns, which tell them apart."""

    columns: tuple[str, ...]
    keys: int = 1


def _table(columns: str, keys: int = 1) -> Table:
    return Table(tuple(columns.split()), keys)


# In an order in which each row comes after those that it names. The numbers of a room's messages and the markers in it
# are stored, not derived: after a purge they cannot be counted anew.
TABLES: Final[Mapping[str, Table]] = {
    "account": _table("id name look password_hash created_at last_seen_at read_id disabled_at role muted_until"),
    "former_name": _table("name look user_id ended_at"),
    "token": _table("hash user_id created_at expires_at lifetime"),
    "room": _table("id name look topic private created_at gone_at members messages last_id"),
    "member": _table("room_id user_id role joined_at muted_until read_id read_position own_unread", 2),
    "invitation": _table("room_id user_id by_id time", 2),
    "kept_mute": _table("room_id user_id until", 2),
    "ban": _table("id room_id user_id name by_id reason time until"),
    "moderation": _table("id time actor_id action user_id message_id role reason room_id until name"),
    "hook": _table("user_id room_id hash created_at used_at"),
    "main_room": _table("topic"),
    "moment": _table("time"),
    "sequence": _table("name newest"),  # the newest id ever given to a message, an account, a room, an act
    "message": _table(
        "id sent_at sender_id recipient_id room_id kind body nonce seen_at deleted_at position"  # in a room
    ),
}


class Task(Protocol):
    """Long work that can be stopped: sqlite/backup.py has it."""

    doing: str

    def watch(self, connection: Any) -> None:
        """Takes what has `interrupt`. Raises StorageUnavailable once stopped."""

    def check(self) -> None:
        """Raises StorageUnavailable once stopped."""


class Source(Protocol):
    """A database that nobody writes to meanwhile."""

    revision: str

    def rows(self, table: str) -> Iterator[Row]:
        """Returns the rows of one of TABLES, as they were when the copy began."""


class Target(Source, Protocol):
    """A database with nothing in it, which stays so until the end."""

    def write(self, table: str, rows: Iterable[Row]) -> None:
        """Stores the rows, of which there may be many."""

    def derive(self, say: Callable[[str], None]) -> None:
        """Makes what the engine derives from the rows. `say` is told what is done, and may raise."""


def copy(source: Source, target: Target, task: Task) -> Contents:
    """Copies all, and compares both sides; returns what was copied. Raises FileError if they differ."""

    def say(what: str) -> None:
        task.doing = what
        task.check()

    there = {}
    for table in TABLES:
        count = _Count(table, "copying", say)
        target.write(table, count.over(source.rows(table)))
        there[table] = count
    target.derive(say)
    for table, copied in there.items():
        count = _Count(table, "comparing", say)
        for _ in count.over(target.rows(table)):
            pass
        if (count.rows, count.digest) != (copied.rows, copied.digest):
            raise FileError(f"the copy has other rows than its source in {table}; nothing was copied")
    users = there["account"].users
    return Contents(users, there["message"].rows, source.revision)


class _Count:
    """Counts rows that pass, and makes a checksum of them."""

    def __init__(self, table: str, doing: str, say: Callable[[str], None]) -> None:
        self.rows = self.users = 0
        self.digest = b""
        self._what = f"{doing} {table.replace('_', ' ')}"
        self._is_account = table == "account"
        self._say = say

    def over(self, rows: Iterable[Row]) -> Iterator[Row]:
        encode, checksum = msgspec.msgpack.Encoder().encode, hashlib.blake2b()
        for row in rows:
            if self.rows % PIECE == 0:
                self._say(f"{self._what}, {self.rows:,}")
            self.rows += 1
            self.users += self._is_account and bool(row[3])  # those that somebody can log in to
            checksum.update(encode(row))
            yield row
        self.digest = checksum.digest()
