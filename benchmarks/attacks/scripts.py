"""What the attackers' connections do without TLS, each as a script for `persist`. No time is taken here."""

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

CHUNK: Final = 1 << 16  # bytes: what is offered at once where there is no answer to wait for
LINES: Final = 64  # in a chunk, where each is another one
WORDS: Final = 16  # beginnings in one search: as many as it takes
PASSWORD: Final = "password"  # of all accounts
VICTIM: Final = "victim"
TEXT: Final = "x" * 100


def line(command: str, **fields: Any) -> bytes:
    """A command as it is sent, each character in UTF-8."""
    return json.dumps({"command": command, **fields}, ensure_ascii=False).encode() + b"\n"


# -- before the login -------------------------------------------------------------------------------------------------
def flood(link: Link, piece: bytes) -> Generator[Wait, None, None]:
    """Nothing but this, without an end, and nothing is read; counts MB."""
    chunk = piece * (CHUNK // len(piece))
    while True:
        sent = link.try_send(chunk)
        link.tally.done += sent / 1e6
        chunk = chunk[sent:] + chunk[:sent]
        yield WRITABLE


def converse(link: Link, make_lines: Callable[[], bytes]) -> Generator[Wait, None, None]:
    """Sends lines as fast as they are read, and reads all that comes; counts lines that come."""
    rest = memoryview(b"")
    while True:
        rest = rest or memoryview(make_lines())
        rest = rest[link.try_send(rest) :]
        link.tally.done += link.try_receive().count(b"\n")
        yield EITHER


def greet_and_converse(link: Link, make_lines: Callable[[], bytes]) -> Generator[Wait, None, None]:
    """The same, and counts the answers only."""
    yield from link.greet()
    yield from converse(link, make_lines)


def empty_commands() -> bytes:
    """For `converse`."""
    return b"{}\n" * LINES


def probes() -> bytes:
    """Is there somebody of that name? For `converse`."""
    return b"".join(line("login", username=f"n{random.getrandbits(64):x}") for _ in range(LINES))


def bad_tokens() -> bytes:
    """For `converse`."""
    return b"".join(line("resume", token=f"{random.getrandbits(256):064x}") for _ in range(LINES))


def knock(link: Link) -> Generator[Wait, None, None]:
    """One command, and goes; counts connections that were made."""
    yield from link.send(b"{}\n")
    link.tally.done += 1


def stay(link: Link) -> Generator[Wait, None, None]:
    """Takes a place and says nothing; counts places that are held."""
    yield from link.greet()
    link.tally.done += 1
    try:
        while True:
            yield from link.receive()
    except Exception:
        link.tally.done -= 1
        raise


def keep_silent(link: Link) -> Generator[Wait, None, None]:
    """Says nothing until it is cut off, and comes again; counts connections that were made."""
    link.tally.done += 1
    while True:
        yield from link.receive()


# -- logins -----------------------------------------------------------------------------------------------------------
def _count(link: Link, reply: bytes, good: bytes) -> Generator[Wait, None, None]:
    """Counts a reply that is as wanted; after a refusal waits a moment."""
    if good in reply:
        link.tally.done += 1
    else:
        link.tally.refused += 1
        yield Wait(seconds=RETRY)


def log_in(link: Link) -> Generator[Wait, None, None]:
    """With the right password, and goes; counts logins."""
    yield from link.greet()
    reply = yield from link.ask("login", username="mallory", password=PASSWORD)
    yield from _count(link, reply, b'"login_ok"')


def guess_password(link: Link) -> Generator[Wait, None, None]:
    """Wrong passwords for the victim's account; counts those that were checked."""
    yield from link.greet()
    while True:
        reply = yield from link.ask("login", username=VICTIM, password=secrets.token_hex(8))
        yield from _count(link, reply, b'"bad_credentials"')


def change_password(link: Link) -> Generator[Wait, None, None]:
    """The right old password and a new one that is too short; counts those that were checked."""
    yield from link.enter()
    while True:
        reply = yield from link.ask("password", old=PASSWORD, new="x")
        yield from _count(link, reply, b'"weak_password"')


def register(link: Link) -> Generator[Wait, None, None]:
    """A new name, and goes; counts registrations."""
    yield from link.greet()
    reply = yield from link.ask("register", username=f"n{secrets.token_hex(8)}", password=PASSWORD)
    yield from _count(link, reply, b'"login_ok"')


# -- after the login --------------------------------------------------------------------------------------------------
def search(link: Link) -> Generator[Wait, None, None]:
    """For as many single letters as a search takes, always other ones; counts answers."""
    yield from link.enter()
    for first in itertools.count(link.number):
        letters = (chr(ord("a") + (first + number) % 26) for number in range(WORDS))
        yield from link.ask("search", query=" ".join(letters))
        link.tally.done += 1


def repeat(link: Link, command: str, **fields: Any) -> Generator[Wait, None, None]:
    """The same command as soon as it is answered; counts answers."""
    yield from link.enter()
    while True:
        yield from link.ask(command, **fields)
        link.tally.done += 1


def talk(link: Link, message: bytes) -> Generator[Wait, None, None]:
    """The same message as fast as it is taken, and reads all that comes."""
    yield from link.enter()
    yield from converse(link, lambda: message)


def talk_deaf(link: Link, message: bytes) -> Generator[Wait, None, None]:
    """The same message as fast as it is taken, and reads nothing."""
    yield from link.enter()
    yield from flood(link, message)
