"""Cells with ten million messages in the database: pages, searches, logins, inserts, the start of the service.

All but the last call the storage as the service does. The file is in the page cache, as far as it fits.
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks import generate
from benchmarks.cells import Cell, Target
from benchmarks.peers import ROOT, CellError
from service.clock import format_time, utcnow
from service.storage.records import DEFAULT_LIFETIME, FOREVER, MAX_SEARCH_WORDS, Post, Refused
from service.storage.sqlite import database, posting, schema, users
from service.storage.sqlite import since as since_statements
from service.storage.sqlite.engine import SqliteStorage
from service.storage.statements import accounts
from service.wire.limits import DEFAULT_PAGE, DEFAULT_SEARCH_PAGE, MAX_ID

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.peers import Peer
    from service.storage.contract import Storage

TIMES: Final = 300  # reads of each page, and logins of each user
SEARCHES: Final = 40  # of each kind
STARTS: Final = 5
INSERTS: Final = 32_000  # messages of a kind in a round
ROUNDS: Final = 7
BATCHES: Final = (64, 1000)  # messages in a transaction: one client's, and as many as the writer takes
Batch = list[tuple[int, list[Post]]]  # sender ids with their messages


@contextmanager
def _opened(path: Path) -> Iterator[SqliteStorage]:
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass  # the pages that were read are now in the page cache
    storage = SqliteStorage(path, lambda _: None)
    try:
        yield storage
    finally:
        storage.close()


def time_each(count: int, work: Callable[[], object]) -> list[float]:
    """Returns how long each of `count` calls took, in milliseconds."""
    times = []
    for _ in range(count):
        started_at = time.perf_counter()
        work()
        times.append((time.perf_counter() - started_at) * 1e3)
    return times


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def _draw_talk(connection: sqlite3.Connection, choose: random.Random) -> tuple[int, int]:
    """Returns a random sender and recipient of direct messages."""
    (newest,) = connection.execute("SELECT max(id) FROM message").fetchone()
    row = connection.execute(
        "SELECT sender_id, recipient_id FROM message WHERE recipient_id IS NOT NULL AND id > ? LIMIT 1",
        (choose.randrange(newest - newest // 100),),
    ).fetchone()
    return int(row[0]), int(row[1])


def pages(path: Path) -> dict[str, float]:
    """Measures pages of 50 as `read_pages` does, and `since` with the main room silent, and by who finds nothing."""
    choose = random.Random(1)  # noqa: S311
    with _opened(path) as storage:
        (newest,) = storage.read(lambda c: c.execute("SELECT max(id) FROM message").fetchone())
        figures = read_pages(storage, newest, [storage.read(_draw_talk, choose) for _ in range(TIMES)])
        with patch.object(since_statements, "_IN_MAIN", "SELECT 1 LIMIT 0"):
            quiet = time_each(TIMES, lambda: _read_since(storage, 1, choose.randrange(newest)))
            empty = time_each(TIMES, lambda: _read_since(storage, generate.USERS + 1, 0))
    return figures | {
        "main silent p50 ms": statistics.median(quiet),
        "main silent p99 ms": p99(quiet),
        "none found p50 ms": statistics.median(empty),
    }


def read_pages(storage: Storage, newest: int, talks: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Measures pages of 50: the newest and any other of the main room and of a talk; unseen messages; and `since`.

    That is read by who is in all rooms, from any id.
    """
    choose = random.Random(1)  # noqa: S311

    def read(query: Callable[..., object], *arguments: object) -> None:
        query(*arguments)
        storage.release()  # as a session does before it waits for its client

    def before() -> int | None:
        return choose.choice((None, choose.randrange(newest)))

    room = time_each(TIMES, lambda: read(storage.history_page, None, before(), None, DEFAULT_PAGE))
    talk = time_each(TIMES, lambda: read(storage.history_page, choose.choice(talks), before(), None, DEFAULT_PAGE))
    missed = time_each(
        TIMES, lambda: read(storage.missed_page, choose.randint(1, generate.USERS), MAX_ID, DEFAULT_PAGE)
    )
    since = time_each(TIMES, lambda: _read_since(storage, 1, choose.randrange(newest)))
    return {
        "room p50 ms": statistics.median(room),
        "room p99 ms": p99(room),
        "talk p50 ms": statistics.median(talk),
        "talk p99 ms": p99(talk),
        "missed p50 ms": statistics.median(missed),
        "since p50 ms": statistics.median(since),
        "since p99 ms": p99(since),
    }


