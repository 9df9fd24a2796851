"""The cells idle10000 and changes10000: very many clients that mostly listen.

They measure how long their logins take, what each client costs, and how soon a message and the newest users list, or
what has changed in it, reach all: in quiet, and while clients leave and return all the time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.cells import Cell, Target
from benchmarks.crowd import Hall
from benchmarks.peers import Chat
from service.accounts import passwords
from service.accounts.authentication import new_token
from service.clock import format_time, utcnow
from service.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.crowd import Guest
    from benchmarks.peers import Peer

COUNT: Final = 10_000  # clients
MESSAGES: Final = 20  # in quiet
STORM: Final = 8.0  # seconds
LEAVING: Final = 1 / 50  # seconds between two clients' leaving
AWAY: Final = 0.2  # seconds until a client returns
SAYING: Final = 0.4  # seconds between two messages of the storm, at least
IDLE: Final = 30.0  # seconds between two pushes while nothing changes
NEWCOMER: Final = "zz"  # last in the users list, so that its coming and going shows there


def make_accounts(folder: Path, names: Sequence[str], bcrypt_cost: int = 4) -> list[tuple[str, str]]:
    """Creates chat.db in `folder` with these accounts; returns each name with a token.

    The password is "password".
    """
    storage = open_storage(folder / "chat.db", lambda _: None)
    try:
        password_hash = passwords.make_hash("password", bcrypt_cost)
        now = format_time(utcnow())
        tokens = [new_token() for _ in names]
        for name, token in zip(names, tokens, strict=True):
            storage.register(name, name, password_hash, token.hash, now)
        return [(name, token.text) for name, token in zip(names, tokens, strict=True)]
    finally:
        storage.close()


def idle(count: int, storm_seconds: float, *, changes: bool = False) -> dict[str, float]:
    """Measures `count` clients; starts the service here, because their accounts must exist first.

    With `changes` they ask to be told who came and went, in place of users lists.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = [f"user{number:05}" for number in range(count)]
        *entries, newcomer = make_accounts(Path(folder), [*names, NEWCOMER])
        peer = Chat(Path(folder))
        hall = Hall(peer.port, changes=changes)
        try:
            before = peer.memory()
            started_at = time.perf_counter()
            guests = hall.enter_all(entries)
            metrics = {"logins s": time.perf_counter() - started_at}
            came, gone = f'"{NEWCOMER}"]'.encode(), f'"{names[-1]}"]'.encode()  # as each of them ends a list
            if changes:
                came, gone = (f'"{NEWCOMER}"],"{then}'.encode() for then in ("left", "online"))
            guest = hall.enter(*newcomer)
            hall.look_for(came, guest)
            hall.wait_for_all("the users list after all logins")
            metrics["RSS KiB/client"] = (peer.memory() - before) / count
            metrics |= _in_quiet(hall, guests[0])
            cpu, pushes = peer.cpu_seconds(), guests[1].pushes
            hall.leave(guest)
            hall.look_for(gone)
            hall.wait_for_all("the users list after one has left")
            cpu_of_push = (peer.cpu_seconds() - cpu) / (guests[1].pushes - pushes)
            metrics |= _in_storm(hall, guests, peer, cpu_of_push, storm_seconds)
            if changes:
                metrics["idle list CPU %"] = cpu_of_push / IDLE * 100
            asked_at = time.perf_counter()
            guest = hall.enter(*newcomer)
            hall.look_for(came, guest)
            metrics["last list s"] = hall.wait_for_all("the users list after the storm") - asked_at
            return metrics
        finally:
            hall.close()
            peer.stop()


def _in_quiet(hall: Hall, sender: Guest) -> dict[str, float]:
    """Measures the time until a message has reached all, one message after the other."""
    times = []
    for number in range(MESSAGES):
        sent_at = hall.say(sender, number)
        times.append(hall.wait_for_all(f"message {number}") - sent_at)
    return {"to all p50 ms": statistics.median(times) * 1e3, "to all max ms": max(times) * 1e3}


class _Storm:
    """Clients that leave and return all the time."""

    def __init__(self, hall: Hall, guests: Sequence[Guest]) -> None:
        self._hall = hall
        self._staying = deque(guests)
        self._away: deque[tuple[float, Guest]] = deque()  # (time of return, guest)
        self._leave_at = time.perf_counter()

    def blow(self, now: float) -> None:
        """Does what is due at `now`."""
        while now >= self._leave_at:
            self._leave_at += LEAVING
            guest = self._staying.popleft()
            self._hall.leave(guest)
            self._away.append((now + AWAY, guest))
        self.bring_back(now)

    def bring_back(self, now: float) -> None:
        """Logs the guests in again that have been away for AWAY seconds."""
        while self._away and now >= self._away[0][0]:
            _, guest = self._away.popleft()
            self._staying.append(self._hall.enter(guest.name, guest.token))


def _in_storm(hall: Hall, guests: Sequence[Guest], peer: Peer, cpu_of_push: float, seconds: float) -> dict[str, float]:
    """As `_in_quiet`, while clients leave and return; also the service's CPU, as a share of its core.

    The users list's part of the CPU is that of one push to all in quiet, times the number of pushes in the storm.
    """
    sender, witness = guests[:2]
    storm = _Storm(hall, guests[2:])
    times: list[float] = []
    pushes, cpu, own, started_at = witness.pushes, peer.cpu_seconds(), time.process_time(), time.perf_counter()
    sent_at = hall.say(sender, MESSAGES)
    is_under_way = True
    while (now := time.perf_counter()) < started_at + seconds:
        storm.blow(now)
        if is_under_way and not hall.unaware:
            is_under_way = False
            times.append(now - sent_at)
        elif not is_under_way and now >= sent_at + SAYING:
            is_under_way = True
            sent_at = hall.say(sender, MESSAGES + len(times))
        hall.read(0.005)
    pushes, cpu, own = witness.pushes - pushes, peer.cpu_seconds() - cpu, time.process_time() - own
    if is_under_way:
        times.append(hall.wait_for_all("a message of the storm") - sent_at)
    storm.bring_back(now + AWAY)
    hall.wait(lambda: not hall.entering, "the last to come back")
    return {
        "storm p50 ms": statistics.median(times) * 1e3,
        "storm max ms": max(times) * 1e3,
        "storm CPU %": cpu / seconds * 100,
        "users list CPU %": pushes * cpu_of_push / seconds * 100,
        "generator %": own / seconds * 100,
    }


CELLS: Final[dict[str, Cell]] = {
    "idle10000": Cell(
        "10,000 clients logged in by token, one speaks; then 50 a second leave and come back",
        lambda _: idle(COUNT, STORM),
        targets=(
            Target("logins s", "<=", 30),
            Target("RSS KiB/client", "<=", 40),
            Target("to all max ms", "<=", 200),
            Target("storm max ms", "<=", 200),
            Target("users list CPU %", "<=", 10),
            Target("last list s", "<=", 5),
        ),
    ),
    "changes10000": Cell(
        "idle10000 with clients that ask who came and went, in place of users lists",
        lambda _: idle(COUNT, STORM, changes=True),
        targets=(
            Target("logins s", "<=", 30),
            Target("storm max ms", "<=", 200),
            Target("users list CPU %", "<=", 5),
            Target("last list s", "<=", 5),
            Target("idle list CPU %", "<=", 2),
        ),
    ),
}
