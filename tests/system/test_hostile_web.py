"""The worst requests and frames at the web port, while others chat: each gets its refusal, and harms nobody."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.listeners.visitors import Visitors
from tests.support.doors import Door, open_door
from tests.support.hall import ROUNDS, Hall, open_hall
from tests.support.helpers import PATIENCE, running_server, until
from tests.support.wires import WebWire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tls import Authority, Pair

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GO_ON: Final = 0  # the opcode of a fragment that is not the first
KEY: Final = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
UPGRADE: Final = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", KEY)
PONG_REPLY: Final = b'{"command":"ping","ref":"g"}'


class Place(NamedTuple):
    """Who chats, and the door beside them."""

    hall: Hall
    door: Door


@pytest.fixture(scope="module", name="place")
def shared_place(tmp_path_factory: pytest.TempPathFactory, authority: Authority, pair: Pair) -> Iterator[Place]:
    """One for all rows: what one breaks, the next one finds broken."""
    door = open_door("web", authority, pair)
    with open_hall(tmp_path_factory.mktemp("hall"), door) as hall:
        yield Place(hall, door)


@pytest.fixture(autouse=True)
def no_incident(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing a client says is the service's own failure, and no thread stays with it."""
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before)
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, flags: int = 0, size: int | None = None) -> bytes:
    """A frame with a mask of zeros; `size` is what it says of its payload, where that is not so."""
    said = len(payload) if size is None else size
    length = bytes([said | 0x80]) if said < 126 else b"\xfe" + said.to_bytes(2, "big") if said < 65_536 else b""
    return bytes([last << 7 | flags | opcode]) + (length or b"\xff" + said.to_bytes(8, "big")) + bytes(4) + payload


