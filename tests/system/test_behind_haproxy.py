"""The service behind a real HAProxy, as docs/operating.txt sets it up: each client is known by its own address."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.haproxy import HAPROXY, running_haproxy
from tests.support.helpers import PASSWORD, PATIENCE, Wire, enter, running_server, until
from tests.support.papers import PAPERS, block

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server
    from tests.support.tls import Authority, Pair

PAPER: Final = block(PAPERS["docs/operating.txt"], "For HAProxy:")
PROXIED: Final[dict[str, Any]] = {"proxy_protocol": "yes", "trusted_proxy": (ip_network("127.0.0.9"),)}

pytestmark = pytest.mark.skipif(not HAPROXY, reason="no haproxy here: apt install haproxy")


@contextmanager
def haproxy(folder: Path, server: Server, send: str = "send-proxy-v2", host: str = "127.0.0.1") -> Iterator[int]:
    """Its port. It comes to the service from 127.0.0.9, and sends that header."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        here = PAPER.replace("bind :12000", f"bind fd@{listening.fileno()}").replace("send-proxy-v2", send)
        here = here.replace("10.0.0.5:12000", f"127.0.0.1:{server.port} source 127.0.0.9")
        with running_haproxy(folder, here, listening.fileno()):
            yield listening.getsockname()[1]


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_clients_are_known_by_their_own_addresses(tmp_path: Path, caplog: pytest.LogCaptureFixture, send: str) -> None:
    """With either version of the header they chat, and what the log says of them is where they come from."""
    caplog.set_level("INFO")
    with (
        running_server(tmp_path, **PROXIED) as server,
        haproxy(tmp_path, server, send) as port,
        enter(port, "alice", source="127.0.0.66") as alice,
        enter(port, "bob", source="127.0.0.7") as bob,
    ):
        alice.ask("pm", message="hello")
        assert bob.read_type("broadcast")["message"] == "hello"
        assert {alice.socket.getsockname()[0], bob.socket.getsockname()[0]} == {"127.0.0.66", "127.0.0.7"}
        peers = {connection.session.peer for connection in server.places.connections()}
        assert peers >= {"{}:{}".format(*wire.socket.getsockname()) for wire in (alice, bob)}
    assert "registered alice 127.0.0.66:" in caplog.text
    assert "refused" not in caplog.text


def test_tls_goes_through_to_the_service(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """The header is before it, and the service has the certificate."""
    certificate = {"tls_cert": pair.cert, "tls_key": pair.key}
    with (
        running_server(tmp_path, **PROXIED, **certificate) as server,
        haproxy(tmp_path, server) as port,
        enter(port, "alice", tls=authority.trusting(), source="127.0.0.66") as alice,
    ):
        assert alice.ask("pm", message="hello")["type"] == "ack"
        assert "127.0.0.66" in [connection.session.origin.address for connection in server.places.connections()]


def test_a_client_with_an_address_of_ipv6(tmp_path: Path) -> None:
    """Comes through a proxy that speaks IPv4 to the service."""
    with (
        running_server(tmp_path, **PROXIED) as server,
        haproxy(tmp_path, server, host="::1") as port,
        socket.create_connection(("::1", port), PATIENCE) as sock,
        sock.makefile("rb") as lines,
    ):
        assert lines.readline().startswith(b'{"type":"hello"')
        peers = {connection.session.peer for connection in server.places.connections()}
        assert f"[::1]:{sock.getsockname()[1]}" in peers


def test_one_attacker_does_not_lock_out_the_others(tmp_path: Path) -> None:
    """All connections that an address may have, and all failed logins, leave the next client of the proxy alone."""
    with (
        running_server(tmp_path, **PROXIED, max_per_address=5, login_rate=1) as server,
        haproxy(tmp_path, server) as port,
        ExitStack() as stay,
    ):
        enter(port, "alice", source="127.0.0.7").close()
        attackers = [stay.enter_context(Wire(port, source="127.0.0.66")) for _ in range(5)]
        with Wire(port, greet=False, source="127.0.0.66") as refused:
            assert [line.get("code") for line in refused.read_to_end()] == ["too_many_connections", None]
        for n in range(30):
            last = attackers[n % 5].ask("login", username="alice", password=f"{PASSWORD} {n}")
        assert last["code"] == "rate_limited"
        with enter(port, "alice", source="127.0.0.7") as alice:
            assert alice.ask("pm", message="still here")["type"] == "ack"


def test_its_checks_are_no_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """HAProxy looks whether the service is there, with a header of its own: it is, and the log says nothing of it."""
    caplog.set_level("DEBUG")
    with running_server(tmp_path, **PROXIED) as server, haproxy(tmp_path, server):
        until(lambda: "gone 127.0.0.9:" in caplog.text)
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert "refused" not in caplog.text
