"""The newest id that was given to a message, read where the order of the writes counts. Gives none itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from service.storage.statements.connection import Connection

NEWEST: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'message'"


def newest_given(connection: Connection) -> int:
    """Returns the newest id that was ever given; its message may have been removed."""
    given = connection.execute(NEWEST).fetchone()
    return 0 if given is None else int(given[0])
