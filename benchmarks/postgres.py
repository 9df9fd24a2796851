"""The cells pg1 and pg2: this service over PostgreSQL, beside itself over SQLite; and two services over one PostgreSQL.

PostgreSQL has the service's core, too, so it takes from the service what it uses. As a program (python -m
benchmarks.postgres) this logs accounts in, in the storage layer, as one service of several.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.cells import RUNS, Cell, Target
from benchmarks.load import TEXT, Crowd, Meter, Reader, Span, fan_out, ping_pong
from benchmarks.peers import CORES, ROOT, CellError, Chat, Client, Skipped
from service.accounts.authentication import new_token
from service.clock import format_time, utcnow
from service.storage import init_db, open_storage
from tests.support.postgres import Cluster, MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.peers import Peer
    from service.storage.contract import Storage

LOADS: Final[dict[str, Callable[[Peer, Span], dict[str, float]]]] = {
    "fan10": lambda peer, span: fan_out(peer, 10, 10, 16, span),
    "fan100": lambda peer, span: fan_out(peer, 100, 10, 16, span),
    "one100": lambda peer, span: fan_out(peer, 100, 1, 1, span),
    "direct50": lambda peer, span: ping_pong(peer, 50, span),
}
RATE: Final = 50.0  # messages a second, in pg2
LISTENERS: Final = 50  # at each of the two services
LOGIN_THREADS: Final = 32  # at each of the two: as many logins wait at once
# As Debian has them; a cluster for tests does with less.
SETTINGS: Final = {
    "autovacuum": "on", "checkpoint_timeout": "5min", "full_page_writes": "on", "jit": "on",
    "max_wal_senders": "10", "shared_buffers": "128MB", "wal_level": "replica",
}  # fmt: skip


@contextmanager
def running_postgres(**settings: str) -> Iterator[Cluster]:
    """Yields a cluster on the disk, where SQLite's files are, too, and on the service's core. Raises Skipped."""
    options: dict[str, Any] = SETTINGS | settings
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[0]})  # its processes inherit that
    try:
        cluster = Cluster(Path(tempfile.gettempdir()), **options)
    except MissingError as error:
        raise Skipped(str(error)) from None
    finally:
        os.sched_setaffinity(0, own)
    with cluster:
        yield cluster


def new_database(cluster: Cluster) -> str:
    """Makes one with the chat's schema, as it is outside tests; returns its URL."""
    url = cluster.create(empty=True)
    init_db(url)
    return url


def beside_sqlite(span: Span, runs: int = RUNS) -> dict[str, float]:
    """Measures each load over PostgreSQL and over SQLite in turn; gives the one, and its share of the other."""
    figures: dict[str, float] = {}
    with running_postgres() as cluster:
        for name, measure in LOADS.items():
            rounds = [[_measure_once(measure, span, db) for db in (new_database(cluster), "")] for _ in range(runs)]
            figures[f"{name} /s"] = statistics.median(over for over, _ in rounds)
            figures[f"{name} ratio"] = statistics.median(over / beside for over, beside in rounds)
    return figures


