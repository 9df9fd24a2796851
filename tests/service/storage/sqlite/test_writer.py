"""service/storage/sqlite/writer.py: group commit, order, and what a failure costs whom."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from service.errors import StorageUnavailable
from service.storage.records import Post, UnknownUser
from service.storage.sqlite import database, schema, writer
from service.storage.sqlite.engine import SqliteStorage
from service.storage.sqlite.upkeep import ChatUpkeep
from service.storage.sqlite.writer import Limits
from service.storage.writes import GroupWrite
from tests.support.helpers import call_back
from tests.support.storage import add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.storage.contract import Write


class Bench:
    """A storage with a scratch table, whose outcomes are collected in the order in which they were handed over."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.outcomes: list[Any] = []
        self.storage = SqliteStorage(path, call_back, limits=limits)
        self.storage.call(
            lambda connection: connection.execute("CREATE TABLE scratch (n INTEGER PRIMARY KEY)") and None
        )

    def submit(self, work: Any, *arguments: Any) -> Write[Any]:
        return self.storage.submit(work, *arguments, done=self.outcomes.append, refused=self.outcomes.append)

    def hold(self) -> threading.Event:
        """Keeps the writer in a write until the event is set, so that what follows gathers in one batch."""
        started, released = threading.Event(), threading.Event()

        def wait(_: sqlite3.Connection) -> None:
            started.set()
            released.wait()

        self.storage.submit(wait)
        started.wait()
        return released


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """One with the usual limits."""
    bench = Bench(tmp_path / "chat.db")
    yield bench
    bench.storage.close()


@pytest.fixture
def small_bench(tmp_path: Path) -> Iterator[Bench]:
    """One whose queue is full with three."""
    bench = Bench(tmp_path / "chat.db", Limits(queue=3))
    yield bench
    bench.storage.close()


def insert(connection: sqlite3.Connection, n: int) -> int:
    connection.execute("INSERT INTO scratch VALUES (?)", (n,))
    return n


def refuse(connection: sqlite3.Connection) -> None:
    raise UnknownUser("no")


