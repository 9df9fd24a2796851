"""service/listeners/connection.py: one client's lines, its login in time, and its end."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import bcrypt
import pytest

from service.config import MAX_PASSWORD
from service.delivery.loop import Delivery
from service.delivery.outbox import Limits
from service.errors import PeerError
from service.listeners.connection import LOGIN_LINE
from service.net.transport import Stream
from tests.support.helpers import PASSWORD, Wire, enter, running_server, until
from tests.support.wires import read_users

if TYPE_CHECKING:
    from pathlib import Path

    from service.net.tls import Charge
    from tests.support.wires import Wires


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"nonsense\n", "bad_json"),
        (b"[1,2]\n", "bad_request"),
        (b'{"command":"dance"}\n', "unknown_command"),
        (b"{}\n", "bad_request"),
        (b"\xff\xfe\n", "bad_json"),
        (b"[" * 8_000 + b"\n", "bad_json"),
        (b"x" * 65_537 + b"\n", "line_too_long"),
    ],
)
def test_a_line_that_is_no_command(wires: Wires, data: bytes, code: str) -> None:
    """It is answered with one error, and the next line works."""
    wire = wires.connect()
    wire.send_bytes(data)
    assert [line["code"] for line in wire.read_until_pong()] == [code]


def test_a_rule_that_is_broken_below_the_lines_ends_the_client(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came before it is done; the client is told, also after its login, and what follows is dropped."""
    receive = Stream.receive

    def receive_or_refuse(stream: Stream, charge: Charge | None = None) -> bytes:
        data = receive(stream, charge)
        if data == b"broken\n":
            raise PeerError("line_too_long", "too long", fatal=True)
        return data

    monkeypatch.setattr(Stream, "receive", receive_or_refuse)
    alice = wires.enter("alice")
    assert alice.ask("pm", message="hi")["type"] == "ack"
    alice.send_bytes(b"broken\n")
    *_, error, bye = alice.read_to_end()
    assert (error["code"], error["fatal"], bye) == ("line_too_long", True, {"type": "bye", "reason": "kicked"})


def test_the_stream_is_told_of_the_longer_lines_after_the_login(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what comes are messages, these are bounded like lines."""
    limits: list[int] = []
    monkeypatch.setattr(Stream, "expect", lambda _, limit: limits.append(limit))
    wire = wires.connect()
    assert wire.ask("ping")["type"] == "pong"
    assert limits == []
    wires.enter("alice").ask("ping")
    assert limits == [65_536]


def test_who_does_not_log_in_is_sent_away(tmp_path: Path) -> None:
    """After the time to log in comes a fatal error and the end, however busy the client was; others stay."""
    with running_server(tmp_path, login_timeout=1) as server, enter(server.port, "alice") as alice:
        idle, half = Wire(server.port), Wire(server.port)
        half.send_bytes(b'{"command":"pi')
        for wire in (idle, half):
            error, bye = wire.read_to_end()
            assert (error["code"], error["fatal"]) == ("login_timeout", True)
            assert bye == {"type": "bye", "reason": "kicked"}
            wire.close()
        assert alice.ask("ping")["type"] == "pong"


def test_who_forgets_the_newline_is_told_how_many_bytes_came(tmp_path: Path) -> None:
    """And never which: they may hold a password. What came before, with its newline, does not count."""
    login = f'{{"command":"login","username":"alice","password":"{PASSWORD}"}}'
    with running_server(tmp_path, login_timeout=1) as server, Wire(server.port) as wire:
        wire.send_bytes(f'{{"command":"ping"}}\n{login}'.encode())
        assert wire.read()["type"] == "pong"
        error, _ = wire.read_to_end()
    missing = f"{len(login)} bytes came without the newline that ends a command"
    assert error["message"] == f"no login within 1 seconds; {missing}"


def send_without_end(wire: Wire) -> None:
    """Raises OSError when the service has had enough."""
    while True:
        wire.send_bytes(b"\n" * 100)


def test_a_busy_client_that_does_not_log_in_is_sent_away_too(tmp_path: Path) -> None:
    """Sending without end puts off no deadline, and is not left hanging."""
    with running_server(tmp_path, login_timeout=0.3) as server, Wire(server.port) as wire:
        with pytest.raises(ConnectionError):
            send_without_end(wire)
        with suppress(OSError):
            assert wire.read()["code"] == "login_timeout"


def test_who_is_slowed_before_the_login_is_sent_away_in_time(tmp_path: Path) -> None:
    """A share that is used up puts off no deadline: the lines that wait for it are not done."""
    settings = {"login_timeout": 0.3, "rate": 20, "address_share": 0.01}  # then a line waits for 20 seconds
    with running_server(tmp_path, **settings) as server, Wire(server.port) as wire:
        wire.send_bytes(b"x\n" * 100)
        *_, error, bye = wire.read_to_end()
    assert (error["code"], bye["reason"]) == ("login_timeout", "kicked")


def test_who_reads_nothing_before_the_login_is_sent_away_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service does not wait for space with a client whose time is over."""
    limits = Limits(pause_bytes=-1)  # it always seems to have too much unread
    monkeypatch.setattr("service.server.Delivery", partial(Delivery, limits=limits))
    with running_server(tmp_path, login_timeout=0.3) as server, Wire(server.port) as wire:
        *_, error, bye = wire.read_to_end()
    assert (error["code"], bye["reason"]) == ("login_timeout", "kicked")


def test_a_password_that_is_looked_at_in_time_is_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is over the login under way is answered, and those behind it are not begun."""
    with running_server(tmp_path, login_timeout=1.0) as server:
        enter(server.port, "alice").close()
        until(lambda: not server.places.connections())

        def check_late(*_: bytes) -> bool:
            until(lambda: all(connection.session.is_late for connection in server.places.connections()))
            return False

        monkeypatch.setattr(bcrypt, "checkpw", check_late)
        with Wire(server.port) as wire:
            wire.send(*[{"command": "login", "username": "alice", "password": PASSWORD}] * 3)
            codes = [line.get("code") for line in wire.read_to_end()]
    assert codes == ["bad_credentials", "login_timeout", None]


def test_a_client_that_ends_its_side_gets_its_answers(tmp_path: Path) -> None:
    """What `printf … | nc` sends is answered in full before the service closes."""
    with running_server(tmp_path) as server, Wire(server.port) as wire:
        commands = [{"command": "register", "username": "alice", "password": PASSWORD}]
        commands += [{"command": "pm", "message": f"{n}"} for n in range(100)]
        wire.send(*commands)
        wire.socket.shutdown(socket.SHUT_WR)
        kinds = [line["type"] for line in wire.read_to_end() if line["type"] != "users"]
    assert kinds == ["login_ok"] + ["ack"] * 100


def test_a_client_that_does_not_read_its_own_replies_is_waited_for(tmp_path: Path) -> None:
    """Asking for more than one reads is slowed, not ended: all answers are there when they are read at last."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        for _ in range(15):
            alice.ask("pm", message="x" * 4096)
        asked = 400
        sender = threading.Thread(target=alice.send, args=[{"command": "history", "limit": 15, "ref": "h"}] * asked)
        sender.start()
        with enter(server.port, "bob") as bob:
            assert bob.ask("pm", message="not held up")["type"] == "ack"
        got = 0
        while got < asked:
            got += alice.read()["type"] == "history"
        sender.join()


def test_a_bug_in_a_connection_ends_only_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, its client is told and let go, and the others talk on."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        monkeypatch.setattr("service.chat.session.Session.greet", lambda _: 1 / 0)
        with Wire(server.port, greet=False) as victim:
            error, bye = victim.read_to_end()
        assert (error["code"], error["fatal"], bye["reason"]) == ("internal", True, "kicked")
        assert alice.ask("ping")["type"] == "pong"
    assert f"{error['message'].split()[-2]} {error['message'].split()[-1]}: connection" in caplog.text


def test_a_bug_at_the_end_of_a_connection_ends_only_that_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name leaves the list, its place is free again, and the others talk on."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob"):
            read_users(alice, "alice", "bob")
            monkeypatch.setattr("service.chat.session.Session.settle", lambda _: 1 / 0)
        read_users(alice, "alice")
        monkeypatch.undo()
        while len(server.places.connections()) > 1:
            assert alice.ask("ping")["type"] == "pong"


