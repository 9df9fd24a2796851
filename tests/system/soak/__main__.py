"""``python -m tests.system.soak MINUTES [SEED]``: 200 clients come, drop, lag and return; the service is killed.

Prints what goes on, and a verdict: status 0 if every client has exactly what the database has for it, and memory,
threads, descriptors and the -wal are flat; 1 if not, with what differs; 2 for a wrong command line.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from service.config import READERS
from tests.system.soak.client import Act, Visit, World
from tests.system.soak.monitor import Monitor
from tests.system.soak.program import MIB, Level, Program
from tests.system.soak.rooms import make_client
from tests.system.soak.verdict import compare_hook, compare_levels, compare_views

CLIENTS: Final = 200
NEIGHBOURS: Final = (1, 2, 3)  # on either side: with them one exchanges direct messages
STORM_INTERVAL: Final = 20.0  # seconds; none while levels are compared: the writer keeps up to 64 MiB of new pages
END_TIME: Final = 120.0  # seconds for all of them to do one of the last things
TABLE_INTERVAL: Final = 10.0  # seconds
# When the service is ended, as shares of the time. Between the third and the fourth its levels are compared.
SLACK: Final = READERS + 4  # descriptors: of closed read connections SQLite keeps some for the next ones
ENDINGS: Final = (
    (0.08, signal.SIGKILL),
    (0.16, signal.SIGTERM),
    (0.24, signal.SIGKILL),
    (0.90, signal.SIGKILL),
    (0.95, signal.SIGTERM),
)
_COLUMNS: Final = "  time online messages     shown  drops slow retries  memory threads files   wal    db"


class Soak:
    """One run."""

    def __init__(self, folder: Path, seconds: float, seed: int) -> None:
        self.program = Program(folder)
        self.world = World(self.program.port, seed, self.program.web_port)
        self._monitor = Monitor(self.world)
        self._seconds = seconds
        self._storms: list[asyncio.Task[None]] = []
        self._levels: list[Level] = []  # while the service runs longest, one a second
        self._base: Level

    async def run(self) -> list[str]:
        """Gives what went wrong."""
        self.world.clients += (make_client(self.world, n, _friends(n)) for n in range(CLIENTS))
        self.program.start()
        try:
            self._base = self.program.measure()
            self._monitor.make_hook(self.program.path)
            await self._all(Visit.acknowledged)  # so that everyone has an account
            lives = [asyncio.create_task(client.live()) for client in self.world.clients]
            lives.append(asyncio.create_task(self._monitor.live()))
            await self._watch()
            for task in (*lives, *self._storms):
                task.cancel()
            await asyncio.gather(*lives, *self._storms, return_exceptions=True)
            await self._monitor.finish()
            for last in (Visit.acknowledged, Visit.take_leave, _look_back):
                await self._all(last)
            await self._check_end()
            self._end(signal.SIGTERM)
        finally:
            self.program.close()
        return [
            *self.world.faults,
            *compare_views(self.program.path, self.world.clients),
            *compare_hook(self.program.path, self._monitor),
            *compare_levels(self._levels),
        ]

    async def _all(self, act: Act) -> None:
        try:
            async with asyncio.timeout(END_TIME):
                await asyncio.gather(*(client.insist(act) for client in self.world.clients))
        except TimeoutError:
            self.world.fault(f"not all clients could do this within {END_TIME:g} seconds: {act.__name__}")

    async def _watch(self) -> None:
        """Ends the service when it is time, raises storms, measures."""
        began = time.monotonic()
        endings, next_row, next_storm = list(ENDINGS), 0.0, STORM_INTERVAL / 2
        print(_COLUMNS)
        while (passed := time.monotonic() - began) < self._seconds:
            if endings and passed >= endings[0][0] * self._seconds:
                await asyncio.to_thread(self._restart, endings.pop(0)[1])
            if len(endings) == 2:
                self._levels.append(self.program.measure())
            elif passed >= next_storm:
                next_storm = passed + STORM_INTERVAL
                self._raise_storm()
            if passed >= next_row:
                next_row += TABLE_INTERVAL
                self._print_row(passed)
            await asyncio.sleep(1)

    def _restart(self, number: signal.Signals) -> None:
        self._end(number)
        self.program.start()

    def _end(self, number: signal.Signals) -> None:
        status = self.program.end(number)
        if status != (0 if number == signal.SIGTERM else -number):
            self.world.fault(f"after {number.name} the service ended with status {status}")

    def _raise_storm(self) -> None:
        """Has two neighbours who are here begin one."""
        clients = self.world.clients
        for sender, friend in pairwise(clients):
            if sender.visit is not None and friend.visit is not None:
                self._storms.append(asyncio.create_task(sender.visit.storm(friend)))
                return

    async def _check_end(self) -> None:
        """When everyone has gone the service is as large as it began."""
        for _ in range(100):
            level = self.program.measure()
            if level.threads <= self._base.threads and level.descriptors <= self._base.descriptors + SLACK:
                return
            await asyncio.sleep(0.1)
        self.world.fault(f"after the last client the service has {level}, and began with {self._base}")

    def _print_row(self, passed: float) -> None:
        level, counts = self.program.measure(), self.world.counts
        online = sum(client.visit is not None for client in self.world.clients)
        said = sum(len(client.acked) for client in self.world.clients)
        print(
            f"{passed:6.0f} {online:6} {said:8,} {counts['shown']:9,} {counts['drop']:6} {counts['bye slow']:4} "
            f"{counts['retries']:7} {level.memory / MIB:6.1f}M {level.threads:7} {level.descriptors:5} "
            f"{level.wal / MIB:4.1f}M {level.database / MIB:4.0f}M",
            flush=True,
        )


async def _look_back(visit: Visit) -> None:
    await visit.look_back()


def _friends(number: int) -> list[str]:
    return [f"client{(number + step) % CLIENTS:03d}" for near in NEIGHBOURS for step in (near, -near)]


def main() -> int:
    """Runs it in a folder of its own, which stays if something went wrong."""
    try:
        minutes, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1 << 32)
    except (IndexError, ValueError):
        sys.stderr.write("python -m tests.system.soak MINUTES [SEED]\n")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="chat-soak-"))
    print(f"soak: {CLIENTS} clients, {minutes:g} minutes, seed {seed}, in {folder}", flush=True)
    soak = Soak(folder, minutes * 60, seed)
    faults = asyncio.run(soak.run())
    print(", ".join(f"{name} {count:,}" for name, count in sorted(soak.world.counts.items())))
    for fault in faults:
        print(f"FAULT {fault}")
    if faults:
        print(f"soak: {len(faults)} faults, seed {seed}; the database and the log are in {folder}")
        return 1
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    print("soak: every client's view equals the database, and the levels are flat")
    return 0


if __name__ == "__main__":
    sys.exit(main())