def stored(bench: Bench) -> list[int]:
    with closing(sqlite3.connect(bench.path)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM scratch ORDER BY n")]


def test_outcomes_come_in_the_order_of_the_writes(bench: Bench) -> None:
    """Whatever the batches, each write's outcome is handed on once, in order."""
    writes = [bench.submit(insert, n) for n in range(2500)]
    bench.storage.wait(writes[-1])
    assert bench.outcomes == list(range(2500)) == stored(bench)


def test_an_outcome_is_handed_on_only_after_its_commit(bench: Bench) -> None:
    """By the time anyone hears of a write, another connection reads it."""
    seen: list[list[int]] = []
    bench.storage.wait(bench.storage.submit(insert, 7, done=lambda _: seen.append(stored(bench))))
    assert seen == [[7]]


def test_what_waits_is_one_transaction(bench: Bench) -> None:
    """Writes that gather while the writer is busy share a commit."""
    commits: list[str] = []
    bench.storage.call(
        lambda connection: connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    )
    released = bench.hold()
    writes = [bench.submit(insert, n) for n in range(100)]
    commits.clear()
    released.set()
    bench.storage.wait(writes[-1])
    assert len(commits) == 2  # the held write's, and one for the hundred


def test_a_refusal_concerns_only_its_own_write(bench: Bench) -> None:
    """A write that is refused leaves the others of its batch alone."""
    released = bench.hold()
    bench.submit(insert, 1)
    bench.submit(refuse)
    last = bench.submit(insert, 2)
    released.set()
    bench.storage.wait(last)
    assert [type(outcome) for outcome in bench.outcomes] == [int, UnknownUser, int]
    assert stored(bench) == [1, 2]


@pytest.mark.parametrize("bug", [lambda _: 1 / 0, lambda connection: insert(connection, 1)])
def test_a_bug_in_one_write_spares_the_others(bench: Bench, bug: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A write that raises is logged and undone; its batch is stored without it, each once."""
    released = bench.hold()
    bench.submit(insert, 1)
    bench.submit(bug)
    last = bench.submit(insert, 2)
    released.set()
    bench.storage.wait(last)
    assert bench.outcomes[0] == 1
    assert isinstance(bench.outcomes[1], ZeroDivisionError | sqlite3.IntegrityError)
    assert bench.outcomes[2] == 2
    assert stored(bench) == [1, 2]
    assert "a write failed" in caplog.text


def test_a_full_disk_refuses_and_recovers(bench: Bench) -> None:
    """While no page can be had writes are refused and nothing of them is stored; then all is well again.

    (max_page_count is the connection's own limit, and the new connection has none.)
    """

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")

    def insert_large(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE large AS SELECT zeroblob(1000000) AS blob")

    bench.storage.call(fill)
    released = bench.hold()
    bench.submit(insert, 1)
    last = bench.submit(insert_large)
    released.set()
    bench.storage.wait(last)
    assert [str(outcome) for outcome in bench.outcomes] == ["database or disk is full"] * 2
    assert all(isinstance(outcome, StorageUnavailable) for outcome in bench.outcomes)
    assert bench.storage.call(insert, 2) == 2
    assert stored(bench) == [2]


def test_a_locked_database_refuses_and_recovers(bench: Bench) -> None:
    """While another program holds the lock writes are refused after the time-out; then they are stored."""
    bench.storage.call(lambda connection: connection.execute("PRAGMA busy_timeout = 1") and None)
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            bench.storage.call(insert, 1)
        other.execute("ROLLBACK")
    assert bench.storage.call(insert, 2) == 2
    assert stored(bench) == [2]


def test_a_read_only_database_refuses_and_recovers(bench: Bench) -> None:
    """A connection that may not write is refused by SQLite; the next batch tries afresh, on a new one."""
    bench.storage.call(lambda connection: connection.execute("PRAGMA query_only = ON") and None)
    with pytest.raises(StorageUnavailable, match="readonly"):
        bench.storage.call(insert, 1)
    assert bench.storage.call(insert, 2) == 2


def test_a_broken_connection_is_replaced(bench: Bench) -> None:
    """A connection that is gone costs one batch; the next one gets a new connection."""
    with pytest.raises(StorageUnavailable, match="closed"):
        bench.storage.call(lambda connection: connection.close())
    assert bench.storage.call(insert, 2) == 2


def test_a_full_queue_makes_its_callers_wait(small_bench: Bench) -> None:
    """Beyond the bound a submit waits for the writer; nothing is refused or lost."""
    bench = small_bench
    released = bench.hold()
    for n in range(3):
        bench.submit(insert, n)
    late = threading.Thread(target=bench.submit, args=(insert, 3))
    late.start()
    late.join(0.05)
    assert late.is_alive()
    released.set()
    late.join()
    bench.storage.close()
    assert stored(bench) == [0, 1, 2, 3]


def test_a_probe_does_not_wait_for_a_place_in_a_full_queue(small_bench: Bench) -> None:
    """It is told so, and what waits is counted."""
    released = small_bench.hold()
    for n in range(3):
        small_bench.submit(insert, n)
    assert small_bench.storage.figures().queued == 3
    with pytest.raises(StorageUnavailable, match="too much waits"):
        small_bench.storage.probe()
    released.set()
    small_bench.storage.settle()
    assert small_bench.storage.figures().queued == 0


def test_what_is_not_stored_is_not_counted(bench: Bench) -> None:
    """Neither the transaction that a bug spoils nor its write; the others of its batch are."""
    before = bench.storage.figures()
    commits, written = sum(before.commits.counts()), before.written
    released = bench.hold()
    for work, n in ((insert, 1), (insert, "no number"), (insert, 2)):
        bench.submit(work, n)
    released.set()
    bench.storage.settle()
    after = bench.storage.figures()
    assert stored(bench) == [1, 2]
    assert after.written - written == 4  # with `hold` and `settle`
    assert sum(after.commits.counts()) - commits in {2, 3}  # the last one may have come in time for the batch


def test_closing_stores_what_was_submitted_and_refuses_the_rest(bench: Bench) -> None:
    """The end drains the queue; a later write ends at once, and says that nothing was stored."""
    for n in range(50):
        bench.submit(insert, n)
    bench.storage.close()
    assert stored(bench) == list(range(50))
    with pytest.raises(StorageUnavailable, match="stopping"):
        bench.storage.call(insert, 99)


def test_the_wal_is_emptied_when_nothing_happens(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a burst and some quiet the -wal is moved into the file."""
    checkpointed = threading.Event()
    original = database.checkpoint

    def checkpoint(connection: sqlite3.Connection) -> None:
        original(connection)
        checkpointed.set()

    monkeypatch.setattr(database, "checkpoint", checkpoint)
    for n in range(100):
        bench.storage.call(insert, n)
    checkpointed.clear()
    bench.storage.call(insert, 100)
    assert checkpointed.wait(20)
    assert bench.path.with_name("chat.db-wal").stat().st_size == 0


def test_only_the_owner_can_read_the_files(bench: Bench) -> None:
    """The database, its -wal, -shm and -lock are 0600."""
    bench.storage.call(insert, 1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in bench.path.parent.glob("chat.db*")}
    assert modes == dict.fromkeys(["chat.db", "chat.db-wal", "chat.db-shm", "chat.db-lock"], 0o600)


def test_a_stop_does_not_try_a_locked_database_again_and_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first failure of a hurried writer all that is queued fails at once."""
    bench.storage.hurry()
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            bench.storage.call(insert, 0)
        monkeypatch.setattr(database, "connect_writer", lambda *_, **__: pytest.fail("tried again"))
        for n in range(3 * Limits().batch):
            bench.submit(insert, n)
        bench.storage.close()
        other.execute("ROLLBACK")
    assert {type(outcome) for outcome in bench.outcomes} == {StorageUnavailable}
    assert len(bench.outcomes) == 3 * Limits().batch


def test_a_batch_is_bounded_by_what_its_writes_store(bench: Bench) -> None:
    """Messages that come by the dozen count each: a transaction holds no more of them than of single ones."""
    commits: list[str] = []
    bench.storage.call(
        lambda connection: connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    )
    alice = add(bench.storage, "alice")
    released = bench.hold()
    posts = [Post(None, "x", None)] * (Limits().batch // 2)
    writes = [bench.storage.store_posts(alice, posts) for _ in range(6)]
    commits.clear()
    released.set()
    bench.storage.wait(writes[-1])
    assert len(commits) == 4  # the held write's, and one for each two


def test_the_queue_is_bounded_by_what_its_writes_store(small_bench: Bench) -> None:
    """One write of many messages fills it as many writes of one do."""
    bench = small_bench
    released = bench.hold()
    bench.storage.store_posts(0, [Post(None, "x", None)] * 3)
    late = threading.Thread(target=bench.submit, args=(insert, 1))
    late.start()
    late.join(0.05)
    assert late.is_alive()
    released.set()
    late.join()
    bench.storage.close()
    assert stored(bench) == [1]


def test_trouble_is_logged_once_and_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What stays is met by each batch, and one line says so; a second one that it is over."""
    caplog.set_level("INFO")
    bench = Bench(tmp_path / "chat.db", Limits(lock_timeout=0.001))
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for n in range(4):
            with pytest.raises(StorageUnavailable, match="locked"):
                bench.storage.call(insert, n)
        other.execute("ROLLBACK")
    assert bench.storage.call(insert, 2) == 2
    assert [record.getMessage() for record in caplog.records if record.name == "chat.storage"] == [
        "storage unavailable, writes are refused: database is locked",
        "storing again; 4 writes were refused",
    ]
    bench.storage.close()


def test_upkeep_that_fails_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A search index that cannot be filled is tried again after each message, and costs one line."""

    class Broken(ChatUpkeep):
        do_piece = Mock(side_effect=StorageUnavailable("the search index: malformed"))

    schema.prepare(tmp_path / "chat.db")
    idler = writer.Writer(tmp_path / "chat.db", lambda _: None, Broken())
    for _ in range(3):
        idler._keep_up(idle=True)
    idler.close()
    idler.run()
    assert [record.getMessage() for record in caplog.records] == [
        "storage unavailable, upkeep is put off: the search index: malformed"
    ]


def sum_up(connection: sqlite3.Connection, calls: list[tuple[int]]) -> list[tuple[int, int]]:
    """A grouped work: gives each its number, and how many were done together."""
    if any(n < 0 for (n,) in calls):
        raise UnknownUser
    return [(insert(connection, n), len(calls)) for (n,) in calls]


def submit_group(bench: Bench, n: int) -> Write[Any]:
    write = GroupWrite[Any](sum_up, (n,), bench.outcomes.append, bench.outcomes.append)
    bench.storage._writer.submit(write)
    return write


def test_writes_of_a_grouped_kind_are_done_together_in_order(bench: Bench) -> None:
    """Those that follow each other are one call; a write of another kind between them parts two groups."""
    released = bench.hold()
    for n in (1, 2, 3):
        submit_group(bench, n)
    bench.submit(insert, 4)
    last = submit_group(bench, 5)
    released.set()
    bench.storage.wait(last)
    assert bench.outcomes == [(1, 3), (2, 3), (3, 3), 4, (5, 1)]


def test_what_a_group_raises_concerns_all_of_it(bench: Bench) -> None:
    """And none of the others in its transaction."""
    released = bench.hold()
    for n in (1, -1):
        submit_group(bench, n)
    last = bench.submit(insert, 2)
    released.set()
    bench.storage.wait(last)
    assert [type(outcome) for outcome in bench.outcomes] == [UnknownUser, UnknownUser, int]
    assert stored(bench) == [2]


def test_a_refusal_is_forgotten_where_the_write_is_done_again(bench: Bench) -> None:
    """After a bug in another write what was refused before may be possible, and is then done."""
    attempts: list[int] = []

    def refuse_once(connection: sqlite3.Connection) -> int:
        attempts.append(1)
        if len(attempts) == 1:
            raise UnknownUser
        return insert(connection, 1)

    released = bench.hold()
    first = bench.submit(refuse_once)
    last = bench.submit(lambda _: 1 / 0)
    released.set()
    bench.storage.wait(last)
    assert bench.storage.result(first) == 1
    assert bench.outcomes[0] == 1
    assert stored(bench) == [1]
