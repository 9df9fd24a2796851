"""Nothing acknowledged is lost and nothing is doubled: the service is killed under load, again and again."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.engines import await_end
from tests.support.helpers import PATIENCE, Process, enter
from tests.support.storage import message, stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.helpers import Wire

pytestmark = pytest.mark.engines
SENDERS, KILLS, ACKS_BEFORE_KILL = 4, 5, 150


class Sender(threading.Thread):
    """Sends public and direct messages with nonces, many in flight, until the service is gone."""

    def __init__(self, wire: Wire, label: str, acked: dict[str, int], enough: threading.Semaphore) -> None:
        super().__init__(name=f"sender {label}")
        self.wire, self.label, self.acked, self.enough = wire, label, acked, enough

    def run(self) -> None:
        try:
            for number in itertools.count():
                nonces = [f"{kind} {self.label} {number} {n}" for n in range(8) for kind in ("pm", "dm")]
                self.wire.send(*(message(nonce) for nonce in nonces))
                for _ in nonces:
                    ack = self.wire.read_type("ack")
                    self.acked[ack["nonce"]] = ack["id"]
                    self.enough.release()
        except (EOFError, OSError):
            self.wire.close()


def test_every_ack_survives_a_kill(tmp_path: Path) -> None:
    """After each kill -9 under load every acknowledged id is stored once, and a retry gets the same id."""
    acked: dict[str, int] = {}
    with Process(tmp_path) as service:
        enter(service.port, "away").close()
    for kill in range(KILLS):
        with Process(tmp_path) as service:
            enough = threading.Semaphore(0)
            senders = [Sender(enter(service.port, f"user{n}"), f"{n} {kill}", acked, enough) for n in range(SENDERS)]
            for sender in senders:
                sender.start()
            for _ in range(ACKS_BEFORE_KILL):
                assert enough.acquire(timeout=PATIENCE)
            service.stop(signal.SIGKILL)
            for sender in senders:
                sender.join()
        await_end(tmp_path / "chat.db")
        rows = stored(tmp_path / "chat.db")
        assert len(dict(rows)) == len(rows)
        assert acked.items() <= dict(rows).items()
    with Process(tmp_path) as service, enter(service.port, "user0") as wire, enter(service.port, "away") as away:
        for nonce in [nonce for nonce in acked if nonce[3:].startswith("0 ")][-20:]:
            assert wire.ask(**message(nonce))["id"] == acked[nonce]
        assert away.hello["missed"] == sum(nonce.startswith("dm") for nonce in dict(rows))
        assert len(stored(tmp_path / "chat.db")) == len(rows)


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


@pytest.mark.sqlite
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


@pytest.mark.sqlite
def test_a_locked_database_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """With thousands of messages waiting for the lock the service still ends, with 0, after a word to its clients."""
    with Process(tmp_path) as service, enter(service.port, "alice") as alice:
        with closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            alice.send(*[{"command": "pm", "message": "x"}] * 15_000)
            assert service.stop() == 0
            other.execute("ROLLBACK")
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}
