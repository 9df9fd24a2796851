"""The programs that are measured: how to start each, log in, and say something. Knows nothing of what is measured.

`Chat` is this service; `Ngircd` is an IRC server in C that stores nothing, for the same load beside it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CORES: Final = sorted(os.sched_getaffinity(0))  # the program has the first, the load generator the last
PATIENCE: Final = 20.0  # seconds for a program to start, and for a line of the log-in
TEXT: Final = 100  # characters of a message


class Client:
    """One connection, logged in; non-blocking from then on."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.rest = b""  # of a line whose end has not come

    def read_until(self, word: bytes) -> bytes:
        """Reads up to and with the line that has that word, while logging in."""
        while True:
            line, end, rest = self.rest.partition(b"\n")
            if end:
                self.rest = rest
                if word in line:
                    return line
                continue
            if not (data := self.socket.recv(65_536)):
                raise SystemExit(f"closed while logging in: {self.rest!r}")
            self.rest += data


class Peer:
    """A running program under test. `ack` marks the line that tells a sender that its message is done."""

    name: str
    ack: bytes
    direct: bytes  # marks a direct message

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("wb") as output:
            self.program = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        os.sched_setaffinity(self.program.pid, {CORES[0]})

    def log_in(self, count: int) -> list[Client]:
        """Clients who hear each other."""
        raise NotImplementedError

    def public(self, text: str) -> bytes:
        """The bytes of a public message whose end is acknowledged."""
        raise NotImplementedError

    def private(self, to: str, text: str) -> bytes:
        """The bytes of a direct message."""
        raise NotImplementedError

    def cpu_seconds(self) -> float:
        """What the program has used so far."""
        fields = Path(f"/proc/{self.program.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Ends it."""
        self.program.terminate()
        self.program.wait()


class Chat(Peer):
    """This service, with a fresh database in `folder`."""

    name = "chat"
    ack = b'"type":"ack"'
    direct = b'"type":"direct"'

    def __init__(self, folder: Path) -> None:
        log = folder / "chat.log"
        options = ["--db", str(folder / "chat.db"), "--bcrypt-cost", "4", "--max-connections", "0"]
        super().__init__([sys.executable, "-m", "service", "0", *options], log)
        give_up = time.monotonic() + PATIENCE
        while not (found := re.search(r"listening on .*:(\d+),", log.read_text())):
            if time.monotonic() > give_up:
                raise SystemExit(log.read_text())
            time.sleep(0.05)
        self.port = int(found[1])

    def log_in(self, count: int) -> list[Client]:
        """Each with an account of its own."""
        clients = []
        for number in range(count):
            client = Client(self.port, f"user{number}")
            command = {"command": "register", "username": client.name, "password": "password"}
            client.socket.sendall(json.dumps(command).encode() + b"\n")
            client.read_until(b'"type":"login_ok"')
            clients.append(client)
        return clients

    def public(self, text: str) -> bytes:
        """One command; the ack comes by itself."""
        return json.dumps({"command": "pm", "message": text}).encode() + b"\n"

    def private(self, to: str, text: str) -> bytes:
        """One command."""
        return json.dumps({"command": "dm", "to": to, "message": text}).encode() + b"\n"


class Ngircd(Peer):
    """ngircd with its flood limits off; everyone is in one channel."""

    name = "ngircd"
    ack = b" PONG "
    direct = b" PRIVMSG user"

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = folder / "ngircd.conf"
        config.write_text(
            "[Global]\nName = irc.example.net\nInfo = benchmark\nListen = 127.0.0.1\n"
            f"Ports = {self.port}\nMotdPhrase = hello\n"
            "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\nMaxNickLength = 20\n"
            "[Options]\nDNS = no\nIdent = no\nPAM = no\n"
        )
        super().__init__([shutil.which("ngircd") or "ngircd", "-n", "-f", str(config)], folder / "ngircd.log")
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                if time.monotonic() > give_up:
                    raise SystemExit((folder / "ngircd.log").read_text()) from None
                time.sleep(0.05)

    @staticmethod
    def is_installed() -> bool:
        """Whether it can be measured here."""
        return shutil.which("ngircd") is not None

    def log_in(self, count: int) -> list[Client]:
        """One after the other: its backlog of connects is short."""
        clients = []
        for number in range(count):
            client = Client(self.port, f"user{number}")
            client.socket.sendall(f"NICK {client.name}\r\nUSER {client.name} 0 * :{client.name}\r\n".encode())
            client.read_until(b" 001 ")
            client.socket.sendall(b"JOIN #room\r\n")
            client.read_until(b" 366 ")
            clients.append(client)
        return clients

    def public(self, text: str) -> bytes:
        """The message and a PING, whose answer tells that the message is done."""
        return f"PRIVMSG #room :{text}\r\nPING x\r\n".encode()

    def private(self, to: str, text: str) -> bytes:
        """One line."""
        return f"PRIVMSG {to} :{text}\r\n".encode()
