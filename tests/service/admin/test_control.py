"""service/admin/control.py and the orders for it: accounts, with and without a running service."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from service.accounts.passwords import make_hash
from service.admin import __main__ as admin
from service.admin.control import Control, Order, ask
from service.errors import ServiceError
from tests.support.helpers import PASSWORD, Wire, enter, running_server

if TYPE_CHECKING:
    from pathlib import Path

NEW_PASSWORD = "battery staple"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs an operator's command on this test's database; gives its status, stdout and stderr."""

    def run(action: str, name: str, password: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        monkeypatch.setenv("CHAT_BCRYPT_COST", "4")
        status = admin.main([action, name, "--db", str(tmp_path / "chat.db")])
        return status, *capsys.readouterr()

    return run


def log_in(port: int, password: str = PASSWORD) -> tuple[str, str]:
    """What comes of a login as alice: the kind of reply and its message, if it has one."""
    with Wire(port) as wire:
        reply = wire.ask("login", username="alice", password=password)
        return reply["type"], reply.get("message", "")


def test_a_disabled_account_is_shut_out_on_every_way(tmp_path: Path, run: Run) -> None:
    """Its sessions end, its tokens are void, its password is refused; enabled again, the password works."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        assert run("disable", "Alice")[:2] == (0, "alice: the account is disabled; sessions and tokens have ended\n")
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "kicked"}
        with Wire(server.port) as wire:
            assert wire.ask("resume", token=alice.hello["token"])["code"] == "bad_token"
            assert "wrong name or password" in wire.ask("login", username="alice", password="guess")["message"]
        assert log_in(server.port) == ("error", "this account is disabled; ask who runs the server")
        assert run("enable", "alice")[0] == 0
        assert log_in(server.port) == ("login_ok", "")
        assert bob.ask("ping")["type"] == "pong"


def test_a_disabled_account_stays_so_without_a_service(tmp_path: Path, run: Run) -> None:
    """What is ordered while no service runs is done at once, and holds when one does."""
    with running_server(tmp_path) as server:
        token = enter_and_leave(server.port)
    assert run("disable", "alice")[0] == 0
    with running_server(tmp_path) as server:
        assert log_in(server.port)[0] == "error"
        with Wire(server.port) as wire:
            assert wire.ask("resume", token=token)["code"] == "bad_token"


def enter_and_leave(port: int) -> str:
    """Registers alice; gives her token."""
    with enter(port, "alice") as alice:
        return str(alice.hello["token"])


@pytest.mark.parametrize("is_running", [True, False])
def test_a_forgotten_password_is_replaced(tmp_path: Path, run: Run, is_running: bool) -> None:
    """The old one and what it opened end; the new one works."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        if is_running:
            assert run("password", "alice", NEW_PASSWORD)[0] == 0
            assert alice.read_to_end()[-1] == {"type": "bye", "reason": "password_changed"}
    if not is_running:
        assert run("password", "alice", NEW_PASSWORD)[0] == 0
    with running_server(tmp_path) as server:
        assert log_in(server.port, NEW_PASSWORD) == ("login_ok", "")
        assert log_in(server.port)[0] == "error"


@pytest.mark.parametrize("is_running", [True, False])
def test_an_operator_makes_accounts_where_registration_is_closed(tmp_path: Path, run: Run, is_running: bool) -> None:
    """The new account can log in at once."""
    with running_server(tmp_path, registration="closed") as server:
        if is_running:
            assert run("add", "alice", PASSWORD)[:2] == (0, "alice: the account is made\n")
            assert log_in(server.port) == ("login_ok", "")
    if not is_running:
        assert run("add", "alice", PASSWORD)[0] == 0
        with running_server(tmp_path, registration="closed") as server:
            assert log_in(server.port) == ("login_ok", "")


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(
    ("action", "name", "password", "words"),
    [
        ("disable", "nobody", "", 'there is no user "nobody"'),
        ("password", "nobody", PASSWORD, 'there is no user "nobody"'),
        ("password", "alice", "short", "at least 8 characters"),
        ("add", "alice", PASSWORD, 'the name "alice" is taken'),
        ("add", "a1ice", PASSWORD, 'the name "a1ice" looks like one that is taken'),
        ("add", "b\u0336ob", PASSWORD, "a name has no mark through a letter"),
        ("add", "two words", PASSWORD, "a name has 1 to 32 letters"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, run: Run, is_running: bool, action: str, name: str, password: str, words: str
) -> None:
    """With or without a service the reason is said, the status is 1, and nothing is changed."""
    with running_server(tmp_path) as server:
        enter_and_leave(server.port)
        if is_running:
            result = run(action, name, password)
    if not is_running:
        result = run(action, name, password)
    assert (result[0], result[1], words in result[2], len(result[2].splitlines())) == (1, "", True, 1)


def test_no_database_is_made_by_a_typing_error(tmp_path: Path, run: Run) -> None:
    """An order for a database that is not there says so."""
    assert "there is no database" in run("disable", "alice")[2]
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """At a terminal it is typed unseen, and two that differ change nothing."""
    answers = iter([PASSWORD, NEW_PASSWORD])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert admin.main(["password", "alice"]) == 1
    assert capsys.readouterr().err == "chat admin: the two differ; nothing was changed\n"


# -- look-alike names -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("there", "new"),
    [("alice", "\u0430lice"), ("admin", "adm1n"), ("adm1n", "admin"), ("admin", "\u0430DMIN"), ("will", "VV1LL_")],
    ids=ascii,
)
def test_a_look_alike_is_refused_beside_the_real_one(tmp_path: Path, there: str, new: str) -> None:
    """Without the real one anybody may take the name; beside it nobody may."""
    with running_server(tmp_path) as server, Wire(server.port) as wire, enter(server.port, there):
        refused = wire.ask("register", username=new, password=PASSWORD)
        assert refused["code"] == "username_taken"
        assert "looks like one that is taken" in refused["message"]
        assert wire.ask("register", username=f"{new}2", password=PASSWORD)["type"] == "login_ok"


def test_a_mark_through_a_letter_is_for_older_accounts(tmp_path: Path, run: Run) -> None:
    """No such name is made any more. An older one logs in, is found, and counts as what it looks like."""
    name = "al\u0335ice"
    with running_server(tmp_path) as server, Wire(server.port) as wire, enter(server.port, "bob") as bob:
        refused = wire.ask("register", username=name, password=PASSWORD)
        assert (refused["code"], "through a letter" in refused["message"]) == ("invalid_username", True)
        assert run("add", name, PASSWORD)[0] == 1
        ask(tmp_path / "chat.db", Order("add", name, make_hash(PASSWORD, 4)))
        assert bob.ask("dm", to=name, message="hi")["type"] == "ack"
        assert wire.ask("register", username="alice", password=PASSWORD)["code"] == "username_taken"
        assert wire.ask("login", username=name, password=PASSWORD)["missed"] == 1
        assert run("disable", name)[0] == 0


# -- the socket -------------------------------------------------------------------------------------------------------
def connect(folder: Path) -> socket.socket:
    """A connection to the control of the service there."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(folder / "chat.db-control"))
    return connected


def test_the_socket_is_its_owners_and_goes_with_the_service(tmp_path: Path) -> None:
    """Mode 0600; one left by a killed service is replaced; after a stop there is none."""
    path = tmp_path / "chat.db-control"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert not ask(tmp_path / "chat.db", Order("enable", "alice"))
    with running_server(tmp_path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


@pytest.mark.parametrize("line", [b"\xff", b"{}\n", b'{"action":"dance","name":"alice"}\n', b"x" * 10_000])
def test_what_is_no_order_gets_an_error(tmp_path: Path, line: bytes) -> None:
    """Nothing is done, and the next order is."""
    with running_server(tmp_path) as server:
        enter_and_leave(server.port)
        with connect(tmp_path) as connected:
            connected.sendall(line)
            assert b'"error":"' in connected.recv(1_000)
        assert ask(tmp_path / "chat.db", Order("enable", "alice"))


def test_who_says_nothing_holds_up_nothing_for_long(tmp_path: Path) -> None:
    """After a while the next one is served."""
    orders: list[Order] = []
    control = Control(tmp_path / "chat.db", orders.append, patience=0.05)
    control.start()
    try:
        with connect(tmp_path):
            assert ask(tmp_path / "chat.db", Order("enable", "alice"))
    finally:
        control.stop()
    assert orders == [Order("enable", "alice")]


def test_a_bug_in_an_order_ends_only_that_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is sent to the log, and the next order is done."""
    with running_server(tmp_path) as server:
        enter_and_leave(server.port)
        with monkeypatch.context() as broken:
            broken.setattr("service.storage.sqlite.users.enable", lambda *_: 1 // 0)
            with pytest.raises(ServiceError, match="look into its log"):
                ask(tmp_path / "chat.db", Order("enable", "alice"))
        assert ask(tmp_path / "chat.db", Order("enable", "alice"))


def test_without_a_socket_the_service_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A path too long for a socket is a warning; chatting goes on."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with running_server(folder) as server:
        enter(server.port, "alice").close()
    assert "operators cannot reach this service while it runs" in caplog.text


def test_an_order_is_logged_without_its_password(tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """The log says what was done to whom."""
    caplog.set_level(logging.DEBUG)
    with running_server(tmp_path):
        assert run("add", "alice", PASSWORD)[0] == 0
    assert "add alice by the operator" in caplog.text
    assert PASSWORD not in caplog.text
    assert "$2b$" not in caplog.text