# -- frames -----------------------------------------------------------------------------------------------------------
LINE: Final = b'{"command":"pm","message":"%s"}'
WRONG_FRAMES: Final = {
    "binary": (frame(BINARY, b"{}"), 1003),
    "binary without content": (frame(BINARY), 1003),
    "not UTF-8": (frame(TEXT, LINE % b"\xff"), 1007),
    "overlong UTF-8": (frame(TEXT, LINE % b"\xc0\x80"), 1007),
    "a surrogate": (frame(TEXT, LINE % b"\xed\xa0\x80"), 1007),
    "half a character at the end": (frame(TEXT, b"{}\xf0\x9f\x98"), 1007),
    "half a character, and a ping": (frame(TEXT, b"\xf0\x9f", last=False) + frame(PING) + frame(GO_ON, b"{}"), 1007),
    "no mask": (b"\x81\x02{}", 1002),
    "a reserved flag": (frame(TEXT, b"{}", flags=0x40), 1002),
    "a reserved opcode": (frame(3, b"{}"), 1002),
    "a reserved control": (frame(11), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "half a ping": (frame(PING, last=False), 1002),
    "the middle of nothing": (frame(GO_ON, b"{}"), 1002),
    "a text in a text": (frame(TEXT, b"{", last=False) + frame(TEXT, b"}"), 1002),
    "half a code": (frame(CLOSE, b"\x03"), 1002),
    "a code that is none": (frame(CLOSE, (999).to_bytes(2, "big")), 1002),
    "a code for nobody to send": (frame(CLOSE, (1006).to_bytes(2, "big")), 1002),
    "a reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "too long": (frame(TEXT, b" " * 65_537), 1009),
    "said to be too long": (frame(TEXT, size=1 << 40), 1009),
    "as long as can be said": (frame(TEXT, size=(1 << 63) - 1), 1009),
    "too long in all": (frame(TEXT, b" " * 40_000, last=False) + frame(GO_ON, b" " * 40_000, last=False), 1009),
    "in too many pieces": (frame(TEXT, last=False) + frame(GO_ON, last=False) * 256, 1009),
}


@pytest.mark.parametrize(("data", "code"), WRONG_FRAMES.values(), ids=WRONG_FRAMES)
def test_a_wrong_frame_ends_its_connection(place: Place, data: bytes, code: int) -> None:
    """With a word and the code; nothing is stored, and the others' talk is whole."""
    hall = place.hall
    with place.door.enter(hall.server, "eve") as eve:
        assert isinstance(eve, WebWire)
        messages, users = hall.stored()
        hall.talk_while(lambda: eve.send_raw(data))
        words = [line.get("code", line.get("reason")) for line in eve.read_to_end() if line.get("type") != "broadcast"]
        assert words[-2:] == ["line_too_long" if code == 1009 else "bad_request", "kicked"]
        assert eve.protocol.close_code == code
    assert hall.stored() == (messages + 4 * ROUNDS, users)


BIG: Final = b" " * (65_536 - len(PONG_REPLY)) + PONG_REPLY
RIGHT_FRAMES: Final = {
    "without a line end": frame(TEXT, PONG_REPLY),
    "many lines in one": frame(TEXT, b"\n\r\n  \n" + PONG_REPLY + b"\r\n" + b"\n" * 1_000),
    "byte by byte": frame(TEXT, PONG_REPLY[:1], last=False)
    + b"".join(frame(GO_ON, PONG_REPLY[n : n + 1], last=n == len(PONG_REPLY) - 1) for n in range(1, len(PONG_REPLY))),
    "pings in between": frame(TEXT, PONG_REPLY[:5], last=False)
    + frame(PING, b"x" * 125)
    + frame(GO_ON, PONG_REPLY[5:]),
    "empty pieces": frame(TEXT, last=False) + frame(GO_ON, last=False) * 100 + frame(GO_ON, PONG_REPLY),
    "nothing, often": frame(TEXT) * 1_000 + frame(TEXT, PONG_REPLY),
    "pongs that nobody asked for": frame(PONG, b"x") * 1_000 + frame(TEXT, PONG_REPLY),
    "as long as may be": frame(TEXT, BIG),
    "a long way to say how long": b"\x81\xff" + len(PONG_REPLY).to_bytes(8, "big") + bytes(4) + PONG_REPLY,
}


@pytest.mark.parametrize("data", RIGHT_FRAMES.values(), ids=RIGHT_FRAMES)
def test_an_odd_frame_that_is_right_gets_its_answer(place: Place, data: bytes) -> None:
    """What a WebSocket allows is done, however it looks; empty lines and messages are nothing."""
    eve = place.hall.mallory
    eve.read_until_pong()
    place.hall.talk_while(lambda: eve.send_raw(data))
    answers = [line for line in eve.read_until_pong() if line["type"] != "broadcast"]
    assert [line.get("ref") for line in answers] == ["g"]


SAID: Final = st.sampled_from(
    (PONG_REPLY, LINE % b"hi", b'{"command":"history"}', b"\n", b"[", b"\xff", b"\xf0\x9f", b"")
)
PIECES: Final = st.lists(
    st.builds(
        lambda opcode, payload, last, flags: frame(opcode, payload, last=last, flags=flags),
        st.sampled_from((TEXT, GO_ON) * 4 + tuple(range(16))),
        SAID | st.binary(max_size=130),
        st.booleans(),
        st.sampled_from((0, 0, 0, 0x40, 0x10)),
    )
    | st.binary(max_size=20),
    max_size=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES)
def test_whatever_comes_in_frames_ends_well(place: Place, pieces: list[bytes]) -> None:
    """The connection ends without a failure of the service's, and those who chat are answered."""
    with place.door.enter(place.hall.server, "eve") as eve:
        eve.send_raw(b"".join(pieces))
        with suppress(ConnectionError):  # it is cut off with some of this unread
            eve.socket.shutdown(socket.SHUT_WR)
            eve.read_to_end()
    assert [wire.ask("ping")["type"] for wire in place.hall.others] == ["pong", "pong"]


# -- requests ---------------------------------------------------------------------------------------------------------
def head(*fields: str, line: str = "GET / HTTP/1.1", host: str | None = "localhost") -> bytes:
    """The head of a request; what is a code below 256 is that byte."""
    named = [] if host is None else [f"Host: {host}"]
    return "".join(f"{each}\r\n" for each in (line, *named, *fields, "")).encode("latin-1")


def ask(door: Door, place: Place, data: bytes) -> bytes:
    """What comes for these bytes, up to the end."""
    with socket.create_connection(("127.0.0.1", door.port(place.hall.server)), PATIENCE) as wire:
        wire.sendall(data)
        received = b""
        try:
            while more := wire.recv(65_536):
                received += more
        except ConnectionResetError:
            pass  # some of it was not read
        return received


CHAT: Final = "GET /chat HTTP/1.1"
BODY: Final = ("Content-Type: text/plain", "Content-Length: 2")
WRONG_REQUESTS: Final = {
    # Smuggling: what an intermediary could take for the beginning of another request.
    "two lengths": (head("Content-Length: 1", "Content-Length: 2", line="POST /hook/x HTTP/1.1") + b"hi", {400}),
    "a list of lengths": (head("Content-Length: 2, 3", line="POST /hook/x HTTP/1.1") + b"hi", {400}),
    "a length with a sign": (head("Content-Length: +2", line="POST /hook/x HTTP/1.1") + b"hi", {400}),
    "a length below nothing": (head("Content-Length: -1", line="POST /hook/x HTTP/1.1") + b"hi", {400}),
    "a length that is none": (head("Content-Length: 0x2", line="POST /hook/x HTTP/1.1") + b"hi", {400}),
    "a huge length": (head("Content-Length: " + "9" * 30, line="POST /hook/x HTTP/1.1") + b"hi", {400, 413}),
    "chunks": (head("Transfer-Encoding: chunked", line="POST /hook/x HTTP/1.1") + b"0\r\n\r\n", {501}),
    "chunks and a length": (
        head("Content-Length: 5", "Transfer-Encoding: chunked", line="POST /hook/x HTTP/1.1") + b"0\r\n\r\n",
        {400, 501},
    ),
    "odd chunks": (head("Transfer-Encoding: xchunked", line="POST /hook/x HTTP/1.1") + b"0\r\n\r\n", {400, 501}),
    "a page with chunks": (head("Transfer-Encoding: chunked") + b"0\r\n\r\n", {400, 501}),
    "a page with a body": (head("Content-Length: 2") + b"hi", {400, 413}),
    "an upgrade with a body": (head(*UPGRADE, "Content-Length: 2", line=CHAT) + b"hi", {400}),
    "an upgrade with chunks": (head(*UPGRADE, "Transfer-Encoding: chunked", line=CHAT) + b"0\r\n\r\n", {400, 501}),
    "a space before the colon": (head("X : y"), {400}),
    "a folded field": (head("X: y", " z"), {400}),
    "a field without a name": (head(": y"), {400}),
    "NUL in a field": (head("X: a\0b"), {400}),
    "CR in a field": (head("X: a\rb"), {400}),
    "NUL in the path": (head(line="GET /\0 HTTP/1.1"), {400}),
    "a space in the path": (head(line="GET / / HTTP/1.1"), {400}),
    "letters beyond ASCII": (head(line="GET /\xe9 HTTP/1.1"), {400, 404}),
    # Other protocols, and other forms of a target.
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 421, 505}),
    "HTTP/0.9": (b"GET /\r\n\r\n", {400}),
    "HTTP/3.0": (head(line="GET / HTTP/3.0"), {400, 505}),
    "lines of JSON": (b'{"command":"ping"}\r\n\r\n', {400}),
    "CONNECT": (head(line="CONNECT localhost:80 HTTP/1.1"), {400, 405}),
    "a proxy's form": (head(line="GET http://localhost/ HTTP/1.1"), {400, 404}),
    "a proxy's form, elsewhere": (head(line="GET http://evil.example/ HTTP/1.1"), {400, 404, 421}),
    "all of it": (head(line="OPTIONS * HTTP/1.1"), {400, 405}),
    "TRACE": (head(line="TRACE / HTTP/1.1"), {405}),
    "POST to the page": (head(*BODY, line="POST / HTTP/1.1") + b"hi", {405}),
    "PUT": (head(*BODY, line="PUT /style.css HTTP/1.1") + b"hi", {400, 405}),
    "GET of a hook": (head(line="GET /hook/x HTTP/1.1"), {405}),
    # Paths.
    "up": (head(line="GET /../etc/passwd HTTP/1.1"), {400, 404}),
    "up, escaped": (head(line="GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), {400, 404}),
    "two slashes": (head(line="GET //etc/passwd HTTP/1.1"), {400, 404}),
    "a drive": (head(line="GET /C:\\ HTTP/1.1"), {400, 404}),
    "NUL, escaped": (head(line="GET /style.css%00 HTTP/1.1"), {400, 404}),
    "an escaped letter": (head(line="GET /%73tyle.css HTTP/1.1"), {400, 404}),
    "the folder's index": (head(line="GET /index.html HTTP/1.1"), {404}),
    "a module of Python": (head(line="GET /__init__.py HTTP/1.1"), {404}),
    "no slash": (head(line="GET style.css HTTP/1.1"), {400, 404}),
    "a long path": (head(line=f"GET /{'x' * 20_000} HTTP/1.1"), {400, 414, 431}),
    # Hosts, as for DNS rebinding.
    "no host": (head(host=None), {400}),
    "two hosts": (head("Host: evil.example"), {400}),
    "an empty host": (head(host=""), {400, 421}),
    "another host": (head(host="evil.example"), {421}),
    "a host that begins as ours": (head(host="localhost.evil.example"), {421}),
    "a host that ends as ours": (head(host="evil-localhost"), {421}),
    "a user at ours": (head(host="evil.example@localhost"), {400, 421}),
    "ours as a user": (head(host="localhost@evil.example"), {400, 421}),
    "ours and a path": (head(host="localhost/evil.example"), {400, 421}),
    "ours and a port that is none": (head(host="localhost:evil"), {400, 421}),
    "ours and two ports": (head(host="localhost:80:80"), {400, 421}),
    "two in one": (head(host="localhost, evil.example"), {400, 421}),
    "half an IPv6 address": (head(host="[::1"), {400, 421}),
    "an IPv6 address without brackets": (head(host="::1"), {400, 421}),
    "a name in brackets": (head(host="[localhost]"), {400, 421}),
    "a number that some take for an address": (head(host="2130706433.evil.example"), {421}),
    "another host by a proxy's word": (head("X-Forwarded-Host: localhost", host="evil.example"), {421}),
    # Heads that are too large.
    "too many fields": (head(*(f"X{n}: y" for n in range(101))), {400, 431}),
    "a field too long": (head("X: " + "y" * 20_000), {400, 431}),
    # Upgrades.
    "an upgrade elsewhere": (head(*UPGRADE, line="GET /chat/ HTTP/1.1"), {400, 404}),
    "an upgrade of the page": (head(*UPGRADE), {200, 400, 404}),
    "an upgrade of HTTP/1.0": (head(*UPGRADE, line="GET /chat HTTP/1.0"), {400, 426, 505}),
    "no upgrade": (head(line=CHAT), {400, 426}),
    "an upgrade to HTTP/2": (head("Upgrade: h2c", "Connection: Upgrade", line=CHAT), {400, 426}),
    "no key": (head(*UPGRADE[:-1], line=CHAT), {400}),
    "a short key": (head(*UPGRADE[:-1], "Sec-WebSocket-Key: AAAA", line=CHAT), {400}),
    "two keys": (head(*UPGRADE, KEY, line=CHAT), {400}),
    "an older version": (head(*UPGRADE[:2], "Sec-WebSocket-Version: 8", KEY, line=CHAT), {400, 426}),
    "from another page": (head(*UPGRADE, "Origin: http://evil.example", line=CHAT), {403}),
    "from a page of another scheme": (head(*UPGRADE, "Origin: https://localhost", line=CHAT), {403}),
    "from a page at another port": (head(*UPGRADE, "Origin: http://localhost:1", line=CHAT), {403}),
    "from a file, or a frame in a sandbox": (head(*UPGRADE, "Origin: null", line=CHAT), {403}),
    "from nowhere": (head(*UPGRADE, "Origin: ", line=CHAT), {403}),
    "from two": (head(*UPGRADE, "Origin: http://localhost", "Origin: http://evil.example", line=CHAT), {400, 403}),
    "from a page with a path": (head(*UPGRADE, "Origin: http://localhost/", line=CHAT), {403}),
}  # fmt: skip


@pytest.mark.parametrize(("data", "statuses"), WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
def test_a_wrong_request_is_refused(place: Place, data: bytes, statuses: set[int]) -> None:
    """With one answer, which tells nothing but that, and the end; and the others' talk is whole."""
    received = bytearray()
    place.hall.talk_while(lambda: received.extend(ask(place.door, place, data)))
    first, _, rest = bytes(received).partition(b"\r\n")
    assert first.startswith(b"HTTP/1.1 ")
    assert int(first.split()[1]) in statuses
    assert b"\r\nHTTP/1." not in rest
    assert b"evil" not in rest
    assert b"root:" not in rest


RIGHT_REQUESTS: Final = {
    "the page": (head(), 200),
    "in large letters": (head(host="LOCALHOST"), 200),
    "with a port": (head(host="localhost:8080"), 200),
    "by an address": (head(host="127.0.0.1:1"), 200),
    "by an IPv6 address": (head(host="[::1]:1"), 200),
    "with a query": (head(line="GET /?evil=1 HTTP/1.1"), 200),
    "only its head": (head(line="HEAD / HTTP/1.1"), 200),
    "with another request behind it": (head() + head(line="GET /nothing HTTP/1.1"), 200),
    "with rubbish behind it": (head() + b"\0\xff" * 10_000, 200),
    "with as many fields as may be": (head(*(f"X{n}: y" for n in range(98))), 200),
}


@pytest.mark.parametrize(("data", "status"), RIGHT_REQUESTS.values(), ids=RIGHT_REQUESTS)
def test_an_odd_request_that_is_right_gets_one_answer(place: Place, data: bytes, status: int) -> None:
    """One, whatever comes behind it."""
    received = ask(place.door, place, data)
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert received.count(b"HTTP/1.1") == 1


def test_what_comes_with_an_upgrade_is_the_first_of_its_frames(place: Place) -> None:
    """Sent in one piece with the head it is answered after the greeting."""
    received = b""
    with socket.create_connection(("127.0.0.1", place.door.port(place.hall.server)), PATIENCE) as wire:
        wire.sendall(head(*UPGRADE, line=CHAT) + frame(TEXT, PONG_REPLY) + frame(PING, b"and this"))
        while b'"ref":"g"' not in received or b"and this" not in received:
            received += wire.recv(65_536) or pytest.fail("it has ended")
    assert received.startswith(b"HTTP/1.1 101 ")
    assert received.index(b'"hello"') < received.index(b'"ref":"g"')


def test_no_request_is_in_the_log(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what stands behind /hook/ or a ?, nor a field, nor a body."""
    caplog.set_level("DEBUG")
    secret = "s3cr3t"
    for data in (
        head(*BODY, line=f"POST /hook/{secret} HTTP/1.1") + b"hi",
        head(line=f"GET /hook/{secret} HTTP/1.1"),
        head(line=f"GET /hook/{secret}\0 HTTP/1.1"),
        head(*BODY, line=f"POST http://localhost/hook/{secret} HTTP/1.1") + b"hi",
        head(line=f"GET //hook/{secret} HTTP/1.1"),
        head(line=f"GET /?token={secret} HTTP/1.1"),
        head(f"Cookie: {secret}", f"Authorization: {secret}"),
        head(*UPGRADE, f"Origin: http://{secret}", line=f"GET /chat?{secret} HTTP/1.1"),
        head(f"{secret} : x"),
        head(*UPGRADE, line=CHAT)
        + frame(TEXT, json.dumps({"command": "resume", "token": secret}).encode()) * 2
        + frame(BINARY),
    ):
        ask(place.door, place, data)
    assert secret not in caplog.text


def test_a_stop_waits_for_no_visitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, pair: Pair
) -> None:
    """Whatever they have said by then; each hears the end, and no thread is left."""
    monkeypatch.setattr("service.server.Visitors", partial(Visitors, seconds=3_600))
    door = open_door("web", authority, pair)
    begun = (
        b"",
        head()[:-2],
        head("Content-Type: text/plain", "Content-Length: 9", line="POST /hook/x HTTP/1.1") + b"half",
        head(),
        head(*UPGRADE, line=CHAT),
        head(*UPGRADE, line=CHAT) + frame(TEXT, b"half of it", last=False),
        head(*UPGRADE, line=CHAT) + frame(PING) * 1_000,
    )
    with running_server(tmp_path, **door.settings) as server, ExitStack() as wires:
        visitors = [
            wires.enter_context(socket.create_connection(("127.0.0.1", door.port(server)), PATIENCE)) for _ in begun
        ]
        for wire, data in zip(visitors, begun, strict=True):
            wire.sendall(data)
        until(lambda: len(server.places.connections()) == 3)
        server.stop()
        for wire in visitors:
            with suppress(ConnectionResetError):
                while wire.recv(65_536):
                    pass
