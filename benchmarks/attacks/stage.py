"""Runs one attack: a new service with its default settings, the victims, the attacker; returns the figures.

The service, the victims and the attacker are a process each. All of them stay within this machine.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks import generate
from benchmarks.attacks import rooms
from benchmarks.attacks.attacker import Done, attack
from benchmarks.attacks.links import Ground
from benchmarks.attacks.party import NAMES, Plan
from benchmarks.attacks.victim import Suffered, Times, suffer
from benchmarks.idle import make_accounts
from benchmarks.peers import CellError, Client, Peer
from service.accounts import passwords
from service.config import Settings
from service.net import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

    from benchmarks.attacks.cells import Attack

RAMP: Final = 2.0  # seconds of attack before the measurement
SECONDS: Final = 8.0  # of measurement: some 80 acks, 25 pages, 12 logins in quiet
PATIENCE: Final = 20.0  # seconds for a process to answer
STOPPING: Final = 8.0  # seconds for the service to stop; it promises five
ATTACKER: Final = "mallory"
_TURNS: Final = 5  # hashes; the fastest one counts, as other processes only slow one down


class Row(NamedTuple):
    """The figures of one attack, by their labels."""

    figures: Mapping[str, float]
    at_least: frozenset[str]  # figures of what was unfinished at the end: it took so long, or longer
    cut_off: Mapping[str, int]  # how often the service closed an honest connection, by its user


class Service(Peer):
    """This service with only the options for its database, TLS and a web port."""

    name = "chat"
    entered = b'"type":"login_ok"'
    has_one_core = False

    def __init__(self, folder: Path, *, speaks_tls: bool, is_web: bool) -> None:
        options = ["--db", str(folder / "chat.db")]
        if is_web:
            self.web_port = _find_port()
            options += ["--web-port", str(self.web_port)]
        if speaks_tls:
            options += ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]
        bound = ["setpriv", "--pdeathsig", "TERM"]  # it ends with this process, however that ends
        super().__init__([*bound, sys.executable, "-m", "service", "0", *options], folder / "chat.log")
        self.port = int(self.await_line(r"listening on .*:(\d+),")[1])

    def peak_memory(self) -> float:
        """Returns the maximum of its resident memory (RSS), in MB."""
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        if found is None:
            raise CellError(f"the service has ended:\n{self.log.read_text()[-2_000:]}")
        return int(found[1]) * 1024 / 1e6

    def stop(self) -> None:
        """Stops it; kills it if that takes too long."""
        self.program.terminate()
        try:
            self.program.wait(STOPPING)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()


def _find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Histories:
    """Databases with generated messages, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, count: int, target: Path) -> None:
        """Copies a database with `count` messages to `target`; makes none if `count` is 0."""
        if not count:
            return
        path = self._folder / f"history-{count}.db"
        if not path.exists():
            generate.make(path, count)
        shutil.copyfile(path, target)
        os.sync()  # or measured commits would wait for the copy's data


def measure_turn() -> float:
    """Returns the time of one password hash with default settings, in milliseconds; in quiet."""
    times = []
    for _ in range(_TURNS):
        started_at = time.perf_counter()
        passwords.make_hash("password", Settings().bcrypt_cost)
        times.append((time.perf_counter() - started_at) * 1e3)
    return min(times)


def run(plan: Attack, histories: Histories, turn: float, *, ramp: float = RAMP, seconds: float = SECONDS) -> Row:
    """Runs the attack, and measures `seconds` of it after `ramp` seconds. `turn`: the milliseconds of one hash.

    Raises CellError.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        histories.copy(plan.history, folder / "chat.db")
        attackers = [ATTACKER, *(f"{ATTACKER}{n}" for n in range(1, plan.accounts))]
        tokens = dict(make_accounts(folder, [*NAMES, *attackers], Settings().bcrypt_cost))
        if plan.rooms:
            rooms.fill(folder / "chat.db", attackers, plan.rooms)
        if plan.speaks_tls:
            certificates.make_pair(folder, [])
        service = Service(folder, speaks_tls=plan.speaks_tls, is_web=plan.is_web)
        try:
            _write_letters(service, tokens["bea"], plan)
            port = service.web_port if plan.is_web else service.port
            ground = Ground(port, [tokens[name] for name in attackers], folder)
            suffered, done = _attack(plan, ground, tokens, ramp, seconds)
            memory = service.peak_memory()
        finally:
            service.stop()
        if plan.counted:
            done = done._replace(done=_count(folder / "chat.db", plan.counted))
        return _make_row(suffered, done, memory, turn)


def _write_letters(service: Service, token: str, plan: Attack) -> None:
    """Sends the letters before any recipient connects, so that they are missed."""
    if not plan.letters:
        return
    client = Client(service.port, "bea")
    client.socket.sendall(json.dumps({"command": "resume", "token": token}).encode() + b"\n")
    client.read_until(service.entered)
    for to, text in plan.letters:
        client.socket.sendall(json.dumps({"command": "dm", "to": to, "message": text}).encode() + b"\n")
        client.read_until(b'"type":"ack"')
    client.socket.close()


def _attack(
    plan: Attack, ground: Ground, tokens: Mapping[str, str], ramp: float, seconds: float
) -> tuple[Suffered, Done]:
    certificate = str(ground.folder / "cert.pem") if plan.speaks_tls else ""
    with _process(suffer, Plan(ground.port, tokens, certificate, plan.is_web)) as victims:
        _receive(victims, "the victims' logins")
        done = Done(0, 0, 0)
        if not plan.connections:
            time.sleep(ramp)
            victims.send(seconds)
            return _receive(victims, "the victims"), done
        with _process(attack, plan, ground) as attacker:
            _receive(attacker, "the attacker's start")
            time.sleep(ramp)
            victims.send(seconds)
            suffered = _receive(victims, "the victims")
            attacker.send("stop")
            return suffered, _receive(attacker, "the attacker's end")


@contextmanager
def _process(work: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """Starts another process; yields the connection to it, whose closing ends the process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(*arguments, there), name=work.__name__)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _receive(connection: Connection, what: str) -> Any:
    try:
        if connection.poll(PATIENCE):
            return connection.recv()
    except (EOFError, ConnectionError):
        raise CellError(f"{what}: the process ended") from None
    raise CellError(f"{what}: not within {PATIENCE:g} s")


def _count(path: Path, query: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(query).fetchone()
        return int(count)


def _make_row(suffered: Suffered, done: Done, memory: float, turn: float) -> Row:
    figures, at_least = {"done": done.done, "refused": float(done.refused)}, set()
    kinds: dict[str, Times] = {"ack": suffered.acks, "page": suffered.pages, "login": suffered.logins}
    for kind, (times, is_cut_short) in kinds.items():
        if not times:
            raise CellError(f"no {kind} within the time")
        figures |= {f"{kind} p50 ms": statistics.median(times), f"{kind} max ms": max(times)}
        if is_cut_short and times[-1] == max(times):
            at_least |= {f"{kind} max ms"} | ({f"{kind} p50 ms"} if len(times) == 1 else set())
    figures["login turns"] = figures["login max ms"] / turn
    if "login max ms" in at_least:
        at_least.add("login turns")
    figures |= {
        "RSS MB": memory,
        "cut off": float(sum(suffered.cut_off.values())),
        "generator %": done.cpu * 100,
    }
    return Row(figures, frozenset(at_least), suffered.cut_off)
