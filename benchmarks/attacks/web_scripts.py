"""The scripts of the attackers' connections to the web port: of pages, and of WebSockets.

Frames are made by hand, with masks of zeros. The service does not mask its own, so their lines are found as they are.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Final

from benchmarks.attacks.links import EITHER, Gone, Wait
from benchmarks.attacks.scripts import hold, keep_silent

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.attacks.links import Link

FRAMES: Final = 1_000  # sent at once
SLOWLY: Final = 0.5  # seconds between two bytes of a head
PING: Final = b"\x89\x80\0\0\0\0"
EMPTY: Final = b"\x81\x80\0\0\0\0"  # a text without content
BEGIN: Final = b"\x01\x80\0\0\0\0"  # of a text in fragments
GO_ON: Final = b"\x00\x80\0\0\0\0"
UPGRADE: Final = (
    b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(payload: bytes) -> bytes:
    """Returns a text message of up to 64 KiB."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


def upgrade(link: Link) -> Generator[Wait, None, None]:
    """Opens a WebSocket, and waits for the greeting. Raises Gone on a refusal."""
    yield from link.send(UPGRADE)
    if b" 101 " not in (yield from link.read_line(b"HTTP/1.1 ")):
        raise Gone
    yield from link.read_line(b'"type":"hello"')


def enter(link: Link) -> Generator[Wait, None, None]:
    """Logs in to its account. Raises Gone on a refusal."""
    yield from upgrade(link)
    yield from link.send(frame(json.dumps({"command": "resume", "token": link.token, "ref": "in"}).encode()))
    if b'"type":"login_ok"' not in (yield from link.read_line(b'"ref":"in"')):
        raise Gone


# -- requests ---------------------------------------------------------------------------------------------------------
def begin(link: Link) -> Generator[Wait, None, None]:
    """Begins a request, and says no more until it is cut off; counts connections."""
    yield from link.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    yield from keep_silent(link)


def dawdle(link: Link) -> Generator[Wait, None, None]:
    """Sends a head byte by byte, without an end; counts bytes."""
    yield from link.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    while True:
        yield from link.send(b"x")
        link.tally.done += 1
        yield Wait(seconds=SLOWLY)


def ask(link: Link, request: bytes, good: bytes) -> Generator[Wait, None, None]:
    """Sends a request and reads to the end; counts answers of that status, and takes others for refusals."""
    yield from link.send(request)
    if good not in (yield from link.read_line(b"HTTP/1.1 ")):
        raise Gone
    link.tally.done += 1
    try:
        while True:
            yield from link.receive()
    except Gone:
        pass  # as it should be


def guess(link: Link) -> Generator[Wait, None, None]:
    """Guesses the secret of a webhook; counts those that were looked up."""
    head = b"POST /hook/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
    yield from ask(link, head % secrets.token_urlsafe(32).encode(), b" 401 ")


# -- WebSockets -------------------------------------------------------------------------------------------------------
def stay(link: Link) -> Generator[Wait, None, None]:
    """Takes a place and stays silent; counts the places it holds."""
    yield from upgrade(link)
    yield from hold(link)


def send_frames(link: Link, first: bytes, frames: bytes) -> Generator[Wait, None, None]:
    """Sends frames of one kind after the first, as fast as accepted, and drops all input; counts MB."""
    yield from enter(link)
    many = memoryview(frames * FRAMES)
    rest = memoryview(first)
    while True:
        rest = rest or many
        sent = link.try_send(rest)
        rest = rest[sent:]
        link.tally.done += sent / 1e6
        link.try_receive()
        yield EITHER
