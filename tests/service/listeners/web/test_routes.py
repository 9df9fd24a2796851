"""service/listeners/web/routes.py: what each request is answered, and that no foreign page or name comes in."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from service import origin
from service.listeners.web.answer import Answer, HookRequest
from service.listeners.web.http import BODY_BYTES, POST_TIME
from tests.support.helpers import PASSWORD, PATIENCE, enter, until
from tests.support.web import UPGRADE, Web, ask, running_web, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.listeners.web.routes import Routes
    from service.server import Server

SECURITY = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A server with a web port, and an empty database."""
    with running_web(tmp_path) as web:
        yield web


class Hooks:
    """Keeps what it is asked, and says ok."""

    def __init__(self) -> None:
        self.asked: list[HookRequest] = []

    def answer(self, request: HookRequest) -> Answer:
        self.asked.append(request)
        return Answer(200, b"{}", "application/json")


@pytest.fixture
def hooks(web: Web, monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Hooks in the place of that server's."""
    hooks = Hooks()
    monkeypatch.setattr(routes_of(web.server), "_hooks", hooks)
    return hooks


def routes_of(server: Server) -> Routes:
    assert server._page is not None
    return server._page._routes


# -- the page ---------------------------------------------------------------------------------------------------------
def test_the_page_is_served_once(web: Web) -> None:
    """A browser that has it asks whether it is still good."""
    page = ask(web.port, "/", "Accept-Encoding: gzip")
    assert (page.status, page.fields["content-type"], page.fields["content-encoding"]) == (
        200,
        "text/html; charset=utf-8",
        "gzip",
    )
    assert ask(web.port, "/", f"If-None-Match: {page.fields['etag']}").status == 304
    head = ask(web.port, "/", "Accept-Encoding: gzip", method="HEAD")
    assert (head.status, head.body, head.fields["content-length"]) == (200, b"", page.fields["content-length"])


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/", (), 200),
        ("/nothing", (), 404),
        ("/chat", (), 426),
        ("/chat", ("Origin: null", *UPGRADE), 403),
        ("/healthz", (), 200),
        ("/", ("Content-Length: 1",), 400),
        ("*", (), 400),
    ],
)
def test_every_answer_has_the_fields_of_security(web: Web, target: str, fields: tuple[str, ...], status: int) -> None:
    """Errors, too: a browser may be brought to show them."""
    reply = ask(web.port, target, *fields)
    assert reply.status == status
    assert set(SECURITY) <= set(reply.fields)
    assert reply.fields["connection"] == "close"
    assert "strict-transport-security" not in reply.fields


def test_the_policy_names_the_host_that_was_checked(web: Web) -> None:
    """And no other one."""
    policy = ask(web.port, "/", host="LOCALHOST:81").fields["content-security-policy"]
    assert "connect-src 'self' ws://LOCALHOST:81;" in policy
    assert "evil" not in ask(web.port, "/", host="evil.example").fields["content-security-policy"]


# -- who is turned away -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", ["/", "/main.js", "/chat", "/hook/secret"])
def test_a_foreign_name_that_leads_here_gets_nothing(web: Web, hooks: Hooks, target: str) -> None:
    """Whatever it asks for, and whatever else the request says of the name (DNS rebinding)."""
    method = "POST" if "hook" in target else "GET"
    for host in ("evil.example", f"evil.example:{web.port}", "localhost.evil.example"):
        more = (f"Origin: http://{host}", "X-Forwarded-Host: localhost", "Forwarded: host=localhost", *UPGRADE)
        reply = ask(web.port, target, "Content-Length: 0", *more, method=method, host=host)
        assert reply.status == 421
        assert b"<" not in reply.body
    assert not hooks.asked
    assert not web.server.places.connections()


def test_a_name_that_the_operator_has_given(tmp_path: Path) -> None:
    """It comes in, and so does its page's socket."""
    with running_web(tmp_path, web_name=("chat.example",)) as web:
        assert ask(web.port, "/", host="chat.example").status == 200
        assert ask(web.port, "/chat", "Origin: http://chat.example", *UPGRADE, host="chat.example").status == 101
        assert ask(web.port, "/", host="other.example").status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:{port}",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:{port}.evil.example",
        "null",
        "file://",
    ],
)
def test_a_foreign_page_gets_no_socket(web: Web, origin: str) -> None:
    """Not even one of this machine, at another name or port, or a sandboxed frame."""
    reply = ask(web.port, "/chat", f"Origin: {origin.format(port=web.port)}", *UPGRADE)
    assert reply.status == 403
    assert not web.server.places.connections()


