"""service/server.py: what is done for all clients, and the end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from service.accounts import passwords
from service.accounts.names import look_of
from service.delivery.loop import Delivery
from service.errors import ConfigError, SchemaError
from service.server import Server
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Wire, enter, make_settings, open_storage, running_server
from tests.support.wires import read_users

if TYPE_CHECKING:
    from pathlib import Path


# -- the users list ---------------------------------------------------------------------------------------------------
def test_a_login_and_a_logout_are_pushed_to_all(tmp_path: Path) -> None:
    """All that are logged in get the new list, the newcomer, too."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        read_users(alice, "alice")
        with enter(server.port, "bob") as bob:
            read_users(alice, "alice", "bob")
            read_users(bob, "alice", "bob")
            bob.ask("ex")
            read_users(alice, "alice")


def test_a_dropped_connection_is_pushed(tmp_path: Path) -> None:
    """A client that vanishes without a word leaves the list as well."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob"):
            read_users(alice, "alice", "bob")
        read_users(alice, "alice")


def test_several_sessions_are_one_name(tmp_path: Path) -> None:
    """The name comes with the first session and goes with the last."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob") as bob:
            with enter(server.port, "bob"):
                read_users(alice, "alice", "bob")
            assert alice.ask("users")["users"] == ["alice", "bob"]
            bob.ask("ex")
        read_users(alice, "alice")


def test_the_timer_pushes_every_thirty_seconds(tmp_path: Path) -> None:
    """With the clock moved by 30 seconds the list comes again; before that it does not."""
    start = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    with freeze_time(start) as clock, running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        read_users(alice, "alice")
        for seconds in (30, 60, 90):
            clock.move_to(start + timedelta(seconds=seconds - 1))
            server.ticker.run_due()
            assert alice.read_until_pong() == []
            clock.move_to(start + timedelta(seconds=seconds))
            server.ticker.poke()
            assert read_users(alice, "alice")["time"] == f"2026-11-21T09:{30 + seconds // 60}:{seconds % 60:02d}.000Z"


def test_the_interval_is_a_setting(tmp_path: Path) -> None:
    """The list comes by itself, without anybody moving."""
    with running_server(tmp_path, users_interval=0.05) as server, enter(server.port, "alice") as alice:
        times = {read_users(alice, "alice")["time"] for _ in range(3)}
    assert len(times) == 3


def test_after_a_storm_the_last_list_is_the_true_one(tmp_path: Path) -> None:
    """However many come and go at once, the last change arrives."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        tokens = []
        for n in range(10):
            with enter(server.port, f"user{n}") as wire:
                tokens.append(wire.hello["token"])
        read_users(alice, "alice")
        staying = []
        for token in tokens * 5:
            wire = Wire(server.port)
            wire.send({"command": "resume", "token": token})
            staying.append(wire)
        lists = [alice.read_type("users")["users"]]
        while len(lists[-1]) < 11:
            lists.append(alice.read_type("users")["users"])
        for wire in staying:
            wire.close()
        while len(lists[-1]) > 1:
            lists.append(alice.read_type("users")["users"])


# -- the end ----------------------------------------------------------------------------------------------------------
def test_a_stop_says_bye_and_stores_what_was_accepted(tmp_path: Path) -> None:
    """Every ack before the `bye` is for a message that is there after the restart; all threads are gone."""
    with running_server(tmp_path) as server:
        alice, idle = enter(server.port, "alice"), Wire(server.port)
        alice.send(*({"command": "pm", "message": f"{n}"} for n in range(500)))
        first = alice.read_type("ack")["id"]
        server.stop()
        lines = alice.read_to_end()
        assert lines[-1] == {"type": "bye", "reason": "shutdown"} == idle.read_to_end()[-1]
        acked = [first, *(line["id"] for line in lines if line["type"] == "ack")]
        alice.close()
        idle.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("chat-")]
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        stored: list[int] = []
        while (page := alice.ask("history", after=stored[-1] if stored else 0, limit=200))["messages"]:
            stored += [message["id"] for message in page["messages"]]
    assert set(acked) <= set(stored)
    assert len(stored) == len(set(stored))


def test_direct_messages_wait_over_a_restart(tmp_path: Path) -> None:
    """A user that was away finds them after the service was stopped and started."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob"):
            pass
        read_users(alice, "alice")
        alice.ask("dm", to="bob", message="hi", nonce="n")
    with running_server(tmp_path) as server, enter(server.port, "bob") as bob, enter(server.port, "alice") as alice:
        assert [message["message"] for message in bob.ask("missed")["messages"]] == ["hi"]
        assert alice.ask("dm", to="bob", message="hi", nonce="n")["id"] == 1


