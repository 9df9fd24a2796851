"""The measured programs: how to start each, log in and send messages. Knows nothing of what is measured.

`Chat` is this service; `Ngircd` is an IRC server in C that stores nothing, for comparison under the same load.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
CORES: Final = sorted(os.sched_getaffinity(0))  # the program gets the first, the load generator the last
CONNECTS: Final = 8  # at a time: ngircd's backlog is 10
PATIENCE: Final = 20.0  # seconds for a program to start, and for a line of the log-in


def use_all_descriptors() -> None:
    """Raises this process's limit of file descriptors to the maximum."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class CellError(Exception):
    """A cell could not be measured; the text says how far it got."""


class Skipped(Exception):  # noqa: N818 (it is no fault)
    """A cell needs a program that is not here; the text says which, and how to get it."""


class Client:
    """One connection, logged in; then non-blocking."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""  # of an incomplete line

    def read_until(self, word: bytes) -> bytes:
        """Reads through the line that has that word, during the login."""
        while True:
            line, end, rest = self.rest.partition(b"\n")
            if end:
                self.rest = rest
                if word in line:
                    return line
                continue
            if not (data := self.socket.recv(65_536)):
                raise CellError(f"closed while logging in: {self.rest!r}")
            self.rest += data


class Peer:
    """A running program under test. Marks identify some of its lines."""

    name: str
    port: int
    entered: bytes  # the client is logged in
    ack: bytes  # the sender's message is acknowledged
    direct: bytes  # a direct message
    joined: bytes  # the client has entered a room
    with_rooms = False  # whether the clients that log in are going to be in rooms besides the main room
    has_one_core = True  # whether it has a core to itself; else it uses all cores

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        pin = ["taskset", "--cpu-list", str(CORES[0])] if self.has_one_core else []
        with log.open("wb") as output:
            self.program = subprocess.Popen([*pin, *command], cwd=ROOT, stdout=output, stderr=output)

    def await_line(self, pattern: str) -> re.Match[str]:
        """Waits for a line of its log. A test connection instead would change the order of the clients.

        Raises CellError, with the log, if the line does not come.
        """
        give_up = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.log.read_text())):
            if time.monotonic() > give_up or self.program.poll() is not None:
                raise CellError(f"did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        return found

    def log_in(self, count: int) -> list[Client]:
        """Returns clients that receive each other's messages, in the same order in each run."""
        clients: list[Client] = []
        for first in range(0, count, CONNECTS):
            group = [Client(self.port, f"user{number}") for number in range(first, min(first + CONNECTS, count))]
            for client in group:
                client.socket.sendall(self.entry(client.name))
            for client in group:
                client.read_until(self.entered)
            clients += group
        return clients

    def fill_room(self, room: str, clients: Sequence[Client]) -> None:
        """Has the first of the clients make the room, and lets the others in."""
        first, *others = clients
        first.socket.sendall(self.create(room))
        first.read_until(self.joined)
        for start in range(0, len(others), CONNECTS):
            group = others[start : start + CONNECTS]
            for client in group:
                client.socket.sendall(self.join(room))
            for client in group:
                client.read_until(self.joined)

    def entry(self, name: str) -> bytes:
        """Returns the bytes that log a new client in."""
        raise NotImplementedError

    def create(self, room: str) -> bytes:
        """Returns the bytes that make a room and let the client in."""
        raise NotImplementedError

    def join(self, room: str) -> bytes:
        """Returns the bytes that let a client into a room."""
        raise NotImplementedError

    def public(self, text: str, room: str = "") -> bytes:
        """Returns the bytes of a message, to everyone or to a room, that is acknowledged."""
        raise NotImplementedError

    def private(self, to: str, text: str) -> bytes:
        """Returns the bytes of a direct message."""
        raise NotImplementedError

    def cpu_seconds(self) -> float:
        """Returns the program's CPU time so far."""
        return time.clock_gettime((~self.program.pid << 3) | 2)  # the number of that process's CPU clock in Linux

    def memory(self) -> int:
        """Returns the program's resident memory (RSS) in KiB."""
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def stop(self) -> None:
        self.program.terminate()
        self.program.wait()