@pytest.mark.parametrize(
    ("target", "allowed"), [("/", "GET, HEAD"), ("/chat", "GET"), ("/healthz", "GET, HEAD"), ("/nothing", "GET, HEAD")]
)
def test_other_methods_are_refused(web: Web, target: str, allowed: str) -> None:
    """With those that would do. No page of another site is told that it may ask (CORS)."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"):
        reply = ask(web.port, target, "Content-Length: 0", "Origin: http://evil.example", method=method)
        assert (reply.status, reply.fields["allow"]) == (405, allowed)
        assert not [field for field in reply.fields if field.startswith("access-control")]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1", 400),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example", 421),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM", 505),
        ("GET / HTTP/1.0", 400),
        ("GET / HTTP/1.1", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example", 400),
        ("GET /chat HTTP/1.0\r\nHost: localhost\r\n" + "\r\n".join(UPGRADE), 505),
        ("GET /chat HTTP/1.1\r\nHost: localhost\r\n" + "\r\n".join(UPGRADE[:2]), 400),
        ("GET /chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n" + "\r\n".join(UPGRADE), 400),
        ("GET /chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + "\r\n".join(UPGRADE), 501),
        ("GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade", 426),
    ],
)
def test_strange_requests_are_refused(web: Web, head: str, status: int) -> None:
    """Those of a proxy's client, of another version, and sockets that are none."""
    assert send(web.port, f"{head}\r\n\r\n".encode()).status == status
    assert not web.server.places.connections()


def test_what_follows_a_request_is_not_another_one(web: Web) -> None:
    """Nothing can be smuggled behind it."""
    twice = f"GET /nothing HTTP/1.1\r\nHost: {web.host}\r\n\r\nGET / HTTP/1.1\r\nHost: {web.host}\r\n\r\n"
    reply = send(web.port, twice.encode())
    assert (reply.status, b"html" in reply.body) == (404, False)


# -- the socket -------------------------------------------------------------------------------------------------------
def test_a_page_chats_with_a_terminal(web: Web) -> None:
    """Over its socket, with lines of JSON."""
    with connect(f"ws://{web.host}/chat", origin=Origin(f"http://{web.host}"), open_timeout=PATIENCE) as page:
        assert '"hello"' in page.recv(PATIENCE)
        page.send(f'{{"command":"register","username":"alice","password":"{PASSWORD}"}}')
        assert '"login_ok"' in page.recv(PATIENCE)
        with enter(web.server.port, "bob") as bob:
            page.send('{"command":"pm","message":"hi"}')
            assert bob.read_type("broadcast")["message"] == "hi"


def test_long_cookies_keep_no_page_from_its_socket(web: Web) -> None:
    """On localhost a browser sends those of all that runs there, in a line as long as a head may be."""
    assert ask(web.port, "/chat", f"Cookie: {'x' * 15_000}", *UPGRADE).status == 101


def test_a_program_needs_no_origin(web: Web) -> None:
    """Only browsers send one."""
    with connect(f"ws://{web.host}/chat", open_timeout=PATIENCE) as page:
        assert '"hello"' in page.recv(PATIENCE)


