"""service/storage/sqlite/space.py: a database or disk that is full refuses messages, and all else goes on."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from service.storage.sqlite import database
from service.storage.sqlite.space import Space, measure_files
from tests.support.helpers import PASSWORD, Process, Wire, enter, running_server

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

TEXT: Final = "x" * 4_000
FULL: Final = "there is no space left on the server"


class Disk(NamedTuple):
    """What the system says of one."""

    f_bavail: int
    f_frsize: int = 4_096


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An empty database."""
    path = tmp_path / "chat.db"
    database.create_file(path)
    with closing(database.connect(path)) as connection:
        yield connection


# -- the rule ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("free", "is_full", "level"),
    [
        (2_001, False, None),
        (2_000, False, logging.WARNING),
        (1_001, False, logging.WARNING),
        (1_000, True, logging.ERROR),
        (0, True, logging.ERROR),
    ],
)
def test_the_disk_has_a_reserve(
    tmp_path: Path,
    connection: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    free: int,
    level: int | None,
    *,
    is_full: bool,
) -> None:
    """Messages are stored while more than the reserve is free; when it is twice as much the log warns, once."""
    monkeypatch.setattr(os, "statvfs", lambda _: Disk(free))
    space = Space(tmp_path / "chat.db", 0, 1_000 * 4_096)
    assert [space.check(connection) is not None for _ in range(3)] == [is_full] * 3
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])


def test_the_log_says_when_there_is_space_again(
    tmp_path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each change is said, and what to do about it."""
    caplog.set_level(logging.INFO)
    space = Space(tmp_path / "chat.db", 0, 100_000_000, interval=0)
    for megabytes in (500, 150, 50, 150, 500):
        monkeypatch.setattr(os, "statvfs", lambda _, free=megabytes: Disk(free * 1_000, 1_000))
        space.check(connection)
    limit, advice = "above --keep-free 100M", "Make space, or set another limit"
    assert [record.getMessage() for record in caplog.records] == [
        f"50 MB are left for messages {limit}; then no more are stored. {advice}",
        f"no more messages are stored: 0 MB are left {limit}. {advice}",
        f"50 MB are left for messages {limit}; then no more are stored. {advice}",
        f"there is space for messages again: 400 MB {limit}",
    ]


def test_at_an_edge_the_log_says_it_once(
    tmp_path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes and goes there, less than a tenth of the reserve, is no news; messages are stored again after that."""
    caplog.set_level(logging.INFO)
    space = Space(tmp_path / "chat.db", 0, 100_000_000, interval=0)
    refused = []
    for megabytes in (*(200, 201, 210) * 3, *(100, 101, 110) * 3, 111, 110, *(210, 101) * 3, 211):
        monkeypatch.setattr(os, "statvfs", lambda _, free=megabytes: Disk(free * 1_000, 1_000))
        refused.append(space.check(connection) is not None)
    levels = [logging.WARNING, logging.ERROR, logging.WARNING, logging.INFO]
    assert [record.levelno for record in caplog.records] == levels
    assert refused == [False] * 9 + [True] * 9 + [False] * 9


def test_the_database_has_a_largest_size(tmp_path: Path, connection: sqlite3.Connection) -> None:
    """Its pages count, except free ones; with 0 for both there is no limit."""
    connection.execute("CREATE TABLE filler (bytes BLOB)")
    assert Space(tmp_path / "chat.db", 1_000_000, 0).check(connection) is None
    connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))")
    assert Space(tmp_path / "chat.db", 1_000_000, 0).check(connection) is not None
    assert Space(tmp_path / "chat.db", 0, 0).check(connection) is None
    connection.execute("DELETE FROM filler")
    assert Space(tmp_path / "chat.db", 1_000_000, 0).check(connection) is None


# -- over the wire ----------------------------------------------------------------------------------------------------
def fill(wire: Wire) -> dict[str, Any]:
    """Sends messages until one is refused; gives the refusal."""
    for number in range(10_000):
        reply = wire.ask("pm", message=TEXT, nonce=f"n{number}")
        if reply["type"] == "error":
            return reply
    raise AssertionError("nothing was refused")


def check_all_but_messages(port: int, alice: Wire) -> None:
    """What goes on while no message is stored: also a retry of what is stored gets its ack."""
    assert alice.ask("dm", to="alice", message="to me")["code"] == "storage_unavailable"
    assert alice.ask("pm", message=TEXT, nonce="n0")["type"] == "ack"
    assert alice.ask("pm", message="another", nonce="n0")["code"] == "nonce_reused"
    page = alice.ask("history", limit=1)
    assert [message["message"] for message in page["messages"]] == [TEXT]
    assert alice.ask("search", query="xxxx")["type"] == "search"
    assert alice.ask("seen", id=page["messages"][0]["id"])["type"] == "ack"
    for command in ("create", "set_room"):
        assert alice.ask(command, room="ops", topic="a line that is kept")["code"] == "storage_unavailable"
    assert alice.ask("moderate", room="ops", username="alice", action="kick")["code"] == "storage_unavailable"
    assert alice.ask("moderate", room="all", username="alice", action="kick")["code"] == "not_allowed"
    enter(port, "alice").close()
    enter(port, "newcomer").close()
    assert alice.ask("password", old=PASSWORD, new="another one")["type"] == "ack"


def test_a_database_of_its_largest_size(tmp_path: Path) -> None:
    """One more message is refused, with what to do; with a larger size it is stored."""
    with running_server(tmp_path, max_db=1_000_000) as server, enter(server.port, "alice") as alice:
        refusal = fill(alice)
        assert refusal["code"] == "storage_unavailable"
        assert FULL in refusal["message"]
        check_all_but_messages(server.port, alice)
        size = (tmp_path / "chat.db").stat().st_size
    assert size < 1_500_000
    with running_server(tmp_path, max_db=2_000_000) as server, enter(server.port, "alice", "another one") as alice:
        assert alice.ask("pm", message="there is space")["type"] == "ack"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of that size in the folder."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("a file system of its own needs root and mount: run as root")
    folder.mkdir()
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}; run as root, unconfined")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    """On a small file system messages end at the reserve, before SQLite meets the end of the disk."""
    folder = tmp_path / "disk"
    with small_disk(folder, 48), Process(folder, "--keep-free", "24M") as service:
        with enter(service.port, "alice") as alice:
            refusal = fill(alice)
            assert refusal["code"] == "storage_unavailable"
            assert FULL in refusal["message"]
            check_all_but_messages(service.port, alice)
        assert service.stop() == 0
        log = "".join(service.log)
        assert log.index("MB are left for messages above") < log.index("no more messages are stored")
        assert "storage unavailable" not in log


def test_files_are_measured_as_they_are(tmp_path: Path) -> None:
    """What is not there is 0, as is the space of a disk that does not answer."""
    (tmp_path / "chat.db").write_bytes(b"x" * 5)
    (tmp_path / "chat.db-wal").write_bytes(b"x" * 3)
    assert measure_files(tmp_path / "chat.db")[:2] == (5, 3)
    assert measure_files(tmp_path / "chat.db").free > 0
    assert measure_files(tmp_path / "gone" / "chat.db") == (0, 0, 0)
