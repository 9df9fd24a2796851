"""The scripts of the attackers' connections without TLS, for `persist`. Takes no times."""

from __future__ import annotations

import itertools
import json
import random
import secrets
from typing import TYPE_CHECKING, Any, Final

from benchmarks.attacks.links import EITHER, RETRY, WRITABLE, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from benchmarks.attacks.links import Link

CHUNK: Final = 1 << 16  # bytes offered at once where no answer is awaited
LINES: Final = 64  # different lines in a chunk
WORDS: Final = 16  # beginnings in one search: the maximum
PASSWORD: Final = "password"  # of all accounts
VICTIM: Final = "victim"
TEXT: Final = "x" * 100


def line(command: str, **fields: Any) -> bytes:
    """Returns a command's bytes, each character in UTF-8."""
    return json.dumps({"command": command, **fields}, ensure_ascii=False).encode() + b"\n"


# -- before the login -------------------------------------------------------------------------------------------------
def flood(link: Link, piece: bytes) -> Generator[Wait, None, None]:
    """Sends `piece` without end and reads nothing; counts MB."""
    chunk = piece * (CHUNK // len(piece))
    while True:
        sent = link.try_send(chunk)
        link.tally.done += sent / 1e6
        chunk = chunk[sent:] + chunk[:sent]
        yield WRITABLE


def converse(link: Link, make_lines: Callable[[], bytes]) -> Generator[Wait, None, None]:
    """Sends lines as fast as the service reads them, and reads all input; counts received lines."""
    rest = memoryview(b"")
    while True:
        rest = rest or memoryview(make_lines())
        rest = rest[link.try_send(rest) :]
        link.tally.done += link.try_receive().count(b"\n")
        yield EITHER


def greet_and_converse(link: Link, make_lines: Callable[[], bytes]) -> Generator[Wait, None, None]:
    """As `converse`, but counts the answers only."""
    yield from link.greet()
    yield from converse(link, make_lines)


def empty_commands() -> bytes:
    """Returns lines for `converse`."""
    return b"{}\n" * LINES


def probes() -> bytes:
    """Asks whether names are registered. For `converse`."""
    return b"".join(line("login", username=f"n{random.getrandbits(64):x}") for _ in range(LINES))


def bad_tokens() -> bytes:
    """Returns lines for `converse`."""
    return b"".join(line("resume", token=f"{random.getrandbits(256):064x}") for _ in range(LINES))


def knock(link: Link) -> Generator[Wait, None, None]:
    """Sends one command and leaves; counts connections."""
    yield from link.send(b"{}\n")
    link.tally.done += 1


def stay(link: Link) -> Generator[Wait, None, None]:
    """Takes a place and stays silent; counts the places it holds."""
    yield from link.greet()
    yield from hold(link)


def hold(link: Link) -> Generator[Wait, None, None]:
    """Counts a place as held, until it is lost; drops all input."""
    link.tally.done += 1
    try:
        while True:
            yield from link.receive()
    except Exception:
        link.tally.done -= 1
        raise


def keep_silent(link: Link) -> Generator[Wait, None, None]:
    """Stays silent until it is cut off, and reconnects; counts connections."""
    link.tally.done += 1
    while True:
        yield from link.receive()


# -- logins -----------------------------------------------------------------------------------------------------------
def count_reply(link: Link, reply: bytes, good: bytes) -> Generator[Wait, None, None]:
    """Counts a reply if it is `good`; else waits a moment."""
    if good in reply:
        link.tally.done += 1
    else:
        link.tally.refused += 1
        yield Wait(seconds=RETRY)


def log_in(link: Link) -> Generator[Wait, None, None]:
    """Logs in with the right password, and leaves; counts logins."""
    yield from link.greet()
    reply = yield from link.ask("login", username="mallory", password=PASSWORD)
    yield from count_reply(link, reply, b'"login_ok"')


def guess_password(link: Link) -> Generator[Wait, None, None]:
    """Sends wrong passwords for the victim's account; counts those that were checked."""
    yield from link.greet()
    while True:
        reply = yield from link.ask("login", username=VICTIM, password=secrets.token_hex(8))
        yield from count_reply(link, reply, b'"bad_credentials"')


def change_password(link: Link) -> Generator[Wait, None, None]:
    """Sends the right old password and a new one that is too short; counts those that were checked."""
    yield from link.enter()
    while True:
        reply = yield from link.ask("password", old=PASSWORD, new="x")
        yield from count_reply(link, reply, b'"weak_password"')


def register(link: Link) -> Generator[Wait, None, None]:
    """Registers a new name, and leaves; counts registrations."""
    yield from link.greet()
    reply = yield from link.ask("register", username=f"n{secrets.token_hex(8)}", password=PASSWORD)
    yield from count_reply(link, reply, b'"login_ok"')


# -- after the login --------------------------------------------------------------------------------------------------
def search(link: Link) -> Generator[Wait, None, None]:
    """Searches for as many single letters as allowed, always others; counts answers."""
    yield from link.enter()
    for first in itertools.count(link.number):
        letters = (chr(ord("a") + (first + number) % 26) for number in range(WORDS))
        yield from link.ask("search", query=" ".join(letters))
        link.tally.done += 1


def repeat(link: Link, command: str, **fields: Any) -> Generator[Wait, None, None]:
    """Sends the same command after each answer; counts answers."""
    yield from link.enter()
    while True:
        yield from link.ask(command, **fields)
        link.tally.done += 1


def talk(link: Link, message: bytes) -> Generator[Wait, None, None]:
    """Sends the same message as fast as the service accepts it, and reads all input."""
    yield from link.enter()
    yield from converse(link, lambda: message)


def talk_deaf(link: Link, message: bytes) -> Generator[Wait, None, None]:
    """Sends the same message as fast as the service accepts it, and reads nothing."""
    yield from link.enter()
    yield from flood(link, message)
