"""service/admin/control.py: the socket for operators' orders, and the threads that carry them out."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from service.admin.asking import ask
from service.admin.control import AT_ONCE, Control
from service.admin.desk import Desk, NoService, Row
from service.admin.handlers import HANDLERS
from service.admin.orders.accounts import Enable
from service.errors import ServiceError
from tests.support.helpers import PATIENCE, enter, open_storage, running_server, until
from tests.support.storage import add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.admin.desk import Work

ORDER = b'{"order":"enable","name":"alice"}\n'


def connect(folder: Path) -> socket.socket:
    """A connection to the control of the service there."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(PATIENCE)
    connected.connect(str(folder / "chat.db-control"))
    return connected


def read(connected: socket.socket) -> list[dict[str, object]]:
    """All lines of an answer."""
    with connected.makefile("rb") as lines:
        return [json.loads(line) for line in lines]


def enable(folder: Path) -> list[object]:
    """Has an order carried out."""
    return list(ask(str(folder / "chat.db"), Enable("alice")))


def admin_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("chat-admin-")]


@contextmanager
def controlled(folder: Path, *, patience: float = PATIENCE, at_once: int = AT_ONCE) -> Iterator[None]:
    """A control over a storage with alice, without a service."""
    with open_storage(folder / "chat.db") as storage:
        add(storage, "alice")
        control = Control(folder / "chat.db", Desk(storage, NoService()), patience=patience, at_once=at_once)
        control.start()
        try:
            yield
        finally:
            control.stop()


@contextmanager
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While here, enabling an account tells rows without end; gives an event that is set when one such work ended."""
    ended = threading.Event()

    def tell(order: Enable, desk: Desk) -> Work:
        try:
            while True:
                yield Row({"name": order.name})
        finally:
            ended.set()

    with monkeypatch.context() as patched:
        patched.setattr("service.admin.handlers.HANDLERS", HANDLERS | {Enable: tell})
        yield ended


def test_an_answer_is_a_stream_of_lines(tmp_path: Path) -> None:
    """Rows, and at the end whether all is done; then the service closes."""
    with controlled(tmp_path), connect(tmp_path) as connected:
        connected.sendall(ORDER)
        row, done = read(connected)
        assert row["type"] == "row"
        assert row["lines"] == ["alice: the account is enabled"]
        assert done == {"type": "done"}


def test_the_socket_is_its_owners_and_goes_with_the_service(tmp_path: Path) -> None:
    """Mode 0600; one left by a killed service is replaced; after a stop there is none."""
    path = tmp_path / "chat.db-control"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with running_server(tmp_path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


@pytest.mark.parametrize(
    "line", [b"\xff\n", b"{}\n", b'{"order":"dance","name":"alice"}\n', b"x" * 100_000, b"[" * 60_000 + b"\n"]
)
def test_what_is_no_order_gets_an_error(tmp_path: Path, line: bytes) -> None:
    """Nothing is done, and the next order is."""
    with controlled(tmp_path):
        with connect(tmp_path) as connected:
            connected.sendall(line)
            (answer,) = read(connected)
            assert answer["type"] == "error"
        assert enable(tmp_path)


@pytest.mark.parametrize("begun", [b"", ORDER[:-1]])
def test_who_does_not_end_an_order_is_cut_off(tmp_path: Path, begun: bytes) -> None:
    """After a while, and others are served meanwhile."""
    with controlled(tmp_path, patience=0.2), connect(tmp_path) as connected:
        connected.sendall(begun)
        assert enable(tmp_path)
        assert connected.recv(100) == b""


def drip(connected: socket.socket) -> None:
    """Sends bytes one by one, until nobody takes them."""
    pause = threading.Event()
    while True:
        connected.sendall(b" ")
        pause.wait(0.01)


def test_who_sends_an_order_drop_by_drop_is_cut_off(tmp_path: Path) -> None:
    """The time counts for all of it."""
    with controlled(tmp_path, patience=0.2), connect(tmp_path) as connected, pytest.raises(BrokenPipeError):
        drip(connected)


def test_a_bug_in_an_order_ends_only_that_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is sent to the log, and the next order is done."""
    with controlled(tmp_path):
        with monkeypatch.context() as broken:
            broken.setattr("service.storage.statements.accounts.enable", lambda *_: 1 // 0)
            with pytest.raises(ServiceError, match="look into its log"):
                enable(tmp_path)
        assert enable(tmp_path)


def test_what_cannot_be_accepted_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When descriptors run out and come back, the order is carried out, and the log has few lines."""
    fails = [OSError(24, "Too many open files")] * 2
    serve = Control._serve

    def fail(control: Control, listener: socket.socket, number: int) -> None:
        if fails:
            raise fails.pop()
        serve(control, listener, number)

    monkeypatch.setattr(Control, "_serve", fail)
    with controlled(tmp_path):
        assert enable(tmp_path)
    assert caplog.text.count("cannot take an operator's order: [Errno 24] Too many open files") == 2


def test_orders_run_beside_each_other_but_few_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one takes long another is done; where too many are under way the next is told so."""
    with controlled(tmp_path, at_once=2), endless(monkeypatch), connect(tmp_path) as first:
        first.sendall(ORDER)
        assert first.recv(1)
        with connect(tmp_path) as second:
            second.sendall(ORDER)
            assert second.recv(1)
            with pytest.raises(ServiceError, match="2 orders already; try again later"):
                enable(tmp_path)


def test_who_goes_ends_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pieces of its work, and its thread with it."""
    with controlled(tmp_path), endless(monkeypatch) as ended:
        with closing(ask(str(tmp_path / "chat.db"), Enable("alice"))) as work:
            assert next(work) == Row({"name": "alice"})
        assert ended.wait(PATIENCE)
        until(lambda: not admin_threads())


def test_a_stop_ends_the_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of who reads nothing of the answer; no thread is left."""
    with endless(monkeypatch) as ended:
        with controlled(tmp_path):
            connected = connect(tmp_path)
            connected.sendall(ORDER)
            assert connected.recv(1)
        assert ended.is_set()
        assert admin_threads() == []
        connected.close()


def test_without_a_socket_the_service_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A path too long for a socket is a warning; chatting goes on."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with running_server(folder) as server:
        enter(server.port, "alice").close()
    assert "operators cannot reach this service while it runs" in caplog.text


def test_an_order_that_only_looks_is_logged_for_those_who_debug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Monitoring fills no log."""
    caplog.set_level(logging.INFO)
    with controlled(tmp_path):
        enable(tmp_path)
        monkeypatch.setattr(Enable, "changes", False)
        enable(tmp_path)
    assert caplog.text.count("enable alice by the operator") == 1
