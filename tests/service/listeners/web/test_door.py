"""service/listeners/web/door.py: who is turned away, and what a browser is told of the page."""

from __future__ import annotations

import pytest

from service.listeners.web.door import Caller, check_host, check_origin, security_fields
from service.listeners.web.http import RequestError, parse

NAMES = frozenset({"chat.example", "*.lab.example"})


def check(host: str) -> int:
    """The status for that Host; 200 if it may come in."""
    try:
        check_host(NAMES, parse(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")))
    except RequestError as error:
        return error.answer.status
    return 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8080",
        "127.0.0.1",
        "192.0.2.7:443",
        "[::1]",
        "[2001:db8::1]:8080",
        "chat.example",
        "CHAT.example:8443",
        "a.lab.example",
    ],
)
def test_own_names_and_all_addresses_come_in(host: str) -> None:
    """With a port or without, in letters of any size; a star in a certificate's name is one label."""
    assert check(host) == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:12000", 421),
        ("chat.example.evil.example", 421),
        ("xchat.example", 421),
        ("chat.example.", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.1", 421),
        ("2130706433", 421),
        ("0x7f.0.0.1", 421),
        ("lab.example", 421),
        ("a.b.lab.example", 421),
        ("[cafe]", 421),
        ("", 400),
        ("chat.example, evil.example", 400),
        ("user@chat.example", 400),
        ("chat.example/evil", 400),
        ("chat.example:", 400),
        ("chat.example:x", 400),
        ("chat.example:65536", 400),
        ("chat.example:123456", 400),
        ("::1", 400),
        ("[::1", 400),
        ("[fe80::1%eth0]", 400),
        ("chat.example; script-src *", 400),
        ("ch\xe4t.example", 400),
    ],
)
def test_other_names_are_turned_away(host: str, status: int) -> None:
    """Foreign names that lead here (DNS rebinding), look-alikes, and what is no name at all."""
    assert check(host) == status


def test_no_host_at_all() -> None:
    """As HTTP/1.0 allows: nothing tells how the browser calls this service."""
    with pytest.raises(RequestError) as caught:
        check_host(NAMES, parse(b"GET / HTTP/1.0\r\n\r\n"))
    assert caught.value.answer.status == 400


def origin_comes_in(caller: Caller, *origins: str) -> bool:
    lines = "".join(f"Origin: {origin}\r\n" for origin in origins)
    try:
        check_origin(caller, parse(f"GET /chat HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()))
    except RequestError as error:
        return error.answer.status != 403
    return True


@pytest.mark.parametrize(
    ("origins", "comes_in"),
    [
        ((), True),
        (("https://chat.example:8443",), True),
        (("HTTPS://Chat.example:8443",), True),
        (("http://chat.example:8443",), False),
        (("https://chat.example",), False),
        (("https://chat.example:84430",), False),
        (("https://evil.example:8443",), False),
        (("https://chat.example:8443.evil.example",), False),
        (("https://chat.example:8443/",), False),
        (("null",), False),
        (("",), False),
        (("https://chat.example:8443", "https://evil.example"), False),
        (("https://evil.example", "https://chat.example:8443"), False),
        (("https://chat.example:8443 https://evil.example",), False),
    ],
)
def test_only_the_own_page_gets_a_socket(origins: tuple[str, ...], comes_in: bool) -> None:
    """Scheme, name and port are those of this request; a program sends no Origin."""
    assert origin_comes_in(Caller("https", "Chat.example:8443"), *origins) is comes_in


def test_the_page_may_connect_to_its_own_socket_only() -> None:
    """And run and show nothing that is not this service's."""
    fields = dict(security_fields(Caller("https", "chat.example:8443"), 0))
    assert fields["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; "
        "connect-src 'self' wss://chat.example:8443; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    plain = dict(security_fields(Caller("http", "127.0.0.1:8080"), 0))
    assert "connect-src 'self' ws://127.0.0.1:8080;" in plain["Content-Security-Policy"]
    by_number = dict(security_fields(Caller("http", "[::1]:8080"), 0))
    assert "connect-src 'self';" in by_number["Content-Security-Policy"]  # a policy knows no IPv6 addresses
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Referrer-Policy"] == "no-referrer"
    assert fields["Cross-Origin-Opener-Policy"] == fields["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "microphone=()" in fields["Permissions-Policy"]


def test_an_answer_to_an_unchecked_name_may_connect_to_nothing() -> None:
    """The name of the attacker does not get into the policy."""
    assert "connect-src 'none';" in dict(security_fields(None, 100))["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("scheme", "seconds", "told"), [("https", 100, True), ("http", 100, False), ("https", 0, False)]
)
def test_browsers_are_held_to_tls_only_where_the_operator_says_so(scheme: str, seconds: int, told: bool) -> None:
    """And only over TLS, where they heed it."""
    fields = dict(security_fields(Caller(scheme, "chat.example"), seconds))
    assert fields.get("Strict-Transport-Security") == (f"max-age={seconds}" if told else None)
