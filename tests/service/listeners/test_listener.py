"""service/listeners/listener.py: a port shares the places, speaks its dialect, and may be behind a proxy."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import pytest

from service.errors import ConfigError
from service.listeners.admission import Admission, Dialect
from service.listeners.places import CROWDED
from service.listeners.visitors import Visitors
from service.origin import origin_of
from service.server import Server
from service.wire.codec import JSON_LINES
from service.wire.framing import LineDecoder
from tests.support.helpers import PASSWORD, PATIENCE, Wire, enter, make_settings, running_server, until
from tests.support.ports import another_port, proxy_v1, proxy_v2, refusal_at

if TYPE_CHECKING:
    from pathlib import Path

    from service.wire.protocol import AnyCommand, Event, Row
    from tests.support.tls import Authority, Pair


class Shouting:
    """Lines of JSON with a mark before each that is sent, and without one in what is received."""

    def encode(self, event: Event, /) -> bytes:
        return b"!" + JSON_LINES.encode(event)

    def decode(self, line: bytes, /) -> AnyCommand:
        return JSON_LINES.decode(line.removeprefix(b"!"))

    def size(self, row: Row, /) -> int:
        return 1 + JSON_LINES.size(row)


SHOUTED = Dialect(Shouting(), LineDecoder)


def test_listeners_share_the_places(tmp_path: Path) -> None:
    """A client of one takes a place from the other's, and is in the same chat."""
    with (
        running_server(tmp_path, max_connections=2) as server,
        another_port(server) as port,
        enter(server.port, "alice") as alice,
        enter(port, "bob") as bob,
    ):
        assert [wire.ask("ping")["type"] for wire in (alice, bob)] == ["pong", "pong"]
        assert {refusal_at(each)[0] for each in (server.port, port)} == {"too_many_connections"}
        bob.ask("pm", message="hello")
        assert alice.read_type("broadcast")["message"] == "hello"


def test_a_listener_speaks_its_dialect(tmp_path: Path) -> None:
    """Its clients are answered in it, and so is one that it refuses."""
    with (
        running_server(tmp_path, max_per_address=1) as server,
        another_port(server, SHOUTED) as port,
        socket.create_connection(("127.0.0.1", port), PATIENCE) as one,
        one.makefile("rb") as lines,
    ):
        one.sendall(b'!{"command":"ping"}\n')
        assert [lines.readline()[:15] for _ in range(2)] == [b'!{"type":"hello', b'!{"type":"pong"']
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as other, other.makefile("rb") as refusal:
            assert [line[:14] for line in refusal] == [b'!{"type":"erro', b'!{"type":"bye"']


# -- behind a proxy ---------------------------------------------------------------------------------------------------
PROXIED: Final[dict[str, Any]] = {"proxy_protocol": "yes", "trusted_proxy": (ip_network("127.0.0.0/24"),)}


def come_through_proxy(port: int, header: bytes, **more: Any) -> Wire:
    """A client's connection to a proxy, as it gets to the service."""
    wire = Wire(port, greet=False, **more)
    wire.send_bytes(header)
    return wire


@pytest.mark.parametrize("header", [proxy_v1("192.0.2.1"), proxy_v2("192.0.2.1", extra=b"\x04\0\1x")], ids=["1", "2"])
def test_a_client_comes_through_a_proxy(tmp_path: Path, caplog: pytest.LogCaptureFixture, header: bytes) -> None:
    """Its bytes may come along with the header; the log and the limits know it by its own address."""
    caplog.set_level("DEBUG")
    register = b'{"command":"register","username":"alice","password":"%s"}\n' % PASSWORD.encode()
    with running_server(tmp_path, **PROXIED) as server, come_through_proxy(server.port, header + register) as alice:
        assert [alice.read()["type"] for _ in range(2)] == ["hello", "login_ok"]
        (connection,) = server.places.connections()
        assert connection.session.origin == origin_of("192.0.2.1")
    assert "registered alice 192.0.2.1:4711" in caplog.text
    assert "192.0.2.1:4711 comes through the proxy 127.0.0.1:" in caplog.text


def test_the_header_comes_before_tls(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """As the proxy does not look into TLS; the handshake's first bytes may come along with it."""
    certificate = {"tls_cert": pair.cert, "tls_key": pair.key}
    with running_server(tmp_path, **PROXIED, **certificate) as server:
        plain = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        plain.sendall(proxy_v2("2001:db8::1"))
        with authority.trusting().wrap_socket(plain, server_hostname="localhost") as tls, tls.makefile("rb") as lines:
            assert lines.readline().startswith(b'{"type":"hello"')
            (connection,) = server.places.connections()
            assert (connection.way, connection.session.peer) == ("TLS", "[2001:db8::1]:4711")


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"], ids=["1", "2"])
def test_a_proxy_may_come_for_itself(tmp_path: Path, header: bytes) -> None:
    """Such as to see whether the service is there: the client is the proxy."""
    with running_server(tmp_path, **PROXIED) as server, come_through_proxy(server.port, header) as wire:
        assert wire.read()["type"] == "hello"
        (connection,) = server.places.connections()
        assert connection.session.peer.startswith("127.0.0.1:")


@pytest.mark.parametrize("words", [b"", b'{"command":"ping"}\n', b"PROXY TCP4 x y 1 2\r\n", b"\x16\x03\x01\2\0\1"])
def test_a_proxy_that_sends_no_header_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, words: bytes
) -> None:
    """At the first byte that is none of a header, or past the deadline; the log names the proxy; nobody is admitted."""
    caplog.set_level("INFO")
    monkeypatch.setattr("service.server.Visitors", partial(Visitors, seconds=0.1 if not words else 3_600.0))
    with running_server(tmp_path, **PROXIED) as server, come_through_proxy(server.port, words) as wire:
        error, bye = wire.read_to_end()
    assert (error["code"], error["fatal"], bye["reason"]) == ("bad_request", True, "kicked")
    assert "PROXY header" in error["message"]
    assert "refused the proxy 127.0.0.1:" in caplog.text