def test_who_gets_a_socket_is_watched_for_the_login(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time counts from then on, which may be long after it was accepted; others have no login to be late for."""
    watched: list[bool] = []
    monkeypatch.setattr(routes_of(web.server), "_on_client", lambda: watched.append(True))
    ask(web.port, "/")
    ask(web.port, "/chat", "Origin: null", *UPGRADE)
    with connect(f"ws://{web.host}/chat", open_timeout=PATIENCE):
        until(lambda: watched)
    assert watched == [True]


def test_a_page_that_finds_no_place_is_told_on_its_socket(tmp_path: Path) -> None:
    """In the words of every other client, so that it can show them."""
    with running_web(tmp_path, max_per_address=1) as web, enter(web.server.port, "alice"):
        with connect(f"ws://{web.host}/chat", open_timeout=PATIENCE) as page:
            lines = list(page)
        assert '"too_many_connections"' in "".join(map(str, lines))
        assert len(web.server.places.connections()) == 1


# -- behind a proxy ---------------------------------------------------------------------------------------------------
def peer_of(web: Web, *fields: str) -> tuple[str, str]:
    """The peer of a socket as the log names it, and the address that its limits count for."""
    with connect(
        f"ws://{web.host}/chat",
        additional_headers=[tuple(field.split(": ")) for field in fields],  # type: ignore[misc]
        open_timeout=PATIENCE,
    ) as page:
        page.recv(PATIENCE)
        (connection,) = web.server.places.connections()
        return connection.session.peer, connection.session.origin.address


def test_a_trusted_proxy_says_who_comes(tmp_path: Path) -> None:
    """Its last word counts, in the limits and in the log."""
    with running_web(tmp_path, trusted_proxy=(ip_network("127.0.0.1"),)) as web:
        peer, address = peer_of(web, "X-Forwarded-For: 198.51.100.9, 192.0.2.7")
        assert (peer, address) == ("192.0.2.7", "192.0.2.7")


def test_others_say_nothing_of_it(web: Web) -> None:
    """The limits cannot be led to another address, nor the scheme to another word."""
    peer, address = peer_of(web, "X-Forwarded-For: 192.0.2.7", "X-Real-IP: 192.0.2.7", "Forwarded: for=192.0.2.7")
    assert (peer.partition(":")[0], address) == ("127.0.0.1", "127.0.0.1")
    secure = ("Origin: https://127.0.0.1", "X-Forwarded-Proto: https")
    assert ask(web.port, "/chat", *secure, *UPGRADE, host="127.0.0.1").status == 403


def test_the_scheme_is_that_between_browser_and_proxy(tmp_path: Path) -> None:
    """The origin and the policy go by it, and only then browsers are held to TLS."""
    with running_web(tmp_path, trusted_proxy=(ip_network("127.0.0.1"),), hsts=100) as web:
        page = ask(web.port, "/", "X-Forwarded-Proto: https", host="localhost")
        assert "wss://localhost;" in page.fields["content-security-policy"]
        assert page.fields["strict-transport-security"] == "max-age=100"
        for proto, status in (("https", 101), ("http", 403)):
            fields = ("Origin: https://localhost", f"X-Forwarded-Proto: {proto}", *UPGRADE)
            assert ask(web.port, "/chat", *fields, host="localhost").status == status
        assert ask(web.port, "/", "X-Forwarded-Host: localhost", host="evil.example").status == 421


# -- webhooks ---------------------------------------------------------------------------------------------------------
def test_what_is_posted_comes_to_the_hooks(web: Web, hooks: Hooks) -> None:
    """Whole, with what the request says of it, and a deadline of some seconds."""
    fields = ("Content-Type: text/plain", "Idempotency-Key: k1", "Content-Length: 2")
    reply = ask(web.port, "/hook/s3cret?x=1", *fields, method="POST", body=b"hi")
    assert (reply.status, reply.body, reply.fields["content-type"]) == (200, b"{}", "application/json")
    (asked,) = hooks.asked
    assert asked[:4] == ("s3cret", "text/plain", "k1", b"hi")
    assert asked.origin == origin.Origin("127.0.0.1", "127.0.0.1")
    assert asked.deadline <= time.monotonic() + POST_TIME


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), 411),
        (("Transfer-Encoding: chunked",), 501),
        ((f"Content-Length: {BODY_BYTES + 1}",), 413),
        (("Content-Length: 2", "Expect: miracles"), 417),
    ],
)
def test_bodies_that_are_not_taken(web: Web, hooks: Hooks, fields: tuple[str, ...], status: int) -> None:
    """The peer can read why, though it is still sending."""
    reply = ask(web.port, "/hook/s3cret", *fields, method="POST", body=b"x" * 2 * BODY_BYTES)
    assert reply.status == status
    assert not hooks.asked


def test_a_hook_is_only_posted_to(web: Web, hooks: Hooks) -> None:
    """A link to it does nothing."""
    for method in ("GET", "HEAD", "PUT"):
        reply = ask(web.port, "/hook/s3cret", method=method)
        assert (reply.status, reply.fields["allow"]) == (405, "POST")
    assert not hooks.asked


# -- the health -------------------------------------------------------------------------------------------------------
def test_the_health_is_for_everyone_and_tells_no_more(tmp_path: Path) -> None:
    """Whatever the Host; and not why, where something is wrong."""
    database = tmp_path / "chat.db"
    with running_web(tmp_path) as web, closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reply = ask(web.port, "/healthz", host="10.0.0.1.lb.example")
        assert (reply.status, reply.body) == (503, b"not available\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_service_that_is_well(web: Web, method: str) -> None:
    """Says so, and from a stop on no more."""
    reply = ask(web.port, "/healthz", host="lb.example", method=method)
    assert (reply.status, reply.body) == (200, b"ok\n" if method == "GET" else b"")
    web.server.drain()
    assert ask(web.port, "/healthz", method=method).status == 503
    assert ask(web.port, "/").status == 200


# -- the log ----------------------------------------------------------------------------------------------------------
def test_the_log_has_nothing_of_a_request_but_method_and_path(
    web: Web, hooks: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a path its beginning, and of that of a hook nothing."""
    caplog.set_level(logging.DEBUG)
    ask(
        web.port,
        f"/{'long' * 50}?query",
        "Cookie: biscuit",
        "Referer: http://elsewhere.example",
        host="foreign.example",
    )
    ask(web.port, f"/{'long' * 50}?query", "Cookie: biscuit")
    ask(web.port, "/hook/s3cret", "Content-Length: 4", method="POST", body=b"text")
    ask(web.port, "/hook/s3cret")
    send(web.port, b"GET /hook/s3cret\x1b[2J HTTP/1.1\r\n\r\n")
    for word in ("biscuit", "elsewhere", "foreign", "query", "s3cret", "text\n", "\x1b", "long" * 25):
        assert word not in caplog.text
    assert "GET /longlong" in caplog.text
    assert "POST /hook/:" in caplog.text
    assert len(hooks.asked) == 1
