"""service/admin/orders/status.py: what an operator sees of a service, and without one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from service import __version__
from service.admin.orders import status
from service.admin.orders.status import _duration
from tests.support.helpers import enter, open_storage, running_server
from tests.support.storage import add, make_chat
from tests.support.tls import Authority, tls_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# -- status -----------------------------------------------------------------------------------------------------------
@pytest.mark.sqlite
def test_status_counts_what_is_there(tmp_path: Path, run: Run) -> None:
    """A line for the whole, and one for each session."""
    with running_server(tmp_path) as server, enter(server.port, "bob") as bob, enter(server.port, "alice"):
        with enter(server.port, "carl", quiet=True):
            bob.ask("pm", message="hi")
            bob.ask("create", room="ops")
            whole, *sessions = rows(run("status", "--json")[1])
            assert [(each["name"], each["quiet"]) for each in sessions] == [
                ("alice", False),
                ("bob", False),
                ("carl", True),
            ]
        assert whole["version"] == __version__
        assert whole["running"] is True
        counted = (
            "newest_id",
            "messages_last_minute",
            "users",
            "disabled",
            "rooms",
            "online",
            "sessions",
            "connections",
        )
        assert [whole[name] for name in counted] == [1, 1, 3, 0, 1, 2, 3, 3]
        assert [whole[f"{queue}_queue"] for queue in ("writer", "delivery", "bcrypt")] == [0, 0, 0]
        assert min(whole["database_bytes"], whole["free_bytes"]) > 0
        assert whole["wal_bytes"] >= 0  # the writer empties it when it has nothing to do


@pytest.mark.sqlite
def test_status_says_who_came_from_where_and_how(tmp_path: Path, run: Run) -> None:
    """In a table, below the lines for the whole."""
    authority = Authority(tmp_path)
    with (
        tls_server(tmp_path, authority.issue()) as server,
        enter(server.port, "alice", tls=authority.trusting()) as alice,
    ):
        address, port = alice.socket.getsockname()
        out = run("status")[1]
        assert re.search(r"^NAME +FROM +SINCE +HOW +QUIET +WAITING BYTES$", out, re.MULTILINE)
        assert re.search(rf"^alice +{address}:{port} +\d{{4}}-\d\d-\d\dT[\d:.]+Z +TLS +no +0$", out, re.MULTILINE)
        assert f"service      version {__version__}, running since " in out


@pytest.mark.sqlite
def test_status_without_a_service_says_so(tmp_path: Path, run: Run) -> None:
    """And what the file holds all the same."""
    make_chat(tmp_path / "chat.db")
    out = run("status")[1]
    assert f"version {__version__}, not running" in out
    assert "newest id 5; 0 in the last minute" in out or "newest id 5; 5 in the last minute" in out
    (whole,) = rows(run("status", "--json")[1])
    assert (whole["running"], whole["started"], whole["users"]) == (False, None, 1)


@pytest.mark.sqlite
def test_status_knows_the_last_backup(tmp_path: Path, run: Run) -> None:
    """The newest that was made of this database, and where it is."""
    make_chat(tmp_path / "chat.db")
    assert "last backup  none known" in run("status")[1]
    assert run("backup", str(tmp_path / "copy.db"))[0] == 0
    (whole,) = rows(run("status", "--json")[1])
    assert whole["last_backup_file"] == str(tmp_path / "copy.db")
    assert f"last backup  {whole['last_backup'][:16]}Z to {tmp_path / 'copy.db'}" in run("status")[1]


@pytest.mark.sqlite
def test_the_lines_of_status_fit_a_screen(tmp_path: Path, run: Run) -> None:
    """Of 80 columns: times are to the minute, and sizes in MB."""
    with running_server(tmp_path):
        lines = run("status")[1].splitlines()
    assert max(len(line) for line in lines) <= 80
    (database,) = [line for line in lines if line.startswith("database")]
    assert re.fullmatch(r"database +\d+\.\d MB, its -wal \d\.\d; [\d,]+ MB free on its disk; schema \d+", database)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")]
)
def test_a_duration_has_two_units(seconds: int, words: str) -> None:
    """The largest ones."""
    assert _duration(seconds) == words


# -- users ------------------------------------------------------------------------------------------------------------
def test_users_lists_all_accounts(tmp_path: Path, run: Run) -> None:
    """By name, and whether they are online or shut out; with a service and without one."""
    with running_server(tmp_path) as server, enter(server.port, "bob"), enter(server.port, "alice", quiet=True):
        run("disable", "alice")
        with enter(server.port, "carl", quiet=True):
            live = rows(run("users", "--json")[1])
        assert rows(run("users", "--disabled", "--json")[1]) == [live[0]]
    shown = [(row["name"], row["online"], row["disabled"] is not None) for row in live]
    assert shown == [("alice", False, True), ("bob", True, False), ("carl", False, False)]
    rest = rows(run("users", "--json")[1])
    assert [(row["name"], row["online"], row["created"]) for row in rest] == [
        (row["name"], False, row["created"]) for row in live
    ]


def test_users_is_a_table(tmp_path: Path, run: Run) -> None:
    """With a head; nothing but that where nobody is."""
    make_chat(tmp_path / "chat.db")
    head, line = run("users")[1].splitlines()
    assert head.split() == ["NAME", "CREATED", "LAST", "SEEN", "ONLINE", "ROLE", "DISABLED"]
    assert line.split()[0] == "alice"
    assert run("users", "--disabled") == (0, "", "")


def test_users_come_in_pages(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, however many there are."""
    monkeypatch.setattr(status, "PAGE", 3)
    with open_storage(tmp_path / "chat.db") as storage:
        for number in range(10):
            add(storage, f"user{number}")
    assert [row["name"] for row in rows(run("users", "--json")[1])] == [f"user{number}" for number in range(10)]
