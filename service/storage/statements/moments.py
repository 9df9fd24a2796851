"""The newest time that a client may have been told. None of these statements begins or ends a transaction.

Who comes back asks for what was deleted at that time or later. So a deletion never has an earlier one, though the clock
was set back, even while the service was stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.clock import format_time, utcnow

if TYPE_CHECKING:
    from service.storage.statements.connection import Connection

# PostgreSQL keeps it in a sequence: postgres/dialect.py has the other forms.
NOTE: Final = "UPDATE moment SET time = :time WHERE time < :time"
NEWEST: Final = "SELECT time FROM moment"


def note(connection: Connection, moment: str) -> None:
    """Notes a time that a client is told."""
    connection.execute(NOTE, {"time": moment})


def newest(connection: Connection) -> str:
    """Returns the newest of them; a deletion that is committed later has no earlier time."""
    (moment,) = connection.execute(NEWEST).fetchone()
    return str(moment)


def take(connection: Connection) -> str:
    """Returns the time for a deletion, and notes it."""
    note(connection, format_time(utcnow()))
    return newest(connection)
