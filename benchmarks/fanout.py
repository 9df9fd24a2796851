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
import select
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
CORES: Final = sorted(os.sched_getaffinity(0))  # the service has the first, the load generator the last
ROOT: Final = Path(__file__).resolve().parents[1]
_MESSAGE: Final = json.dumps({"command": "pm", "message": TEXT}).encode() + b"\n"


class Result(NamedTuple):
    """One cell of the table."""

    clients: int
    messages: float  # a second
    deliveries: float  # a second
    cpu: float  # the service's CPU seconds for a million deliveries
    load: float  # the load generator's share of its core


def start_service(folder: str) -> tuple[subprocess.Popen[bytes], int]:
    """The service on a free port, pinned to the first core; its log goes to a file, as a full pipe would stop it."""
    command = [sys.executable, "-m", "service", "0", "--db", f"{folder}/chat.db", "--bcrypt-cost", "4"]
    log = Path(folder) / "log"
    with log.open("wb") as stderr:
        program = subprocess.Popen(command, cwd=ROOT, stderr=stderr)
    os.sched_setaffinity(program.pid, {CORES[0]})
    while program.poll() is None:
        if found := re.search(r"listening on .*:(\d+),", log.read_text()):
            return program, int(found[1])
        time.sleep(0.05)
    raise SystemExit(log.read_text())


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
            program.wait()


def _load(pid: int, clients: list[Client]) -> Result:
    """Answers each ack with the next message; counts the lines in what it receives, and looks into acks only."""
    poll = select.epoll()
    by_descriptor = {}
    for client in clients:
        client.socket.settimeout(0)
        poll.register(client.socket, select.EPOLLIN)
        by_descriptor[client.socket.fileno()] = client
    senders = {client.socket.fileno() for client in clients[:SENDERS]}
    for client in clients[:SENDERS]:
        client.socket.send(_MESSAGE * IN_FLIGHT)
    buffer = bytearray(1 << 20)
    lines = messages = 0
    began = measured_from = time.perf_counter()
    cpu = own_cpu = 0.0
    warm = False
    while (now := time.perf_counter()) < began + WARM_UP + DURATION:
        if not warm and now >= began + WARM_UP:
            warm, lines, messages, measured_from = True, 0, 0, now
            cpu, own_cpu = cpu_seconds(pid), time.process_time()
        for descriptor, _ in poll.poll(1.0):
            client = by_descriptor[descriptor]
            size = client.socket.recv_into(buffer)
            if descriptor in senders:
                whole, _, client.rest = (client.rest + buffer[:size]).rpartition(b"\n")
                acks = whole.count(b'"type":"ack"')
                lines += whole.count(b"\n") + 1 - acks if whole else 0
                messages += acks
                if acks:
                    client.socket.send(_MESSAGE * acks)
            else:
                lines += buffer.count(b"\n", 0, size)
    elapsed = time.perf_counter() - measured_from
    cpu, own_cpu = cpu_seconds(pid) - cpu, time.process_time() - own_cpu
    poll.close()
    for client in clients:
        client.file.close()
        client.socket.close()
    return Result(len(clients), messages / elapsed, lines / elapsed, cpu / lines * 1e6, own_cpu / elapsed)


def main() -> None:
    """Measures every cell and prints the table."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {CORES[-1]})
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