def _read_since(storage: Storage, user_id: int, after: int) -> None:
    storage.since_page(user_id, after, DEFAULT_PAGE, rooms=True, deleted_after=FOREVER)
    storage.release()


def searches(path: Path) -> dict[str, float]:
    """Measures words and beginnings, common and rare ones; and searches that an attacker would send."""
    choose = random.Random(1)  # noqa: S311
    words = generate.make_words()
    common, some, rare = words[:10], words[300:3000], words[-5000:]

    def beginning(letters: int) -> str:
        return choose.choice(words)[:letters]

    def hostile() -> str:
        beginnings = [beginning(2) for _ in range(MAX_SEARCH_WORDS)]
        return " ".join(choose.choice((beginnings, words[:MAX_SEARCH_WORDS])))

    kinds: dict[str, Callable[[], str]] = {
        "common": lambda: choose.choice(common),
        "rare": lambda: choose.choice(rare),
        "two words": lambda: f"{choose.choice(common)} {choose.choice(some)}",
        "in a talk": lambda: choose.choice(common),
        "1 letter": lambda: beginning(1),
        "2 letters": lambda: beginning(2),
        "3 letters": lambda: beginning(3),
        "hostile": hostile,
    }
    figures: dict[str, float] = {}
    with _opened(path) as storage:
        me, other = storage.read(_draw_talk, choose)
        for kind, draw in kinds.items():

            def search(draw: Callable[[], str] = draw, partner: int | None = other if "talk" in kind else None) -> None:
                with suppress(Refused):  # a search that takes too long is refused
                    storage.search_page(draw(), me, partner, None, DEFAULT_SEARCH_PAGE)
                storage.release()

            times = time_each(SEARCHES, search)
            figures[f"{kind} p50 ms"] = statistics.median(times)
            if kind in ("common", "rare", "hostile"):
                figures[f"{kind} max ms"] = max(times)
    return figures


def logins(path: Path) -> dict[str, float]:
    """Measures a login by token, the whole transaction: of a user who has read all, and of one who has read nothing."""
    figures: dict[str, float] = {}
    with _opened(path), closing(database.connect_writer(path)) as connection:
        for user_id, unread in ((1, "0 unread"), (generate.USERS, "8M unread")):
            user = accounts.find_user(connection, f"user{user_id}")
            assert user is not None
            token = user.name.encode().ljust(32)
            now = format_time(utcnow())
            users.log_in(connection, user, token, now, DEFAULT_LIFETIME)

            def log_in(token: bytes = token, now: str = now) -> None:
                connection.execute("BEGIN IMMEDIATE")
                users.resume(connection, token, now)
                connection.execute("COMMIT")

            times = time_each(TIMES, log_in)
            figures |= {f"{unread} p50 ms": statistics.median(times), f"{unread} p99 ms": p99(times)}
    return figures