def test_a_proxy_that_only_looks_is_no_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that connects and goes, to see whether the port is open, is not in the log."""
    caplog.set_level("INFO")
    with running_server(tmp_path, **PROXIED) as server:
        Wire(server.port, greet=False).close()
        until(lambda: server.visitors._number and not server.visitors._staying)
    assert "refused" not in caplog.text


def test_a_crowd_of_silent_ones_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many that send no header newcomers of their proxy are told so; one of another proxy comes in."""
    monkeypatch.setattr("service.server.Visitors", partial(Visitors, most=3, stay=3_600.0))
    with running_server(tmp_path, **PROXIED) as server, ExitStack() as stay:
        silent = [stay.enter_context(come_through_proxy(server.port, b"")) for _ in range(3)]
        for _ in range(3):
            assert refusal_at(server.port) == ("too_many_connections", CROWDED)
        with come_through_proxy(server.port, proxy_v1("192.0.2.1"), source="127.0.0.2") as wire:
            assert wire.read()["type"] == "hello"
        assert silent[0].read_to_end() == []
        silent[1].send_bytes(proxy_v1("192.0.2.2"))
        assert silent[1].read()["type"] == "hello"


def test_who_is_no_proxy_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it says, and it is not waited for that: a header of its own would be any address it likes."""
    caplog.set_level("INFO")
    with running_server(tmp_path, **PROXIED) as server:
        for header in (b"", proxy_v1("192.0.2.1")):
            with come_through_proxy(server.port, header, source="127.0.1.1") as wire:
                error, bye = wire.read_to_end()
            assert (error["code"], error["fatal"], bye["reason"]) == ("bad_request", True, "kicked")
            assert "through a proxy only" in error["message"]
    assert caplog.text.count("refused 127.0.1.1: it is none of --trusted-proxy") == 2


def test_a_header_means_nothing_where_none_is_asked_for(tmp_path: Path) -> None:
    """Even from a proxy that is trusted elsewhere: it is a line that is no command."""
    with (
        running_server(tmp_path, trusted_proxy=PROXIED["trusted_proxy"]) as server,
        come_through_proxy(server.port, proxy_v1("192.0.2.1")) as wire,
    ):
        assert [wire.read().get("code") for _ in range(2)] == [None, "bad_json"]
        (connection,) = server.places.connections()
        assert connection.session.origin == origin_of("127.0.0.1")


def test_limits_count_for_who_comes_through_a_proxy(tmp_path: Path) -> None:
    """One client's connections and failed logins, as many as it likes, do not keep another one out."""
    with running_server(tmp_path, **PROXIED, max_per_address=2, login_rate=1) as server, ExitStack() as stay:

        def come(host: str) -> Wire:
            return stay.enter_context(come_through_proxy(server.port, proxy_v1(host)))

        attackers = [come("192.0.2.66") for _ in range(2)]
        for attacker in attackers:
            assert attacker.read()["type"] == "hello"
        error, bye = come("192.0.2.66").read_to_end()
        assert (error["code"], bye["reason"]) == ("too_many_connections", "kicked")
        login = {"username": "alice", "password": PASSWORD}
        alice = come("192.0.2.1")
        assert alice.ask("register", **login)["type"] == "login_ok"
        codes = [attackers[0].ask("login", username="alice", password=f"wrong {n}")["code"] for n in range(21)]
        assert (codes[0], codes[-1]) == ("bad_credentials", "rate_limited")
        assert come("192.0.2.1").ask("login", **login)["type"] == "login_ok"


def test_who_came_through_a_proxy_must_log_in_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As anybody; the time begins when the header is there, however long after the connect that is."""
    has_looked = threading.Event()

    def end_late(admission: Admission) -> float:
        has_looked.set()
        return Admission.end_late(admission)

    monkeypatch.setattr("service.server.Admission", type("Watched", (Admission,), {"end_late": end_late}))
    with (
        running_server(tmp_path, **PROXIED, login_timeout=0.1) as server,
        come_through_proxy(server.port, b"") as wire,
    ):
        assert has_looked.wait(PATIENCE)
        wire.send_bytes(proxy_v1("192.0.2.1"))
        assert [line.get("code") for line in wire.read_to_end()] == [None, "login_timeout", None]


def test_proxies_have_to_be_named(tmp_path: Path) -> None:
    """Without the address of one nobody could come in: it does not start, and says what to add."""
    with pytest.raises(ConfigError, match="--proxy-protocol needs the proxy's address: --trusted-proxy"):
        Server(make_settings(tmp_path, proxy_protocol="yes"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("by_proxy", ["yes", "no"])
def test_plain_behind_a_proxy_is_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture, by_proxy: str) -> None:
    """As the proxy has the certificate; clients that come past it are warned of as ever."""
    with running_server(tmp_path, **{**PROXIED, "proxy_protocol": by_proxy}, host="0.0.0.0"):  # noqa: S104
        assert ("without TLS everyone on the way can read" in caplog.text) is (by_proxy == "no")


def test_a_stop_ends_who_has_sent_no_header(tmp_path: Path) -> None:
    """At once, and its thread; who came through a proxy before is told."""
    with running_server(tmp_path, **PROXIED) as server:
        with (
            come_through_proxy(server.port, b"PROXY ") as silent,
            come_through_proxy(server.port, proxy_v1("192.0.2.1")) as client,
        ):
            assert client.read()["type"] == "hello"
            server.stop()
            assert silent.read_to_end() == []
            assert client.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("chat-")]
