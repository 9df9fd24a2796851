"""``make scale-model``: says what breaks first with many services over one PostgreSQL, from figures measured here.

A turn of the lock, a wake-up and the like are measured on this machine, what one service delivers is in results.json,
and the rest is multiplication. What the clients do is assumed: see Habits.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.peers import Skipped
from benchmarks.postgres import call_back, log_in_for, new_database, running_postgres
from benchmarks.suite import prepare_machine
from service.config import READERS
from service.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgres import Cluster

RESULTS: Final = Path(__file__).with_name("results.json")
PLANS: Final = ((2, 4_000), (10, 20_000), (100, 200_000), (100, 1_000_000))  # services, with clients in all
SECONDS: Final = 1.0  # of each measurement
CONNECTIONS: Final = 4  # that want the lock at once
BATCH: Final = 200  # messages in a transaction, and rows of a read
MAX_CONNECTIONS: Final = 100  # PostgreSQL's own setting, unless it is raised
NETWORK: Final = 125e6  # bytes a second that a service's machine sends: one gigabit
MEMORY: Final = 4 << 30  # bytes that a service may take
THREADS: Final = 30_000  # on one machine; Linux's own limit is near that
_SHOWN: Final = 0.05  # the least share that is printed
_BEAT: Final = 2.5  # seconds between two of a service
_NAME: Final = 10  # bytes of a name in a list, with its quotes and comma
_STORE: Final = "SELECT chat.chat_store(0, 0, %s::bigint[], NULL, NULL, NULL, NULL, NULL, %s::text[])"


class Habits(NamedTuple):
    """What a client does."""

    message: float = 300.0  # seconds between two of its messages, in rooms
    room: int = 50  # who gets each
    session: float = 3_600.0  # seconds that it stays
    list_interval: float = 30.0  # seconds between two users lists, or pushes of changes


class Measured(NamedTuple):
    """Seconds, but where it says otherwise."""

    fsync: float  # until some bytes are on the disk
    turn: float  # of the lock, where several want it: from one commit of a message to the next
    post: float  # that each further message of a batch takes
    wake: float  # for a service that is woken up to read one message
    read: float  # for each further message that it reads
    login: float  # logins of several at once, for each
    delivery: float  # of a message to one client, in the service
    memory: float  # bytes for each client


class Limit(NamedTuple):
    """One thing that can end: what is needed of it, and what there is."""

    name: str
    need: float
    there_is: float
    unit: str

    @property
    def share(self) -> float:
        """Beyond 1 it breaks."""
        return self.need / self.there_is


def compute(m: Measured, services: int, clients: int, h: Habits = Habits()) -> list[Limit]:  # noqa: B008 (immutable)
    """Returns what is needed of each thing, and what there is; what breaks first comes first."""
    messages, logins = clients / h.message, clients / h.session
    writes = messages + 2 * logins + services / _BEAT  # a login, and that it has left
    events = 2 * logins  # each is told to all services: who has come, who has left
    # As many commits as there are writes, until all services wait for the lock: then batches grow.
    commits = min(writes, 1 / m.turn)
    each = clients / services
    limits = [
        Limit("lock: commits and their content", messages * m.post + logins * m.login + commits * m.turn, 1.0, "s/s"),
        Limit("an ack, when all services write at once", services * m.turn, 0.25, "s"),
        Limit("PostgreSQL: wake-ups of all services", commits * (services - 1) * m.wake, os.cpu_count() or 1, "cores"),
        Limit("PostgreSQL: reads by all services", (messages + events) * (services - 1) * m.read,
              os.cpu_count() or 1, "cores"),
        Limit("PostgreSQL: connections", services * (READERS + 1), MAX_CONNECTIONS, ""),
        Limit("a service: its deliveries", messages * h.room / services * m.delivery, 1.0, "cores"),
        Limit("a service: whole users lists", each * clients * _NAME / h.list_interval, NETWORK, "bytes/s"),
        Limit("a service: changes of presence", each * events * _NAME, NETWORK, "bytes/s"),
        Limit("a service: memory", each * m.memory + clients * 200, MEMORY, "bytes"),
        Limit("a service: threads", each, THREADS, ""),
    ]  # fmt: skip
    return sorted(limits, key=lambda limit: -limit.share)


def render(measured: Measured, plans: tuple[tuple[int, int], ...] = PLANS) -> str:
    """Returns what was measured, and of each plan what takes more than a small share. No line is empty."""
    m, h = measured, Habits()
    lines = [
        f"fsync {m.fsync * 1e3:.2f} ms, turn of the lock {m.turn * 1e3:.2f} ms, a login {m.login * 1e3:.2f} ms,",
        f"a further message stored {m.post * 1e6:.0f} us, read {m.read * 1e6:.0f} us, a wake-up {m.wake * 1e3:.2f} ms,",
        f"a delivery {m.delivery * 1e6:.2f} us, {m.memory / 1024:.0f} KiB a client.",
        f"A client writes a message in {h.message:g} s to {h.room} others and stays {h.session:g} s.",
    ]
    for services, clients in plans:
        lines.append(f"{services} services, {clients:,} clients:")
        for limit in (limit for limit in compute(measured, services, clients) if limit.share >= _SHOWN):
            verdict = "BREAKS" if limit.share > 1 else ""
            amount = f"{_short(limit.need)} of {_short(limit.there_is)} {limit.unit}".rstrip()
            lines.append(f"  {limit.name:42} {amount:32} {limit.share:8.0%} {verdict}".rstrip())
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    for unit in ("", "k", "M", "G"):
        if value < 1_000:
            return f"{value:.3g}{unit}"
        value /= 1_000
    return f"{value:.3g}T"


# -- measuring --------------------------------------------------------------------------------------------------------
def measure(seconds: float = SECONDS) -> Measured:
    """Measures here, in a PostgreSQL of its own on this disk. Raises Skipped."""
    import psycopg  # noqa: PLC0415 (not everybody has it)

    from service.storage.postgres import address, connection, feed  # noqa: PLC0415 (as that)

    cells = json.loads(RESULTS.read_text())["cells"]
    with running_postgres() as cluster:
        url = new_database(cluster)
        with psycopg.connect(url, autocommit=True) as other:
            # Somebody listens, as where there are several services.
            other.execute("INSERT INTO chat.node (name, lease) VALUES ('other', clock_timestamp())")
            other.execute("SELECT format('LISTEN %I', chat.chat_channel())")
            turn = _turn(url, seconds)
            single = _median(lambda: other.execute(_STORE, _posts(1), prepare=True), seconds)
            whole = _median(lambda: other.execute(_STORE, _posts(BATCH), prepare=True), seconds)
        with closing(connection.connect(address.parse(url), read_only=True, name="scale")) as reader:
            newest = reader.run("SELECT last_value FROM message_id").fetchall()[0][0]

            def read(count: int) -> None:
                hearing = feed.Feed()
                hearing.skip_to(connection.Places(newest - count, 0))
                list(hearing.read(reader))

            wake, page = _median(lambda: read(1), seconds), _median(lambda: read(BATCH), seconds)
        with closing(open_storage(url, call_back)) as storage:
            steps = log_in_for(storage, seconds, "user")
            next(steps)
            login = seconds / next(steps)
        return Measured(
            fsync=_fsync(cluster, seconds),
            turn=turn,
            post=max(whole - single, 0.0) / BATCH,
            wake=wake,
            read=max(page - wake, 0.0) / BATCH,
            login=login,
            delivery=1 / cells["fan1000"]["chat"]["deliveries/s"],
            memory=cells["idle10000"]["chat"]["RSS KiB/client"] * 1024,
        )


def _posts(count: int) -> tuple[list[int], list[str]]:
    return [-1] * count, ["x" * 100] * count


def _turn(url: str, seconds: float) -> float:
    """Seconds from one commit to the next while several connections store a message each, again and again."""
    import psycopg  # noqa: PLC0415

    counts, end = [0] * CONNECTIONS, time.monotonic() + seconds

    def work(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while time.monotonic() < end:
                connection.execute(_STORE, _posts(1), prepare=True)
                counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return seconds / sum(counts)


def _fsync(cluster: Cluster, seconds: float) -> float:
    """Seconds until 8 KiB are on the disk where the cluster is."""
    with tempfile.TemporaryFile(dir=cluster.folder.parent) as file:
        file.write(bytes(1 << 20))

        def write() -> None:
            os.pwrite(file.fileno(), bytes(8_192), 0)
            os.fdatasync(file.fileno())

        return _median(write, seconds)


def _median(work: Callable[[], object], seconds: float) -> float:
    return statistics.median(_times(work, seconds))


def _times(work: Callable[[], object], seconds: float) -> Iterator[float]:
    end = time.monotonic() + seconds
    while (started_at := time.perf_counter()) and time.monotonic() < end:
        work()
        yield time.perf_counter() - started_at


def main() -> int:
    """Measures and prints."""
    prepare_machine()
    try:
        print(render(measure()), end="")
    except Skipped as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