def inserts(path: Path) -> dict[str, float]:
    """Measures messages stored a second, with nonces, and as a share of the speed in an empty database."""
    seconds: dict[
        str, list[list[float]]
    ] = {}  # by kind and size, then by round: seconds in the full database, in the empty one
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        full, empty = Path(folder, "full.db"), Path(folder, "empty.db")
        shutil.copyfile(path, full)
        os.sync()  # or the first commits would wait for the copy's data
        choose = random.Random(1)  # noqa: S311
        with closing(database.connect_writer(full)) as connection:
            talks = [_draw_talk(connection, choose) for _ in range(generate.TALKS)]
            for _ in range(ROUNDS):
                for kind, size in itertools.product(("public", "direct"), BATCHES):
                    batches = [_make_batch(kind, size, choose, talks) for _ in range(INSERTS // size)]
                    with closing(_connect_empty(empty, connection)) as other:
                        seconds.setdefault(f"{kind}{size}", []).append(_store_in_turn(batches, connection, other))
                    _read_all(connection)
    figures: dict[str, float] = {}
    for name, rounds in seconds.items():
        figures[f"{name} /s"] = statistics.median(INSERTS / in_full for in_full, _ in rounds)
        figures[f"{name} ratio"] = statistics.median(in_empty / in_full for in_full, in_empty in rounds)
    return figures


def _make_batch(kind: str, size: int, choose: random.Random, talks: list[tuple[int, int]]) -> Batch:
    """Returns a batch for store_all: messages of random users, to all or to partners of their talks."""
    batch: Batch = []
    for _ in range(size):
        sender, recipient = choose.choice(talks)
        # In the form of our client's nonces.
        nonce = f"{time.time_ns() // 1_000_000:x}-{choose.getrandbits(64):016x}"
        batch.append((sender, [Post(recipient if kind == "direct" else None, "x" * 100, nonce)]))
    return batch


def _connect_empty(path: Path, model: sqlite3.Connection) -> sqlite3.Connection:
    """Connects to a new database with the same users and no messages."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    schema.prepare(path)
    connection = database.connect_writer(path)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO user (id, name, password_hash, created_at, last_seen_at, read_id, direct_id) "
        "VALUES (?, ?, ?, ?, ?, 0, 0)",
        model.execute("SELECT id, name, password_hash, created_at, last_seen_at FROM user WHERE id > 0"),
    )
    connection.execute("COMMIT")
    database.checkpoint(connection)
    return connection


def _store_in_turn(batches: list[Batch], *connections: sqlite3.Connection) -> list[float]:
    """Stores each batch in each database in turn; returns each database's total seconds."""
    seconds = [0.0] * len(connections)
    gc.collect()
    gc.disable()  # a collection takes as long as ten batches, and would slow one database only
    for number, batch in enumerate(batches):
        for side in range(len(connections))[:: 1 if number % 2 else -1]:
            started_at = time.perf_counter()
            connections[side].execute("BEGIN IMMEDIATE")
            posting.store_all(connections[side], batch)
            connections[side].execute("COMMIT")
            seconds[side] += time.perf_counter() - started_at
    gc.enable()
    return seconds


def _read_all(connection: sqlite3.Connection) -> None:
    """Marks all messages as seen by their recipients, as for users who are online."""
    connection.execute("BEGIN IMMEDIATE")
    for user_id in range(1, generate.USERS + 1):
        users.see_up_to(connection, user_id, MAX_ID, format_time(utcnow()))
    connection.execute("COMMIT")
    database.checkpoint(connection)


def starts(path: Path) -> dict[str, float]:
    """Measures the time from the start of the program until it listens."""
    times = []
    for _ in range(STARTS):
        started_at = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "service", "0", "--db", path], cwd=ROOT, stderr=subprocess.PIPE, text=True
        ) as program:
            assert program.stderr is not None
            log = [program.stderr.readline()]
            while log[-1] and "listening on" not in log[-1]:  # other lines may come first
                log.append(program.stderr.readline())
            times.append(time.perf_counter() - started_at)
            program.send_signal(signal.SIGTERM)
            if not log[-1]:
                raise CellError("".join(log))
            program.communicate()
    return {"p50 s": statistics.median(times), "max s": max(times)}


def _on_ten_million(measure: Callable[[Path], dict[str, float]]) -> Callable[[Peer | None], dict[str, float]]:
    return lambda _: measure(generate.history())


CELLS: Final[dict[str, Cell]] = {
    "pages": Cell(
        "ten million messages: a page of 50, of the room, of one of 10,000 conversations, and of all one's own",
        _on_ten_million(pages),
        targets=(
            Target("room p50 ms", "<=", 1),
            Target("talk p50 ms", "<=", 1),
            *(Target(f"{kind} p50 ms", "<=", 3) for kind in ("since", "main silent", "none found")),
        ),
    ),
    "search": Cell(
        "ten million messages: 20 that have a common word, or a rare one",
        _on_ten_million(searches),
        targets=(
            Target("common p50 ms", "<=", 50),
            Target("rare p50 ms", "<=", 50),
            Target("two words p50 ms", "<=", 50),
            Target("in a talk p50 ms", "<=", 50),
            Target("hostile max ms", "<=", 1000),
        ),
    ),
    "login": Cell(
        "ten million messages: a login by token, with its counts, until it is committed",
        _on_ten_million(logins),
        targets=(Target("0 unread p50 ms", "<=", 2), Target("8M unread p50 ms", "<=", 2)),
    ),
    "inserts": Cell(
        "ten million messages: storing more, beside an empty database",
        _on_ten_million(inserts),
        targets=tuple(Target(f"{kind}{size} ratio", ">=", 0.8) for kind in ("public", "direct") for size in BATCHES),
    ),
    "start": Cell(
        "ten million messages: from the start of the service until it listens",
        _on_ten_million(starts),
        targets=(Target("p50 s", "<=", 1),),
    ),
}
