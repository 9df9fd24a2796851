"""Fan-out: ten senders, each with sixteen public messages in flight, to a number of clients; every message is stored.

Prints messages and deliveries a second, and the service's CPU seconds for a million deliveries. The service and this
load generator are two processes, on a core each where there are two. A delivery is a line that a client has received.
"""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import selectors
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

CLIENTS: Final = (10, 100, 1000)
SENDERS: Final = 10
IN_FLIGHT: Final = 16  # messages of one sender that wait for their ack
TEXT: Final = "x" * 100
WARM_UP, DURATION = 1.0, 5.0  # seconds
ROOT: Final = Path(__file__).resolve().parents[1]
_MESSAGE: Final = json.dumps({"command": "pm", "message": TEXT}).encode() + b"\n"


class Result(NamedTuple):
    """One cell of the table."""

    clients: int
    messages: float  # a second
    deliveries: float  # a second
    cpu: float  # the service's CPU seconds for a million deliveries
    load: float  # the load generator's share of its core


def start_service(folder: str) -> tuple[subprocess.Popen[str], int]:
    """The service on a free port, pinned to the first core."""
    command = [sys.executable, "-m", "service", "0", "--db", f"{folder}/chat.db", "--bcrypt-cost", "4"]
    program = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(program.pid, {min(os.sched_getaffinity(0))})
    assert program.stderr is not None
    for line in program.stderr:
        if found := re.search(r"listening on .*:(\d+),", line):
            return program, int(found[1])
    raise SystemExit("the service did not start")


class Client:
    """One connection, logged in."""

    def __init__(self, port: int, login: dict[str, str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.socket.sendall(json.dumps(login).encode() + b"\n")
        self.reply = json.loads(self.file.readline())
        if self.reply["type"] != "login_ok":
            raise SystemExit(self.reply)
        self.rest = b""  # of a line whose end has not come

    def fileno(self) -> int:
        """For the selector."""
        return self.socket.fileno()


def connect(port: int, count: int) -> list[Client]:
    """`count` clients of ten accounts; the first ten registered, the others by their tokens."""
    clients = [
        Client(port, {"command": "register", "username": f"user{n}", "password": "password"}) for n in range(SENDERS)
    ]
    tokens = [client.reply["token"] for client in clients]
    clients += [Client(port, {"command": "resume", "token": tokens[n % SENDERS]}) for n in range(count - SENDERS)]
    return clients


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(count: int) -> Result:
    """One cell, with a service and a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        program, port = start_service(folder)
        try:
            clients = connect(port, count)
            return _load(program.pid, clients)
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate()


def _load(pid: int, clients: list[Client]) -> Result:
    selector = selectors.DefaultSelector()
    for client in clients:
        client.socket.settimeout(0)
        selector.register(client, selectors.EVENT_READ, client)
    senders = clients[:SENDERS]
    for client in senders:
        client.socket.send(_MESSAGE * IN_FLIGHT)
    sending, lines, messages = set(senders), 0, 0
    began = measured_from = time.perf_counter()
    cpu, own_cpu = 0.0, 0.0
    warm = False
    while (now := time.perf_counter()) < began + WARM_UP + DURATION:
        if not warm and now >= began + WARM_UP:
            warm, lines, messages, measured_from = True, 0, 0, now
            cpu, own_cpu = cpu_seconds(pid), time.process_time()
        for key, _ in selector.select():
            client = key.data
            data = client.socket.recv(1 << 20)
            lines += data.count(b"\n")
            if client in sending:
                whole, _, client.rest = (client.rest + data).rpartition(b"\n")
                if acks := whole.count(b'"type":"ack"'):
                    messages += acks
                    lines -= acks
                    client.socket.send(_MESSAGE * acks)
    elapsed = time.perf_counter() - measured_from
    cpu, own_cpu = cpu_seconds(pid) - cpu, time.process_time() - own_cpu
    for client in clients:
        client.file.close()
        client.socket.close()
    return Result(len(clients), messages / elapsed, lines / elapsed, cpu / lines * 1e6, own_cpu / elapsed)


def main() -> None:
    """Measures every cell and prints the table."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {machine}")
    print("clients  messages/s  deliveries/s  CPU s per million  load generator")
    for count in CLIENTS:
        result = measure(count)
        print(
            f"{result.clients:7,}  {result.messages:10,.0f}  {result.deliveries:12,.0f}  {result.cpu:17.2f}"
            f"  {result.load:13.0%}"
        )


if __name__ == "__main__":
    main()
