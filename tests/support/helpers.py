"""Helpers for many tests: a running server, and a client that speaks raw lines. Holds no test."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast

from service import storage as storages
from service.clock import utcnow
from service.config import Settings
from service.server import Server
from service.storage.sqlite.engine import SqliteStorage
from tests.support.engines import name_database

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
PASSWORD: Final = "correct horse"
PATIENCE: Final = 20.0  # seconds until a test gives up; no measure of speed

# Cheap passwords, and no limits for one address or client.
FAST: Final = ("--bcrypt-cost", "4", "--max-per-address", "0", "--login-rate", "0", "--rate", "0")

Line = dict[str, Any]


def seconds() -> float:
    """A clock for limits. In a test with a stopped wall clock it moves only with that."""
    return utcnow().timestamp()


def make_settings(folder: Path, **more: Any) -> Settings:
    """Returns settings for a test: a free port, the database of `folder`, the cheapest bcrypt, hardly any limits."""
    unlimited = {"max_per_address": 0, "login_rate": 0, "rate": 0}
    return Settings(**{"port": 0, "db": name_database(folder / "chat.db"), "bcrypt_cost": 4, **unlimited, **more})


_running: Final[list[Server]] = []


@contextmanager
def running_server(folder: Path, **settings: Any) -> Iterator[Server]:
    """Yields a server in this process; stops it at the end."""
    server = Server(make_settings(folder, **settings), seconds)
    _running.append(server)
    try:
        yield server
    finally:
        _running.remove(server)
        server.services.storage.release()  # the test's own thread may have read
        server.stop()


def hear_orders() -> None:
    """Returns once the servers here have told their clients of all that others have committed so far."""
    for server in _running:
        told = threading.Event()
        server.services.storage.probe(done=lambda _: told.set(), refused=lambda _: told.set())  # noqa: B023
        assert told.wait(PATIENCE)


def call_back(told: Iterable[tuple[Callable[[Any], None], Any]]) -> None:
    """A `hand_over` for a storage without a delivery: calls back on the writer thread."""
    for callback, argument in told:
        callback(argument)


@contextmanager
def open_storage(path: Path, **more: Any) -> Iterator[SqliteStorage]:
    """Yields a storage without a service.

    On PostgreSQL it is that engine's. What its type has beyond the contract only tests of SQLite use.
    """
    db = name_database(path)
    storage = (
        cast("SqliteStorage", storages.open_storage(db, call_back))
        if storages.is_url(db)
        else (SqliteStorage(path, call_back, **more))
    )
    try:
        yield storage
    finally:
        storage.release()
        storage.close()


def until(condition: Callable[[], object]) -> None:
    """Waits until another thread or process makes the condition true; fails after PATIENCE."""
    deadline, pause = time.monotonic() + PATIENCE, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {condition.__code__.co_names}"
        pause.wait(0.001)


def free_port() -> int:
    """A free port that the kernel gives to no client: one that connects to its own port would talk to itself."""
    for port in random.sample(range(20_000, 30_000), 1_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no free port to be found from 20000 to 29999")


class Process:
    """The service as a program, on a free port."""

    def __init__(self, folder: Path, *options: str, prelude: str = "", port: int = 0) -> None:
        """Starts it, after the Python statements `prelude`, and waits until it listens."""
        main = f"{prelude}\nimport sys, service.__main__\nsys.exit(service.__main__.main())"
        self.program = subprocess.Popen(
            [sys.executable, "-c", main, str(port), "--db", name_database(folder / "chat.db"), *FAST, *options],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self.read_log("listening on")
        self.port = int(self.log[-1].split("listening on ")[1].split(",")[0].rpartition(":")[2])

    def read_log(self, words: str) -> None:
        """Reads the log up to a line with these words."""
        assert self.program.stderr is not None
        while not self.log or words not in self.log[-1]:
            self.log.append(self.program.stderr.readline())
            assert self.log[-1], self.log

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; returns the exit status. `log` gets the rest of the log."""
        self.program.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Waits for the end; returns the exit status. `log` gets the rest of the log."""
        assert self.program.stderr is not None
        overdue = threading.Timer(PATIENCE, self.program.kill)
        overdue.start()
        # Not communicate(), which would lose what came along with the last line that was read.
        with self.program.stderr as stderr:
            self.log += stderr.read().splitlines()
        status = self.program.wait()
        overdue.cancel()
        overdue.join()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.returncode is None:
            self.stop(signal.SIGKILL)


class Wire:
    """A client of raw lines."""

    def __init__(
        self, port: int, *, greet: bool = True, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1"
    ) -> None:
        """Connects, with TLS if given a context; reads the greeting into `hello` unless told not to.

        `source` is its own address: any in 127.0.0.0/8.
        """
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        self._received = b""
        try:
            self._open()
            self.hello: Line = self.read() if greet else {}
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        """What another kind of client does before the greeting."""

    def close(self) -> None:
        """Closes the connection without an `ex`."""
        self.socket.close()

    def send_raw(self, data: bytes) -> None:
        """Sends bytes on the connection, below any framing."""
        self.socket.sendall(data)

    def send_bytes(self, data: bytes) -> None:
        """Sends lines, or part of one, unchanged."""
        self.send_raw(data)

    def receive(self) -> bytes:
        """Returns some of the bytes that lines are made of, maybe none; raises EOFError at the end."""
        if not (data := self.socket.recv(65_536)):
            raise EOFError(self._received)
        return data

    def send(self, *commands: Line) -> None:
        """Sends the commands, all in one packet."""
        self.send_bytes(b"".join(json.dumps(command).encode() + b"\n" for command in commands))

    def read(self) -> Line:
        """Returns the next line. Raises EOFError at the end."""
        while b"\n" not in self._received:
            self._received += self.receive()
        line, _, self._received = self._received.partition(b"\n")
        decoded: Line = json.loads(line)
        return decoded

    def read_type(self, kind: str) -> Line:
        """Returns the next line of that type; drops others before it."""
        while (line := self.read())["type"] != kind:
            pass
        return line

    def ask(self, command: str, **fields: Any) -> Line:
        """Sends a command and returns its reply; drops pushed lines before it."""
        ref = f"ask-{command}"
        self.send({"command": command, "ref": ref, **fields})
        while (line := self.read()).get("ref") != ref:
            pass
        del line["ref"]
        return line

    def read_until_pong(self) -> list[Line]:
        """Returns the lines sent to this client so far, without users lists; a `ping` marks the end."""
        self.send({"command": "ping", "ref": "barrier"})
        lines = []
        while (line := self.read()).get("ref") != "barrier":
            if line["type"] != "users":
                lines.append(line)
        return lines

    def read_to_end(self) -> list[Line]:
        """Returns all lines until the service closes."""
        lines = []
        while True:
            try:
                lines.append(self.read())
            except EOFError:
                return lines


def enter(
    port: int,
    name: str,
    password: str = PASSWORD,
    tls: ssl.SSLContext | None = None,
    source: str = "127.0.0.1",
    kind: type[Wire] = Wire,
    **fields: Any,
) -> Wire:
    """Returns a client that is logged in, and registered if the name is new; `hello` has its `login_ok`."""
    wire = kind(port, tls=tls, source=source)
    reply = wire.ask("login", username=name, password=password, **fields)
    if reply["type"] == "password_required":
        reply = wire.ask("register", username=name, password=password, **fields)
    assert reply["type"] == "login_ok", reply
    wire.hello = reply
    return wire
