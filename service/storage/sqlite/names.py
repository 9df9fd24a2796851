"""Statements about names: whose they are, whose they were, and which look alike. None begins or ends a transaction.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import LooksAlike, NameTaken

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

# A `1` in a look is also an i or an l, so a look can resemble two that differ: `zig1` resembles `zigi` and `zigl`. The
# indexes find looks that are equal with all three as l; the pattern selects those that really match.
_FOLDED: Final = "replace(replace({}, '1', 'l'), 'i', 'l')"
_ALIKE: Final = f"{_FOLDED.format('look')} = {_FOLDED.format('?')} AND look GLOB ?"
_BEGINS: Final = f"{_FOLDED.format('look')} >= ? AND {_FOLDED.format('look')} < ? AND look GLOB ?"
_FOLD: Final = str.maketrans("1i", "ll")
_PATTERN: Final = str.maketrans({"1": "[1il]", "i": "[1i]", "l": "[1l]", **{char: f"[{char}]" for char in "*?["}})


def check_free(connection: sqlite3.Connection, name: str, look: str) -> None:
    """Compares also with names that were somebody's: nobody shall be taken for who had one."""
    known = "SELECT 1 FROM user WHERE name = ? UNION ALL SELECT 1 FROM former_name WHERE name = ? LIMIT 1"
    if connection.execute(known, (name, name)).fetchone() is not None:
        raise NameTaken(name)
    alike = f"SELECT 1 FROM user WHERE {_ALIKE} UNION ALL SELECT 1 FROM former_name WHERE {_ALIKE} LIMIT 1"  # noqa: S608
    if connection.execute(alike, (look, look.translate(_PATTERN)) * 2).fetchone() is not None:
        raise LooksAlike(name)


def is_room_alike(connection: sqlite3.Connection, look: str) -> bool:
    """Whether there is a room whose name can be confused with one of this look."""
    alike = f"SELECT 1 FROM room INDEXED BY room_look WHERE gone_at IS NULL AND {_ALIKE} LIMIT 1"  # noqa: S608
    return connection.execute(alike, (look, look.translate(_PATTERN))).fetchone() is not None


def find_alike(connection: sqlite3.Connection, looks: Sequence[str], beginning: str) -> list[str]:
    names: set[str] = set()
    statement = f"SELECT name FROM user WHERE password_hash <> '' AND {_ALIKE}"  # noqa: S608
    for look in looks:
        names.update(name for (name,) in connection.execute(statement, (look, look.translate(_PATTERN))).fetchall())
    low = beginning.translate(_FOLD)
    high = low[:-1] + chr(ord(low[-1]) + 1)
    statement = f"SELECT name FROM user WHERE password_hash <> '' AND {_BEGINS}"  # noqa: S608
    bounds = (low, high, beginning.translate(_PATTERN) + "*")
    names.update(name for (name,) in connection.execute(statement, bounds).fetchall())
    return sorted(names)


def replace_name(connection: sqlite3.Connection, user_id: int, name: str, look: str, now: str) -> None:
    """Gives an account a name that is free; the old one becomes a former name."""
    connection.execute(
        "INSERT INTO former_name (name, look, user_id, ended_at) SELECT name, look, id, ? FROM user WHERE id = ?",
        (now, user_id),
    )
    connection.execute("UPDATE user SET name = ?, look = ? WHERE id = ?", (name, look, user_id))
