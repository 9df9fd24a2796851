"""Sees to it that no id is given twice, also where a standby took over that had not heard of the newest commits.

PostgreSQL gives its history another number then: a new timeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection

GAP: Final = 1_000_000  # ids left out on a new timeline: more than the old server can have given unheard of
_NUMBER: Final = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint"
# Events are removed, but the newest one last.
_NEWEST: Final = """
    SELECT coalesce((SELECT max(id) FROM message), 0), coalesce((SELECT max(id) FROM event), last_value) FROM event_id
"""
# Also those of accounts and services: who has got an id of which this server has not heard may still be there.
_LEAVE_OUT: Final = """
    SELECT setval(c.oid::regclass, coalesce(pg_sequence_last_value(c.oid::regclass), 0) + %s) FROM pg_class AS c
    WHERE c.relkind = 'S' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'moment'
"""


class Timeline(NamedTuple):
    """A history of the server."""

    number: int
    newest_message: int  # the newest that there was when it was first seen
    newest_event: int


def settle(connection: Connection) -> Timeline:
    """Returns the present one; the first to see it leaves ids out. Within a write transaction. Raises psycopg.Error."""
    ((number,),) = connection.run(_NUMBER).fetchall()
    row = connection.run("SELECT number, newest_message, newest_event FROM timeline").fetchone()
    if row is not None and row[0] == number:
        return Timeline(*row)
    ((message, event),) = connection.run(_NEWEST).fetchall()
    line = Timeline(number, message, event)
    if row is None:
        connection.run("INSERT INTO timeline VALUES (%s, %s, %s)", line)
    else:
        connection.run("UPDATE timeline SET number = %s, newest_message = %s, newest_event = %s", line)
        connection.run(_LEAVE_OUT, (GAP,))
    return line
