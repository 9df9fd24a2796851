"""Which engine the tests run on: SQLite, or with ENGINE=postgres those marked `engines` on PostgreSQL. Holds no test.

A test names its database by a path, on either engine. On PostgreSQL each path of a test stands for a database of its
own, which is dropped at the end, and whose time stands still where freezegun's does.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from service.clock import format_time, utcnow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgres import Cluster

POSTGRES: Final = os.environ.get("ENGINE") == "postgres"


class _Databases:
    """Those of the test that runs now on PostgreSQL."""

    def __init__(self, cluster: Cluster, is_stopped: Callable[[], bool]) -> None:
        """`is_stopped` tells whether this process's time stands still."""
        self.cluster = cluster
        self._is_stopped = is_stopped
        self.urls: dict[Path, str] = {}

    def name(self, path: Path) -> str:
        if path not in self.urls:
            self.urls[path] = self.cluster.create()
            if self._is_stopped():
                self._set_time(self.urls[path])
        return self.urls[path]

    def follow(self) -> None:
        """Has the databases take this process's time from now on."""
        for url in self.urls.values():
            self._set_time(url)

    def _set_time(self, url: str) -> None:
        import psycopg

        now = format_time(utcnow()) if self._is_stopped() else None
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute("SELECT chat.stop_time(%s)", (now,))


_now: list[_Databases] = []  # at most one


@contextmanager
def on_postgres(cluster: Cluster) -> Iterator[None]:
    """Has a test's databases on that cluster."""
    from freezegun import api  # the benchmarks use name_database(), and have no freezegun

    databases = _Databases(cluster, lambda: bool(api.freeze_factories))
    moves: list[tuple[type, str]] = [(api._freeze_time, "start"), (api._freeze_time, "stop")]
    moves += [(api.FrozenDateTimeFactory, "tick"), (api.FrozenDateTimeFactory, "move_to")]
    with ExitStack() as undo:
        for kind, name in moves:
            undo.enter_context(patch.object(kind, name, _followed(getattr(kind, name), databases)))
        _now.append(databases)
        try:
            yield
        finally:
            _now.pop()
            for url in databases.urls.values():
                cluster.drop(url)


def is_on_postgres() -> bool:
    """Returns whether the databases are there now, such as those of a module's own fixture."""
    return bool(_now)


def _followed(move: Any, databases: _Databases) -> Any:
    def moved(*arguments: Any, **named: Any) -> Any:
        result = move(*arguments, **named)
        databases.follow()
        return result

    return moved


def name_database(path: Path) -> str:
    """Returns what --db is for the database that a test means by that path."""
    return _now[0].name(path) if _now else str(path)


def select(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Returns the rows of a query, beside a service that may run; it is SQL that both engines take."""
    if not _now:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query).fetchall()
    import psycopg

    with closing(psycopg.connect(_now[0].name(path), options="-c search_path=chat")) as raw:
        return raw.execute(query.encode()).fetchall()


def await_end(path: Path) -> None:
    """Returns once nothing is done any more that killed services have asked for: PostgreSQL finishes it."""
    from tests.support.helpers import until  # which names its databases by this module

    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    if _now:
        until(lambda: not select(path, f"{others} AND backend_type = 'client backend'"))
