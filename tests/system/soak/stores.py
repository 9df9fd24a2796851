"""The database under soak: a file of SQLite's, or a PostgreSQL of our own behind a proxy that loses connections."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from tests.support.pg_proxy import Fate, PgProxy
from tests.support.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CUT_INTERVAL: Final = 1.0  # seconds between two commits that are cut, on average
BRIEF, LONG = 1.0, 8.0  # seconds of silence: a service waits for the shorter one, not for the longer one


class Sqlite:
    """chat.db in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "chat.db"
        self.db = str(self._path)
        self.strokes: dict[str, Callable[[], None]] = {}

    def sizes(self) -> tuple[int, int]:
        """Bytes of the -wal and of the database."""
        wal = self._path.with_name(self._path.name + "-wal")
        return wal.stat().st_size if wal.exists() else 0, self._path.stat().st_size

    def read(self, statement: str) -> list[Any]:
        """All rows of a query."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()

    def counts(self) -> Counter[str]:
        """What was done to connections: there are none."""
        return Counter()

    def damage(self) -> str:
        """What is wrong with the database as such."""
        ((sound,),) = self.read("PRAGMA integrity_check")
        return "" if sound == "ok" else f"integrity_check: {sound}"

    @contextmanager
    def calm(self) -> Iterator[None]:
        """While a service starts, nothing is lost."""
        yield

    def close(self) -> None:
        """Nothing is left running."""


class Postgres:
    """A cluster with a database; services come to it by the proxy."""

    def __init__(self, seed: int, log: Path) -> None:
        """Its log is copied to that file at the end."""
        self._log = log
        self._cluster = Cluster(autovacuum="on", full_page_writes="on")
        self.proxy = PgProxy(str(self._cluster.folder), self._cluster.port)
        self._direct = self._cluster.create(empty=True)
        self.db = self._direct.replace(str(self._cluster.port), str(self.proxy.port))
        self._chance = random.Random(f"{seed} proxy")
        self._fates = [Fate.CUT_BEFORE, Fate.CUT_AFTER]
        self._cut_at = 0.0
        self._is_calm = False
        self.proxy.decide = self._decide
        self.strokes: dict[str, Callable[[], None]] = {
            "restart PostgreSQL": lambda: self._start_after(self._cluster.stop),
            "stop PostgreSQL at once": lambda: self._start_after(lambda: self._cluster.stop("immediate")),
            "kill PostgreSQL": lambda: self._start_after(self._cluster.kill),
            "cut all connections": self.proxy.cut,
            f"say nothing for {BRIEF:g} s": lambda: self._hold(BRIEF),
            f"say nothing for {LONG:g} s": lambda: self._hold(LONG),
        }

    def _decide(self) -> Fate:
        """Every second or so a commit is cut, one before and one after."""
        if self._is_calm or (now := time.monotonic()) < self._cut_at:
            return Fate.PASS
        self._cut_at = now + self._chance.expovariate(1 / CUT_INTERVAL)
        self._fates.reverse()
        return self._fates[0]

    def _start_after(self, end: Callable[[], None]) -> None:
        end()
        self._cluster.start()

    def _hold(self, seconds: float) -> None:
        self.proxy.hold()
        time.sleep(seconds)
        self.proxy.release()

    def sizes(self) -> tuple[int, int]:
        """Bytes of the database; its WAL is PostgreSQL's own matter."""
        ((size,),) = self.read("SELECT pg_database_size(current_database())")
        return 0, size

    def read(self, statement: str) -> list[Any]:
        """All rows of a query, which is not cut."""
        return read_postgres(self._direct, statement)

    def counts(self) -> Counter[str]:
        """What the proxy has done to commits."""
        return Counter({f"commits {fate.value}": count for fate, count in self.proxy.counts.items()})

    def damage(self) -> str:
        """What pg_amcheck finds in tables and indexes."""
        name = self._direct.rpartition("/")[2]
        self._cluster.execute("CREATE EXTENSION IF NOT EXISTS amcheck", name)
        return self._cluster.run("pg_amcheck", "-U", "postgres", "--heapallindexed", name).strip()

    @contextmanager
    def calm(self) -> Iterator[None]:
        """While a service starts, nothing is cut."""
        self._is_calm = True
        try:
            yield
        finally:
            self._is_calm = False

    def close(self) -> None:
        """Ends the proxy and the server."""
        self.proxy.close()
        self._log.write_text(self._cluster.log())
        self._cluster.close()


def read_postgres(url: str, statement: str) -> list[Any]:
    """All rows of a query."""
    import psycopg

    with psycopg.connect(url, options="-c search_path=chat") as connection:
        return connection.execute(statement.encode()).fetchall()


Store = Sqlite | Postgres
