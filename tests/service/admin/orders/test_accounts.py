"""service/admin/orders/accounts.py: orders for accounts, with and without a running service."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from service.accounts.passwords import make_hash
from service.admin.asking import ask
from service.admin.orders.accounts import Add
from tests.support.engines import POSTGRES, name_database, select
from tests.support.helpers import PASSWORD, Wire, enter, running_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines
NEW_PASSWORD = "battery staple"


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
            assert run("password", "alice", stdin=NEW_PASSWORD)[0] == 0
            assert alice.read_to_end()[-1] == {"type": "bye", "reason": "password_changed"}
    if not is_running:
        assert run("password", "alice", stdin=NEW_PASSWORD)[0] == 0
    with running_server(tmp_path) as server:
        assert log_in(server.port, NEW_PASSWORD) == ("login_ok", "")
        assert log_in(server.port)[0] == "error"


@pytest.mark.parametrize("is_running", [True, False])
def test_an_operator_makes_accounts_where_registration_is_closed(tmp_path: Path, run: Run, is_running: bool) -> None:
    """The new account can log in at once."""
    with running_server(tmp_path, registration="closed") as server:
        if is_running:
            assert run("add", "alice", stdin=PASSWORD)[:2] == (0, "alice: the account is made\n")
            assert log_in(server.port) == ("login_ok", "")
    if not is_running:
        assert run("add", "alice", stdin=PASSWORD)[0] == 0
        with running_server(tmp_path, registration="closed") as server:
            assert log_in(server.port) == ("login_ok", "")


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(
    ("action", "name", "password", "words"),
    [
        ("disable", "nobody", "", 'there is no user "nobody"'),
        ("disable", "server", "", 'there is no user "server"'),
        ("password", "server", PASSWORD, 'there is no user "server"'),
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
            result = run(action, name, stdin=password)
    if not is_running:
        result = run(action, name, stdin=password)
    assert (result[0], result[1], words in result[2], len(result[2].splitlines())) == (1, "", True, 1)


@pytest.mark.sqlite
def test_no_database_is_made_by_a_typing_error(tmp_path: Path, run: Run) -> None:
    """An order for a database that is not there says so."""
    assert "there is no database" in run("disable", "alice")[2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("is_running", "told"), [(True, "2 sessions ended"), (False, "is not online")])
def test_who_is_kicked_may_come_again(tmp_path: Path, run: Run, is_running: bool, told: str) -> None:
    """All sessions of the account end; its token opens a new one."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "alice") as other:
        if is_running:
            told = "its sessions have ended, on every service" if POSTGRES else told
            assert run("kick", "Alice") == (0, f"alice: {told}\n", "")
            for wire in (alice, other):
                assert wire.read_to_end()[-1] == {"type": "bye", "reason": "kicked"}
            with Wire(server.port) as wire:
                assert wire.ask("resume", token=alice.hello["token"])["type"] == "login_ok"
            assert run("kick", "nobody")[0] == 1
    if not is_running:
        assert run("kick", "alice") == (0, f"alice: {told}\n", "")


@pytest.mark.parametrize("is_running", [True, False])
def test_an_account_gets_a_role(tmp_path: Path, run: Run, is_running: bool) -> None:
    """It is noted who was given which; the same role again changes nothing."""
    with running_server(tmp_path) as server:
        enter_and_leave(server.port)
        if is_running:
            assert run("role", "Alice", "owner")[:2] == (0, "alice: is owner of the main room now\n")
    if not is_running:
        assert run("role", "Alice", "owner")[0] == 0
    assert run("role", "alice", "owner")[0] == 0
    assert json.loads(run("users", "--json")[1])["role"] == "owner"
    assert run("role", "nobody", "owner")[0] == 1
    noted = select(tmp_path / "chat.db", "SELECT actor_id, action, user_id, role FROM moderation")
    assert noted == [(None, "role", 1, "owner")]


@pytest.mark.sqlite
def test_an_order_is_logged_without_its_password(tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """The log says what was done to whom."""
    caplog.set_level(logging.DEBUG)
    with running_server(tmp_path):
        assert run("add", "alice", stdin=PASSWORD)[0] == 0
    assert "add alice by the operator" in caplog.text
    assert PASSWORD not in caplog.text
    assert "$2b$" not in caplog.text


# -- look-alike names -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("there", "new"),
    [("alice", "\u0430lice"), ("simon", "s1mon"), ("s1mon", "simon"), ("simon", "s\u0456MON"), ("will", "VV1LL_")],
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
        assert run("add", name, stdin=PASSWORD)[0] == 1
        list(ask(name_database(tmp_path / "chat.db"), Add(name, make_hash(PASSWORD, 4))))
        assert bob.ask("dm", to=name, message="hi")["type"] == "ack"
        assert wire.ask("register", username="alice", password=PASSWORD)["code"] == "username_taken"
        assert wire.ask("login", username=name, password=PASSWORD)["missed"] == 1
        assert run("disable", name)[0] == 0
