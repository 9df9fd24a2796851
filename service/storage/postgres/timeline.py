"""Sees to it that no id is given twice, also where a standby took over that had not heard of the newest commits.

PostgreSQL gives its history another number then: a new timeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection

GAP: Final = 1_000_000  # ids left out on a new timeline: more than the old server can have given unheard of
_NUMBER: Final = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint"


class Timeline(NamedTuple):
    """A history of the server."""

    number: int
    newest: int  # the newest message that there was when it was first seen


def settle(connection: Connection) -> Timeline:
    """Returns the present one; the first to see it leaves ids out. Within a write transaction. Raises psycopg.Error."""
    ((number,),) = connection.run(_NUMBER).fetchall()
    row = connection.run("SELECT number, newest FROM timeline").fetchone()
    if row is not None and row[0] == number:
        return Timeline(*row)
    ((newest,),) = connection.run("SELECT coalesce(max(id), 0) FROM message").fetchall()
    if row is None:
        connection.run("INSERT INTO timeline VALUES (%s, %s)", (number, newest))
    else:
        connection.run("UPDATE timeline SET number = %s, newest = %s", (number, newest))
        for name in ("message_id", "event_id"):
            connection.run(f"SELECT setval('{name}', last_value + %s) FROM {name}", (GAP,))  # noqa: S608
    return Timeline(number, newest)
