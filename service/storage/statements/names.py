"""Statements about names: whose they are, whose they were, and which look alike. None begins or ends a transaction.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import LooksAlike, NameTaken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.statements.connection import Connection

# A `1` in a look is also an i or an l, so a look can resemble two that differ: `zig1` resembles `zigi` and `zigl`. The
# indexes find looks that are equal with all three as l; they are few, and those that really match are selected here.
_FOLDED: Final = "replace(replace({}, '1', 'l'), 'i', 'l')"
_SAME: Final = f"{_FOLDED.format('look')} = {_FOLDED.format('?')}"
_FOLD: Final = str.maketrans("1i", "ll")
_ALIKE: Final = frozenset({"1i", "i1", "1l", "l1"})


def _is_alike(one: str, other: str) -> bool:
    """Whether two looks of one length can be confused."""
    return all(a == b or a + b in _ALIKE for a, b in zip(one, other, strict=True))


def check_free(connection: Connection, name: str, look: str) -> None:
    """Compares also with names that were somebody's: nobody shall be taken for who had one."""
    known = "SELECT 1 FROM user WHERE name = ? UNION ALL SELECT 1 FROM former_name WHERE name = ? LIMIT 1"
    if connection.execute(known, (name, name)).fetchone() is not None:
        raise NameTaken(name)
    alike = f"SELECT look FROM user WHERE {_SAME} UNION ALL SELECT look FROM former_name WHERE {_SAME}"  # noqa: S608
    if any(_is_alike(look, found) for (found,) in connection.execute(alike, (look, look)).fetchall()):
        raise LooksAlike(name)


def is_room_alike(connection: Connection, look: str) -> bool:
    """Whether there is a room whose name can be confused with one of this look."""
    alike = f"SELECT look FROM room INDEXED BY room_look WHERE gone_at IS NULL AND {_SAME}"  # noqa: S608
    return any(_is_alike(look, found) for (found,) in connection.execute(alike, (look,)).fetchall())


def find_alike(connection: Connection, looks: Sequence[str], beginning: str) -> list[str]:
    names: set[str] = set()
    statement = f"SELECT name, look FROM user WHERE password_hash <> '' AND {_SAME}"  # noqa: S608
    for look in looks:
        rows = connection.execute(statement, (look,)).fetchall()
        names.update(name for name, found in rows if _is_alike(found, look))
    low = beginning.translate(_FOLD)
    high = low[:-1] + chr(ord(low[-1]) + 1)
    folded = _FOLDED.format("look")
    statement = f"SELECT name, look FROM user WHERE password_hash <> '' AND {folded} >= ? AND {folded} < ?"  # noqa: S608
    rows = connection.execute(statement, (low, high)).fetchall()
    names.update(name for name, found in rows if _is_alike(found[: len(beginning)], beginning))
    return sorted(names)


def replace_name(connection: Connection, user_id: int, name: str, look: str, now: str) -> None:
    """Gives an account a name that is free; the old one becomes a former name."""
    connection.execute(
        "INSERT INTO former_name (name, look, user_id, ended_at) SELECT name, look, id, ? FROM user WHERE id = ?",
        (now, user_id),
    )
    connection.execute("UPDATE user SET name = ?, look = ? WHERE id = ?", (name, look, user_id))
