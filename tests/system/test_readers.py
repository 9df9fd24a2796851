"""Read connections are few, so a thread that has one may wait for nothing but SQLite."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest

from service.config import READERS
from service.delivery.outbox import OUTBOX_PAUSE_BYTES
from service.errors import StorageUnavailable
from service.storage.sqlite import database
from tests.support.helpers import PATIENCE, enter, open_storage, running_server, until
from tests.support.storage import count_readers

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from service.storage.contract import Write


def test_no_more_than_so_many_are_open(tmp_path: Path) -> None:
    """Twice as many threads read as there may be connections: at each read there are at most that many."""
    with open_storage(tmp_path / "chat.db") as storage, ThreadPoolExecutor(2 * READERS) as pool:
        together = threading.Barrier(READERS)
        most: list[int] = []

        def read(_: sqlite3.Connection) -> None:
            together.wait(PATIENCE)  # all places are taken at once
            most.append(count_readers(storage))

        def work(_: int) -> None:
            storage.read(read)
            storage.release()

        list(pool.map(work, range(4 * READERS)))
        assert set(most) <= set(range(1, READERS + 1))
        assert max(most) == READERS


def test_a_place_comes_back_when_opening_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be opened for a while takes no place for ever."""
    with open_storage(tmp_path / "chat.db") as storage:
        with monkeypatch.context() as broken:
            broken.setattr(database, "connect_reader", lambda _: 1 / 0)
            for _ in range(READERS + 1):
                with pytest.raises(ZeroDivisionError):
                    storage.read(lambda _: None)
        assert storage.read(lambda _: 1) == 1


def test_who_waits_for_a_place_is_let_go_at_a_stop(tmp_path: Path) -> None:
    """A read that comes to its place after the service began to stop is refused rather than begun."""
    with open_storage(tmp_path / "chat.db", readers=1) as storage, ThreadPoolExecutor(1) as pool:
        storage.read(lambda _: None)
        late = pool.submit(storage.read, lambda _: None)
        storage.hurry()
        storage.release()
        with pytest.raises(StorageUnavailable):
            late.result(PATIENCE)


def test_who_waits_for_the_writer_has_none(tmp_path: Path) -> None:
    """Waiting for a write, and writing, give the thread's connection back first."""
    with open_storage(tmp_path / "chat.db") as storage:
        may_write, counts = threading.Event(), list[int]()
        wait = storage._writer.wait

        def note(write: Write[Any]) -> None:
            counts.append(count_readers(storage))
            may_write.set()
            wait(write)

        storage._writer.wait = note  # type: ignore[method-assign]
        storage.read(lambda _: None)
        storage.wait(storage.submit(lambda _: may_write.wait(PATIENCE)))
        storage.read(lambda _: None)
        storage.call(lambda _: None)
        assert counts == [0, 0]


def test_who_waits_for_a_hash_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking a password begins with a read, and hashes without a connection."""
    with running_server(tmp_path) as server:
        enter(server.port, "alice").close()
        storage, check, counts = server.services.storage, bcrypt.checkpw, list[int]()

        def note(password: bytes, hashed: bytes) -> bool:
            counts.append(count_readers(storage))
            return check(password, hashed)

        monkeypatch.setattr(bcrypt, "checkpw", note)
        enter(server.port, "alice").close()
        assert counts == [0]


def test_clients_that_do_not_read_keep_no_one_from_reading(tmp_path: Path) -> None:
    """As many as there are places ask for more than they read; one more client is answered all the same."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, ExitStack() as wires:
        for _ in range(15):
            alice.ask("pm", message="x" * 4096)
        stalled = [wires.enter_context(enter(server.port, "stalled")) for _ in range(READERS)]
        for wire in stalled:
            wire.send(*[{"command": "history", "limit": 15}] * 200)
        waiting = [c.session.outbox for c in server.places.connections() if c.session.outbox.is_member]
        until(lambda: sum(outbox.waiting > OUTBOX_PAUSE_BYTES for outbox in waiting) >= READERS)
        assert len(alice.ask("history", limit=15)["messages"]) == 15
