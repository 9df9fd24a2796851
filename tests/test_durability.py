"""Nothing acknowledged is lost and nothing is doubled: the service is killed under load, again and again."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from tests.helpers import Process, Wire, enter

if TYPE_CHECKING:
    from pathlib import Path

SENDERS, KILLS, ACKS_BEFORE_KILL = 4, 5, 150


class Sender(threading.Thread):
    """Sends public and direct messages with nonces, many in flight, until the service is gone."""

    def __init__(self, name: str, wire: Wire, first: int, acked: dict[str, int], enough: threading.Semaphore) -> None:
        super().__init__(name=name)
        self.wire, self.first, self.acked, self.enough = wire, first, acked, enough

    def run(self) -> None:
        try:
            number = self.first
            while True:
                batch = [f"{self.name}-{number + n}" for n in range(16)]
                number += 16
                commands = [{"command": "pm", "message": nonce, "nonce": nonce} for nonce in batch[:8]]
                commands += [{"command": "dm", "to": "away", "message": nonce, "nonce": nonce} for nonce in batch[8:]]
                self.wire.send(*commands)
                for _ in batch:
                    ack = self.wire.read_type("ack")
                    assert self.acked.setdefault(ack["nonce"], ack["id"]) == ack["id"]
                    self.enough.release()
        except (EOFError, OSError):
            self.wire.close()


def stored(path: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT nonce, id FROM message ORDER BY id").fetchall()


def test_every_ack_survives_a_kill(tmp_path: Path) -> None:
    """After each kill -9 under load every acknowledged id is stored once, and a retry gets the same id."""
    acked: dict[str, int] = {}
    for kill in range(KILLS):
        with Process(tmp_path) as service:
            if not kill:
                enter(service.port, "away").close()
            enough = threading.Semaphore(0)
            senders = [
                Sender(f"user{n}", enter(service.port, f"user{n}"), kill * 1_000_000, acked, enough)
                for n in range(SENDERS)
            ]
            for sender in senders:
                sender.start()
            for _ in range(ACKS_BEFORE_KILL):
                assert enough.acquire(timeout=20)
            service.stop(signal.SIGKILL)
            for sender in senders:
                sender.join()
        rows = stored(tmp_path / "chat.db")
        assert len(dict(rows)) == len(rows)
        assert acked.items() <= dict(rows).items()
    with Process(tmp_path) as service, enter(service.port, "user0") as wire, enter(service.port, "away") as away:
        nonce = next(nonce for nonce in reversed(acked) if nonce.startswith("user0-"))
        retry = {"message": nonce, "nonce": nonce} if acked_public(tmp_path, nonce) else {"to": "away"}
        command = "pm" if "to" not in retry else "dm"
        assert wire.ask(command, **{"message": nonce, "nonce": nonce} | retry)["id"] == acked[nonce]
        directs = [nonce for nonce, _ in stored(tmp_path / "chat.db") if not acked_public(tmp_path, nonce)]
        assert away.hello["missed"] == len(directs)


def acked_public(folder: Path, nonce: str) -> bool:
    with closing(sqlite3.connect(folder / "chat.db")) as connection:
        return (
            connection.execute("SELECT recipient_id IS NULL FROM message WHERE nonce = ?", (nonce,)).fetchone()[0] == 1
        )


def test_twins_on_two_connections_are_one_message(tmp_path: Path) -> None:
    """The same nonce sent at once over several connections is stored once, and every ack has the same id."""
    with Process(tmp_path) as service:
        wires = [enter(service.port, "alice") for _ in range(4)]
        for n in range(50):
            for wire in wires:
                wire.send({"command": "pm", "message": f"{n}", "nonce": f"{n}"})
            assert len({wire.read_type("ack")["id"] for wire in wires}) == 1
        for wire in wires:
            wire.close()
    assert len(stored(tmp_path / "chat.db")) == 50


def test_a_locked_database_is_an_answer_and_passes(tmp_path: Path) -> None:
    """While another program holds the database, messages and logins are refused; then all works by itself."""
    with Process(tmp_path) as service, enter(service.port, "alice") as alice, enter(service.port, "bob") as bob:
        with closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert alice.ask("pm", message="hi", nonce="n")["code"] == "storage_unavailable"
            assert bob.ask("ping")["type"] == "pong"
            assert bob.ask("history")["messages"] == []
            other.execute("ROLLBACK")
        first = alice.ask("pm", message="hi", nonce="n")
        assert (first["type"], alice.ask("pm", message="hi", nonce="n")) == ("ack", first)
        assert bob.read_type("broadcast")["message"] == "hi"
