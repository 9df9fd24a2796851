"""Write transactions: in the order of one lock, with what other services are to be told. Knows nothing of the chat.

A write outside such a transaction would break the order of ids; only `chat_store` is one by itself.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from service.storage import news
from service.storage.postgres.connection import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection

FENCED: Final = "CHAT1"  # the SQLSTATE of a write by a service in whose place another has written


def begin(connection: Connection) -> Places:
    """Begins one, behind all others that have begun. Raises psycopg.Error."""
    connection.told.clear()
    cursor = connection.run_several("BEGIN; SELECT * FROM chat_begin()")
    cursor.nextset()
    return _places(cursor)


def place_told(connection: Connection) -> None:
    """Notes the place of what was told so far, before something else stores messages. Raises psycopg.Error."""
    if any(place is None for _, place in connection.told):
        ((newest,),) = connection.run("SELECT last_value FROM message_id").fetchall()
        connection.told = [(told, newest if place is None else place) for told, place in connection.told]


def finish(connection: Connection, place: Places) -> Places:
    """Commits it, in one round trip; `place` is what `begin` returned. Returns how far it has come.

    Raises psycopg.Error; if the connection is lost only the row of the node tells whether it was committed.
    """
    bodies = [news.encode(told) for told, _ in connection.told]
    places = [where for _, where in connection.told]
    cursor = connection.run_several(
        "SELECT * FROM chat_finish(%s, %s, %s, %s, %s::text[], %s::bigint[]); COMMIT",
        (connection.node, connection.batch, *place, bodies, places),
    )
    return _places(cursor)


def roll_back(connection: Connection) -> None:
    """Undoes it, if the connection is still there."""
    connection.told.clear()
    with suppress(psycopg.Error):
        connection.roll_back()


@contextmanager
def writing(connection: Connection) -> Iterator[None]:
    """Commits what is written inside, or undoes it at an exception: for whoever has no writer thread.

    Raises psycopg.Error.
    """
    place = begin(connection)
    try:
        yield
        finish(connection, place)
    except BaseException:
        roll_back(connection)
        raise


def _places(cursor: psycopg.Cursor[Any]) -> Places:
    ((message, event),) = cursor.fetchall()
    return Places(message, event)
