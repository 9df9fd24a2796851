"""What a statement function takes: a connection of either engine, and one state of the database for several reads."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Values = Sequence[Any] | Mapping[str, Any]  # for each `?`, or for each `:name`


class Cursor(Protocol):
    """The rows of a statement, and how many it has changed."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """Executes SQLite's SQL; sqlite3.Connection is one as it is.

    What both engines understand has no `lastrowid` (nor RETURNING: with foreign keys SQLite would scan tables for it),
    True and False as values, not 1 and 0, CASE instead of max() of two values, no GLOB, no `?1`, and no name of a
    result's column in WHERE. Hints such as INDEXED BY are for SQLite alone.
    """

    def execute(self, statement: str, values: Values = ..., /) -> Cursor: ...

    def executemany(self, statement: str, rows: Iterable[Values], /) -> object: ...


BEGIN_STATE: Final = "SAVEPOINT one_state"
END_STATE: Final = "RELEASE one_state"


@contextmanager
def one_state(connection: Connection) -> Iterator[None]:
    """Reads all inside from one state of the database, in which nothing is committed meanwhile."""
    connection.execute(BEGIN_STATE)
    try:
        yield
    finally:
        connection.execute(END_STATE)