def test_lines_go_at_once_to_who_talks(tmp_path: Path) -> None:
    """Lines for a client that has talked since its login are not gathered; those for one that only listens may be."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob"):
        alice.ask("pm", message="hello")
        no_delay = {
            connection.session.account.name: connection._stream._socket.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY
            )
            for connection in server.places.connections()
            if connection.session.account is not None
        }
        assert no_delay == {"alice": 1, "bob": 0}


@pytest.mark.parametrize("end", [b"\n", b""], ids=["whole", "held"])
def test_a_line_is_short_before_the_login(tmp_path: Path, end: bytes) -> None:
    """Up to the limit a stranger's line is done, a byte more of it is refused and not held; a login lifts the limit."""
    ping = b'{"command":"ping","ref":"r","x":"%s"}'
    fill = LOGIN_LINE - len(ping % b"")
    with running_server(tmp_path) as server, Wire(server.port) as wire:
        wire.send_bytes(ping % (b"x" * fill) + b"\n")
        assert wire.read()["type"] == "pong"
        wire.send_bytes(ping % (b"x" * (fill + 1)) + b"x" + end)
        error = wire.read()
        assert (error["code"], f"at most {LOGIN_LINE} bytes before" in error["message"]) == ("line_too_long", True)
        register = b'{"command":"register","username":"alice","password":"%s"}\n' % PASSWORD.encode()
        wire.send_bytes(b"\n" + register + ping % (b"x" * 60_000) + b"\n")
        assert [wire.read_type(kind)["type"] for kind in ("login_ok", "pong")] == ["login_ok", "pong"]


def test_the_longest_password_fits_before_the_login(tmp_path: Path) -> None:
    """1,024 bytes, each written as an escape, are no line too long."""
    with running_server(tmp_path) as server, Wire(server.port) as wire:
        text = "".join(f"\\u{ord(char):04x}" for char in "x" * MAX_PASSWORD)
        names = '"username":"' + "a" * 32 + '","ref":"' + "\\u0072" * 64
        wire.send_bytes(f'{{"command":"register",{names}","password":"{text}"}}\n'.encode())
        assert wire.read()["type"] == "login_ok"


def test_nothing_is_done_after_the_end(wires: Wires) -> None:
    """Lines behind an `ex`, commands or not, are neither done nor answered."""
    alice = wires.enter("alice")
    alice.send({"command": "pm", "message": "before"}, {"command": "ex"}, {"command": "pm", "message": "after"})
    alice.send_bytes(b"nonsense\n")
    assert [line["type"] for line in alice.read_to_end() if line["type"] != "users"] == ["ack", "bye"]
    page = wires.enter("bob").ask("history")
    assert [message["message"] for message in page["messages"]] == ["before"]