def test_a_stop_waits_for_nobody(tmp_path: Path) -> None:
    """Clients that send without end and never read do not keep the service from ending."""
    with running_server(tmp_path) as server:
        deaf = enter(server.port, "alice")
        deaf.socket.setblocking(False)
        flood = b'{"command":"users"}\n' * 1000
        with suppress(BlockingIOError):
            while True:
                deaf.socket.send(flood)
        server.stop()
        deaf.close()


def test_a_port_in_use_is_explained(tmp_path: Path) -> None:
    """The error is one line that names the port and says what to do; no file is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: Address already in use. Choose another"):
            Server(make_settings(tmp_path, port=port))
    assert list(tmp_path.iterdir()) == []


def test_a_bad_address_is_explained(tmp_path: Path) -> None:
    """A host that is not this machine's is named."""
    with pytest.raises(ConfigError, match="cannot listen on"):
        Server(make_settings(tmp_path, host="no such host"))


def test_a_bad_database_leaves_the_port_free(tmp_path: Path) -> None:
    """When the database is refused the listening socket is closed again."""
    with pytest.raises(SchemaError):
        Server(make_settings(tmp_path, db=str(tmp_path)))


# -- a slow reader ----------------------------------------------------------------------------------------------------
def test_a_slow_reader_is_ended_and_catches_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that stops reading gets `bye slow` as its last whole line; the others get all; later it has all, too."""
    text, count = "x" * 4000, 5000
    monkeypatch.setattr("service.server.Delivery", partial(Delivery, linger=3_600.0))  # it is read after all others
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "slow") as slow:
        slow.read_until_pong()
        alice.send(*({"command": "pm", "message": text, "nonce": f"{n}"} for n in range(count)))
        acked = [alice.read_type("ack")["id"] for _ in range(count)]
        lines = slow.read_to_end()
        assert lines[-1] == {"type": "bye", "reason": "slow"}
        got = [line["id"] for line in lines if line["type"] == "broadcast"]
        assert got == acked[: len(got)]
        with enter(server.port, "slow") as back:
            assert back.hello["unread"] == count - len(got)
            while (page := back.ask("history", after=got[-1], limit=200))["messages"]:
                got += [message["id"] for message in page["messages"]]
    assert got == acked


def test_a_stop_says_bye_to_a_client_that_is_still_sending(tmp_path: Path) -> None:
    """Unread input does not reset the connection: the last lines arrive, the `bye` at their end."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        alice.send(*[{"command": "ping"}] * 20_000)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}
        alice.close()
        stopper.join()


def test_what_was_written_before_a_stop_counts_as_seen(tmp_path: Path) -> None:
    """A client that does not confirm has seen all that it got before the `bye`; it is not missed after the restart."""
    with running_server(tmp_path) as server, enter(server.port, "bob") as bob, enter(server.port, "alice") as alice:
        alice.send(*[{"command": "dm", "to": "bob", "message": "x"}] * 150)
        for _ in range(150):
            alice.read_type("ack")
        server.stop()
        got = [line for line in bob.read_to_end() if line["type"] == "direct"]
    with running_server(tmp_path) as server, enter(server.port, "bob") as bob:
        assert (len(got), bob.hello["missed"]) == (150, 0)


