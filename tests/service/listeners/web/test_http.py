"""service/listeners/web/http.py: which requests can be read, within which bounds, and how answers are written."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.listeners.web.answer import Answer, tell
from service.listeners.web.http import (
    BODY_BYTES,
    HEAD_BYTES,
    HEAD_FIELDS,
    POST_TIME,
    Request,
    RequestError,
    parse,
    read_body,
    read_request,
    serialize,
    write,
)
from tests.support.visits import in_ways, visit_of

GET = b"GET /main.js?v=1 HTTP/1.1\r\nHost: localhost:8080\r\nAccept: a\r\naccept: b\r\n\r\n"


def read(*pieces: bytes) -> Request:
    request = read_request(visit_of(*pieces)[0])
    assert request is not None
    return request


def status_of(head: bytes) -> int:
    """The status that a head is refused with."""
    with pytest.raises(RequestError) as caught:
        read(head)
    return caught.value.answer.status


def head(*fields: str, method: str = "GET", target: str = "/", version: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {target} {version}", "Host: localhost", *fields]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


# -- heads ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("pieces", in_ways(GET))
def test_a_head_is_read_however_it_comes(pieces: list[bytes]) -> None:
    """Names of fields in small letters, values as they came; a field that came twice has no one value."""
    request = read(*pieces)
    assert (request.method, request.target, request.path, request.version) == ("GET", "/main.js?v=1", "/main.js", "1.1")
    assert (request.head, request.rest) == (GET, b"")
    assert (request.value("host"), request.value("accept")) == ("localhost:8080", None)
    assert (request.values("accept"), request.value("cookie")) == (["a", "b"], None)


def test_what_follows_the_head_is_kept() -> None:
    """A browser may send before it has its answer."""
    request = read(GET + b"more")
    assert (request.head, request.rest) == (GET, b"more")


def test_one_that_leaves_within_the_head_gets_no_answer() -> None:
    """Nor one that says nothing at all."""
    for pieces in ((), (GET[:-1],)):
        visit, fake = visit_of(*pieces)
        assert (read_request(visit), fake.sent) == (None, b"")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\n\r\n", 400),
        (GET.replace(b"\r\n", b"\n"), 400),
        (GET.replace(b"Accept: a\r\n", b"Accept: a\n"), 400),
        (GET.replace(b"Accept: a", b"Accept : a"), 400),
        (GET.replace(b"Accept: a", b"Accept: a\r\n folded"), 400),
        (GET.replace(b"Accept: a", b"Accept: a\0"), 400),
        (GET.replace(b"Accept: a", b"Accept: a\rb"), 400),
        (GET.replace(b"Accept: a", b"Host: other"), 400),
        (GET.replace(b"Host: localhost:8080\r\n", b""), 400),
        (GET.replace(b"/main", b"/m ain"), 400),
        (GET.replace(b"/main", b"/m\0ain"), 400),
        (GET.replace(b"/main", "/mä".encode()), 400),
        (GET.replace(b"HTTP/1.1", b"HTTP/2.0"), 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (head("Transfer-Encoding: chunked"), 501),
        (head("Transfer-Encoding: gzip, chunked"), 501),
        (head("Transfer-Encoding: chunked", "Content-Length: 3", method="POST"), 501),
        (head("Content-Length: 1"), 400),
        (head("Content-Length: 1", method="HEAD"), 400),
        (head(method="POST"), 411),
        (head("Content-Length: x", method="POST"), 400),
        (head("Content-Length: -1", method="POST"), 400),
        (head("Content-Length: +1", method="POST"), 400),
        (head("Content-Length: 1", "Content-Length: 2", method="POST"), 400),
        (head("Content-Length: 1, 2", method="POST"), 400),
        (head(f"Content-Length: {BODY_BYTES + 1}", method="POST"), 413),
        (head(f"Content-Length: {'9' * 20}", method="POST"), 413),
        (head(f"Content-Length: {'9' * 21}", method="POST"), 400),
    ],
)
def test_what_is_refused(data: bytes, status: int) -> None:
    """What cannot be read in one way only, and bodies that are too large or of unknown length."""
    assert status_of(data) == status


def test_a_head_at_the_limit_and_one_byte_more() -> None:
    """The limit is that of the whole head, also where it comes in one piece."""
    fill = HEAD_BYTES - len(head("A: "))
    assert len(read(head(f"A: {'x' * fill}")).head) == HEAD_BYTES
    assert status_of(head(f"A: {'x' * (fill + 1)}")) == 431
    assert status_of(b"GET / HTTP/1.1\r\nA: " + b"x" * HEAD_BYTES) == 431


def test_fields_at_the_limit_and_one_more() -> None:
    """Host is one of them."""
    assert len(read(head(*["A: b"] * (HEAD_FIELDS - 1))).fields) == HEAD_FIELDS
    assert status_of(head(*["A: b"] * HEAD_FIELDS)) == 431


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b"GET / HTTP/1.1\r\nHost: " + data))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    """Nothing else comes out of them."""
    try:
        words = parse(data + b"\r\n\r\n").target
    except RequestError as error:
        words = error.answer.body.decode().strip()
    assert words.isprintable()


# -- bodies -----------------------------------------------------------------------------------------------------------
def posted(*pieces: bytes) -> tuple[bytes | None, bytes]:
    """The body of a POST that comes in these pieces, and what was sent meanwhile."""
    visit, fake = visit_of(*pieces)
    request = read_request(visit)
    assert request is not None
    return read_body(visit, request), fake.sent


def test_a_body_is_read_however_it_comes() -> None:
    """Bytes beyond its length are not part of it."""
    for pieces in in_ways(head("Content-Length: 5", method="POST") + b"hello" + b"GET / HTTP/1.1"):
        assert posted(*pieces) == (b"hello", b"")


def test_the_longest_body() -> None:
    """The limit itself is taken."""
    body = b"x" * BODY_BYTES
    assert posted(head(f"Content-Length: {BODY_BYTES}", method="POST"), body) == (body, b"")


def test_a_body_that_breaks_off() -> None:
    """Is none."""
    assert posted(head("Content-Length: 5", method="POST"), b"hell") == (None, b"")


def test_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    """Unless the body has come already, or HTTP/1.0 is spoken, which knows no such answer."""
    expecting = head("Content-Length: 2", "Expect: 100-Continue", method="POST")
    assert posted(expecting, b"hi") == (b"hi", b"HTTP/1.1 100 Continue\r\n\r\n")
    assert posted(expecting + b"hi") == (b"hi", b"")
    assert posted(expecting.replace(b"HTTP/1.1", b"HTTP/1.0"), b"hi") == (b"hi", b"")


def test_another_expectation_is_refused() -> None:
    """With the status that is there for it."""
    with pytest.raises(RequestError) as caught:
        posted(head("Content-Length: 2", "Expect: miracles", method="POST"))
    assert caught.value.answer.status == 417


def test_a_post_has_less_time() -> None:
    """Its deadline moves; that of a page stays."""
    post, _ = visit_of(head("Content-Length: 2", method="POST"))
    page, _ = visit_of(GET)
    now = time.monotonic()
    read_request(post)
    read_request(page)
    assert post.deadline <= time.monotonic() + POST_TIME
    assert page.deadline > now + 10 * POST_TIME


# -- answers ----------------------------------------------------------------------------------------------------------
def test_an_answer_is_written_whole() -> None:
    """Status, fields, and the body behind them; nothing more comes on this connection."""
    visit, fake = visit_of()
    write(visit, tell(421, "no", (("Retry-After", "5"),)), (("X-Further", "y"),))
    assert re.sub(rb"Date: [^\r]+ GMT\r\n", b"", fake.sent) == (
        b"HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n"
        b"Retry-After: 5\r\nCache-Control: no-store\r\nX-Further: y\r\nConnection: close\r\n\r\n"
        b"Misdirected Request: no\n"
    )


def test_head_gets_the_length_and_no_body() -> None:
    """As GET would."""
    answer = Answer(200, b"hello")
    assert serialize(answer, (), "GET") == serialize(answer, (), "HEAD") + b"hello"


def test_an_answer_says_itself_how_it_is_kept() -> None:
    """Where it does, nothing else is said of that."""
    written = serialize(Answer(200, b"hello", fields=(("Cache-Control", "no-cache"),)), ())
    assert re.findall(rb"Cache-Control: (.*)\r\n", written) == [b"no-cache"]


def test_what_is_unchanged_has_no_body_and_no_length() -> None:
    """Whatever the answer holds."""
    written = serialize(Answer(304, b"hello"), ())
    assert written.endswith(b"\r\n\r\n")
    assert b"Content-" not in written
