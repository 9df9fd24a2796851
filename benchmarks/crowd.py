"""Very many clients in one process: connects and drops them, and measures when a message has reached all.

It reads all input into one large buffer, looks for a mark and drops the rest.
"""

from __future__ import annotations

import json
import select
import time
from typing import TYPE_CHECKING, Final

from benchmarks.peers import CellError, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENTERING: Final = 200  # clients that log in at once; the service's backlog holds 1,024 connections
PATIENCE: Final = 90.0  # seconds for each step
READ: Final = 1 << 20  # bytes
OVERLAP: Final = 64  # bytes of the last read that are searched again, to find a mark across two reads
LIST: Final = b'{"type":"users"'
CHANGES: Final = b'{"type":"presence"'


class Guest(Client):
    """A client that sends its token and does not wait for the login."""

    def __init__(self, port: int, name: str, token: str, wishes: Mapping[str, str]) -> None:
        super().__init__(port, name)
        self.token = token
        self.is_in = False
        self.pushes = 0  # of users lists, or of changes, received, also partly
        self.socket.settimeout(0)
        self.socket.send(json.dumps({"command": "resume", "token": token, **wishes}).encode() + b"\n")


class Hall:
    """The guests, and the buffer for all their input."""

    def __init__(self, port: int, *, changes: bool = False) -> None:
        """With `changes` they ask to be told who came and went, in place of users lists."""
        self._port = port
        self._wishes = {"presence": "changes"} if changes else {}
        self._push = CHANGES if changes else LIST
        self._poll = select.epoll()
        self._buffer = bytearray(OVERLAP + READ)
        self._view = memoryview(self._buffer)
        self._guests: dict[int, Guest] = {}  # by descriptor
        self.entering = 0
        self._mark = b""
        self.unaware: set[int] = set()  # descriptors of guests without the mark

    # -- coming and going ---------------------------------------------------------------------------------------------
    def enter(self, name: str, token: str) -> Guest:
        """Connects a guest and starts its login."""
        guest = Guest(self._port, name, token, self._wishes)
        self._guests[guest.socket.fileno()] = guest
        self._poll.register(guest.socket, select.EPOLLIN)
        self.entering += 1
        return guest

    def enter_all(self, entries: Sequence[tuple[str, str]]) -> list[Guest]:
        """Logs all in, by name and token, as fast as the service accepts them."""
        guests: list[Guest] = []
        for name, token in entries:
            self.wait(lambda: self.entering < ENTERING, f"login {len(guests)} of {len(entries)}")
            guests.append(self.enter(name, token))
        self.wait(lambda: not self.entering, f"the last of {len(entries)} logins")
        return guests

    def leave(self, guest: Guest) -> None:
        """Drops the guest's connection."""
        descriptor = guest.socket.fileno()
        del self._guests[descriptor]
        self.unaware.discard(descriptor)
        guest.socket.close()

    def close(self) -> None:
        self._poll.close()
        for guest in self._guests.values():
            guest.socket.close()

    # -- what is said -------------------------------------------------------------------------------------------------
    def look_for(self, mark: bytes, *but: Guest) -> None:
        """Starts a search for `mark`, of at most OVERLAP bytes, in the input of all logged-in guests except `but`."""
        self._mark = mark
        self.unaware = {descriptor for descriptor, guest in self._guests.items() if guest.is_in and guest not in but}

    def say(self, sender: Guest, number: int) -> float:
        """Sends a public message and searches for it at all other guests; returns the time of sending."""
        mark = f"MESSAGE-{number:06}-"
        self.look_for(mark.encode(), sender)
        sent_at = time.perf_counter()
        sender.socket.send(json.dumps({"command": "pm", "message": f"{mark:x<100}"}).encode() + b"\n")
        return sent_at

    def wait_for_all(self, what: str) -> float:
        """Waits until the mark has reached all guests; returns that time."""
        self.wait(lambda: not self.unaware, what)
        return time.perf_counter()

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Reads until `done` holds. Raises CellError after PATIENCE."""
        give_up = time.monotonic() + PATIENCE
        while not done():
            self.read(0.1)
            if time.monotonic() > give_up:
                raise CellError(f"{what}: not within {PATIENCE:g} s; {len(self.unaware)} have not heard of it")

    def read(self, timeout: float) -> None:
        """Reads all pending input; waits up to `timeout` seconds for the first."""
        for descriptor, _ in self._poll.poll(timeout):
            guest = self._guests[descriptor]
            kept = len(guest.rest)
            self._view[:kept] = guest.rest
            received = guest.socket.recv_into(self._view[kept:])
            size = kept + received
            guest.rest = bytes(self._view[max(0, size - OVERLAP) : size])
            if not received:
                raise CellError(f"{guest.name} was cut off, after {guest.rest!r}")
            if descriptor in self.unaware and self._buffer.find(self._mark, 0, size) >= 0:
                self.unaware.discard(descriptor)
            guest.pushes += self._buffer.count(self._push, max(0, kept - len(self._push) + 1), size)
            if not guest.is_in and self._buffer.find(b'"token":', 0, size) >= 0:  # this stands near the end of login_ok
                guest.is_in = True
                self.entering -= 1
