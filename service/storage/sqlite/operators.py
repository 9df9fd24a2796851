"""Statements that only operators' orders need: lists of accounts, and how much there is. Changes nothing.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.contract import Overview, Person

if TYPE_CHECKING:
    import sqlite3


def users_page(connection: sqlite3.Connection, after: str, limit: int, *, disabled: bool) -> list[Person]:
    rows = connection.execute(
        "SELECT id, name, created_at, last_seen_at, disabled_at, role FROM user "
        "WHERE name > ? AND password_hash <> '' AND (disabled_at IS NOT NULL OR NOT ?) ORDER BY name LIMIT ?",
        (after, disabled, limit),
    ).fetchall()
    return [Person(*row) for row in rows]


def overview(connection: sqlite3.Connection, since: str) -> Overview:
    users, disabled = connection.execute(
        "SELECT count(*), count(disabled_at) FROM user WHERE password_hash <> ''"
    ).fetchone()
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
    given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
    (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    before = _last_before(connection, since, last)
    (recent,) = connection.execute("SELECT count(*) FROM message WHERE id > ?", (before,)).fetchone()
    return Overview(users, disabled, 0 if given is None else given[0], recent, schema)


def _last_before(connection: sqlite3.Connection, moment: str, last: int) -> int:
    """Returns the id of the last message before that moment, by halving: times grow with ids, and have no index."""
    low, high = 0, last  # ids up to `low` are before it; those beyond `high` are not
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(
            "SELECT id, sent_at FROM message WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if row is not None and row[0] <= high and row[1] < moment:
            low = row[0]
        else:
            high = middle - 1
    return low