def _measure_once(measure: Callable[[Peer, Span], dict[str, float]], span: Span, db: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        peer = Chat(Path(folder), db=db)
        try:
            return measure(peer, span)["messages/s"]
        finally:
            peer.stop()


def two_services(span: Span, login_seconds: float, listeners: int = LISTENERS) -> dict[str, float]:
    """Measures how soon a message is at clients of its sender's service, and of the other; and logins at both."""
    with running_postgres() as cluster:
        return _across(new_database(cluster), span, listeners) | _logins(new_database(cluster), login_seconds)


def _across(url: str, span: Span, listeners: int) -> dict[str, float]:
    """One client sends RATE messages a second; so many listen at its service, and as many at the other."""
    with ExitStack() as stay:
        peers = []
        for _ in range(2):
            peers.append(Chat(Path(stay.enter_context(tempfile.TemporaryDirectory())), db=url))
            stay.callback(peers[-1].stop)
        clients = [[_enter(peer, f"user{at}-{n}") for n in range(listeners)] for at, peer in enumerate(peers)]
        sender = _enter(peers[0], "sender")
        crowd, reader, meter = Crowd([sender, *clients[0], *clients[1]]), Reader(), Meter(peers[0], span)
        times: dict[Client, list[float]] = {client: [] for client in (*clients[0], *clients[1])}
        message = peers[0].public(TEXT)
        sent_at = due = time.perf_counter()
        while meter.goes_on():
            if (now := time.perf_counter()) >= due:
                sender.socket.send(message)
                sent_at, due = now, due + 1 / RATE
                meter.messages += 1
            for client in crowd.ready(max(0.0, due - time.perf_counter())):
                lines = reader.count_lines(client)
                if client is not sender:
                    meter.deliveries += lines
                    times[client] += [time.perf_counter() - sent_at] * lines
        crowd.close()
    same, across = (sorted(time for client in each for time in times[client]) for each in clients)
    middle = [statistics.median(each) * 1e3 for each in (same, across)]
    return {
        "same p50 ms": middle[0],
        "across p50 ms": middle[1],
        "across ratio": middle[1] / middle[0],
        "across p99 ms": across[len(across) * 99 // 100] * 1e3,
    }


def _enter(peer: Peer, name: str) -> Client:
    client = Client(peer.port, name)
    client.socket.sendall(peer.entry(name))
    client.read_until(peer.entered)
    return client


def _logins(url: str, seconds: float) -> dict[str, float]:
    """Two programs log in by tokens for so long, each in a storage of its own, without sockets and bcrypt."""
    command = [sys.executable, "-m", "benchmarks.postgres", url, str(seconds)]
    with ExitStack() as stay:
        programs = []
        for at in range(2):
            program = subprocess.Popen(
                [*command, f"at{at}"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            programs.append(stay.enter_context(program))
            os.sched_setaffinity(program.pid, CORES)
        for program in programs:
            if program.stdout is None or program.stdout.readline() != "ready\n":
                raise CellError("a program that logs in did not start")
        out = []
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        for program in programs:
            assert program.stdout is not None
            out.append(int(program.stdout.readline()))
    return {"logins /s": sum(out) / seconds}


def log_in_for(storage: Storage, seconds: float, name: str, threads: int = LOGIN_THREADS) -> Iterator[int]:
    """Makes accounts, yields 0; logs them in from as many threads for so long; yields how many logins were stored."""
    tokens = [new_token() for _ in range(threads)]
    for number, token in enumerate(tokens):
        storage.result(storage.register(f"{name}-{number}", f"{name}-{number}", "hash", token.hash, _now()))
    yield 0
    counts, end = [0] * threads, time.monotonic() + seconds

    def work(number: int) -> None:
        while time.monotonic() < end:
            storage.result(storage.resume(tokens[number].hash, _now()))
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    yield sum(counts)


def _now() -> str:
    return format_time(utcnow())


def call_back(told: Iterable[tuple[Callable[..., object], object]]) -> None:
    """A `hand_over` for a storage without a delivery."""
    for callback, argument in told:
        callback(argument)


def main(url: str, seconds: str, name: str) -> None:
    """Logs in when it is told to."""
    with closing(open_storage(url, call_back)) as storage:
        steps = log_in_for(storage, float(seconds), name)
        next(steps)
        print("ready", flush=True)
        sys.stdin.readline()
        print(next(steps), flush=True)


def make_cells(span: Span) -> dict[str, Cell]:
    """Returns both cells; each load is measured for the time of `span`."""
    least = {"fan10": 0.6, "fan100": 0.6, "one100": 0.9, "direct50": 0.65}
    return {
        "pg1": Cell(
            "one service over PostgreSQL, beside SQLite: fan10, fan100, one100, direct50",
            lambda _: beside_sqlite(span),
            targets=tuple(Target(f"{name} ratio", ">=", share) for name, share in least.items()),
        ),
        "pg2": Cell(
            "two services over PostgreSQL: a message to clients of either, and logins at both",
            lambda _: two_services(span, 3.0),
            targets=(Target("across ratio", "<=", 1.6), Target("logins /s", ">=", 1_500)),
        ),
    }


CELLS: Final = make_cells(Span())

if __name__ == "__main__":
    main(*sys.argv[1:4])