class Chat(Peer):
    """This service; its database is chat.db in `folder`, created if missing, or `db`."""

    name = "chat"
    entered = b'"type":"login_ok"'
    ack = b'"type":"ack"'
    direct = b'"type":"direct"'
    joined = b'"type":"room"'

    def __init__(self, folder: Path, *more: str, db: str = "") -> None:
        """`more` are further options."""
        options = [*more, "--db", db or str(folder / "chat.db"), "--bcrypt-cost", "4", "--max-connections", "0"]
        options += ["--max-per-address", "0", "--login-rate", "0", "--rate", "0"]
        super().__init__([sys.executable, "-m", "service", "0", *options], folder / "chat.log")
        self.port = int(self.await_line(r"listening on .*:(\d+),")[1])

    def entry(self, name: str) -> bytes:
        """Registers a new account for each client."""
        wishes = {"rooms": True} if self.with_rooms else {}
        return json.dumps({"command": "register", "username": name, "password": "password", **wishes}).encode() + b"\n"

    def create(self, room: str) -> bytes:
        return json.dumps({"command": "create", "room": room}).encode() + b"\n"

    def join(self, room: str) -> bytes:
        return json.dumps({"command": "join", "room": room}).encode() + b"\n"

    def public(self, text: str, room: str = "") -> bytes:
        there = {"room": room} if room else {}
        return json.dumps({"command": "pm", **there, "message": text}).encode() + b"\n"

    def private(self, to: str, text: str) -> bytes:
        return json.dumps({"command": "dm", "to": to, "message": text}).encode() + b"\n"


class Ngircd(Peer):
    """ngircd without its flood limits; all clients are in one channel, perhaps among others."""

    name = "ngircd"
    entered = b" 366 "  # the end of the channel's list of names
    ack = b" PONG "
    direct = b" PRIVMSG user"
    joined = entered

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = folder / "ngircd.conf"
        config.write_text(
            "[Global]\nName = irc.example.net\nInfo = benchmark\nListen = 127.0.0.1\n"
            f"Ports = {self.port}\nMotdPhrase = hello\n"
            "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\nMaxNickLength = 20\n"
            "[Options]\nDNS = no\nIdent = no\nPAM = no\n[Operator]\nName = benchmark\nPassword = benchmark\n"
        )
        super().__init__([_find_ngircd() or "ngircd", "-n", "-f", str(config)], folder / "ngircd.log")
        self.await_line(r" ready\.")

    @staticmethod
    def version() -> str | None:
        """Returns the version of the installed ngircd; None if it is not installed."""
        if (path := _find_ngircd()) is None:
            return None
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"ngIRCd ([\d.]+)", shown)
        return found[1] if found else "of unknown version"

    def log_in(self, count: int) -> list[Client]:
        """Logs the clients in, in the mode that suits ngircd best."""
        self._relaxed = count > 10  # this gives a quarter more messages with 100 clients, a tenth fewer with 10
        return super().log_in(count)

    def entry(self, name: str) -> bytes:
        """In the relaxed mode an operator with mode F: ngircd then takes ten commands of a client at once, not 3."""
        mode = f"OPER benchmark benchmark\r\nMODE {name} +F\r\n" if self._relaxed else ""
        return f"NICK {name}\r\nUSER {name} 0 * :{name}\r\n{mode}JOIN #room\r\n".encode()

    def create(self, room: str) -> bytes:
        """Who enters a channel first has made it."""
        return self.join(room)

    def join(self, room: str) -> bytes:
        return f"JOIN #{room}\r\n".encode()

    def public(self, text: str, room: str = "room") -> bytes:
        """Returns the message and a PING, whose answer acknowledges the message."""
        return f"PRIVMSG #{room} :{text}\r\nPING x\r\n".encode()

    def private(self, to: str, text: str) -> bytes:
        return f"PRIVMSG {to} :{text}\r\n".encode()


def _find_ngircd() -> str | None:
    """Debian installs it where only root's PATH leads."""
    return shutil.which("ngircd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