def test_a_client_is_told_of_no_one_else_at_a_stop(tmp_path: Path) -> None:
    """The others' leaving is no news when all leave."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        read_users(alice, "alice", "bob")
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert [line["type"] for line in alice.read_to_end() if line.get("users") != ["alice", "bob"]] == ["bye"]
        for wire in (alice, bob):
            wire.close()
        stopper.join()


@pytest.mark.parametrize("name", ["two words", "Lab", "#lab", "", "x" * 33])
def test_a_main_room_has_a_name_like_a_user(tmp_path: Path, name: str) -> None:
    """In small letters, so that it is the one that clients compare with."""
    with pytest.raises(ConfigError, match="--main-room"):
        Server(make_settings(tmp_path, main_room=name))


def test_a_main_room_has_no_name_of_another_room(tmp_path: Path) -> None:
    """Nobody could reach that one any more; the service says what to do. One that is gone is in nobody's way."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        alice.ask("create", room="lab")
        alice.ask("create", room="old")
        alice.ask("leave", room="old")
    with pytest.raises(ConfigError, match="room delete lab"):
        Server(make_settings(tmp_path, main_room="lab"))
    with running_server(tmp_path, main_room="old"):
        pass


def test_reserved_names_of_older_accounts_are_logged_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line with at most ten of them, that says what to do; they still log in."""
    names = [*(f"deleted{n:02}" for n in range(9)), "admin", "1ab", "alice"]
    with open_storage(tmp_path / "chat.db") as storage:
        for name in names:
            storage.result(storage.add_user(name, look_of(name), passwords.make_hash(PASSWORD, 4), "t"))
    with running_server(tmp_path) as server:
        enter(server.port, "admin").close()
    (line,) = (record.getMessage() for record in caplog.records if "rename OLD NEW" in record.getMessage())
    assert f"names can be taken for somebody else: admin, {', '.join(names[:9])}. Give them other ones" in line
    caplog.clear()
    with running_server(tmp_path, main_room="lab"):
        pass
    assert "deleted07 and 1 more. Give them" in caplog.text


# -- the file as a program --------------------------------------------------------------------------------------------
def test_the_file_is_the_service(tmp_path: Path) -> None:
    """`python3 server.py`, in service/, listens as `python3 -m service` does."""
    arguments = ["server.py", "0", "--db", str(tmp_path / "chat.db")]
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT / "service", stderr=subprocess.PIPE, text=True
    ) as program:
        overdue = threading.Timer(PATIENCE, program.kill)
        overdue.start()
        assert program.stderr is not None
        assert any("listening on 127.0.0.1:" in line for line in program.stderr)
        program.terminate()
        overdue.cancel()
        overdue.join()
    assert program.returncode == 0


# -- what not everyone needs ------------------------------------------------------------------------------------------
def test_without_a_web_port_its_packages_are_not_loaded(tmp_path: Path) -> None:
    """A service that nobody's browser uses pays nothing for them, and runs where they are not installed."""
    program = (
        "import sys; from service.server import Server; from service.config import Settings; "
        f"Server(Settings(port=0, db={str(tmp_path / 'chat.db')!r})).stop(); "
        "print({'h11', 'websockets', 'service.listeners.web'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("package", ["h11", "websockets"])
def test_a_web_port_without_its_packages_is_told(tmp_path: Path, package: str) -> None:
    """In one line that says what to type, before anything is made."""
    prelude = f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = ['0', '--db', 'chat.db', '--web-port', '8']"
    program = f"{prelude}; import service.__main__; sys.exit(service.__main__.main())"
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=here, capture_output=True, text=True, check=False
    )
    assert done.stderr == f"chat service: --web-port needs packages: {sys.executable} -m pip install h11 websockets\n"
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
