"""``python -m tests.system.soak MINUTES``: 200 clients come, drop, lag and return; the services are killed.

One service over SQLite, or with --services over PostgreSQL as many as that, which loses connections and is killed, too.

Prints what goes on, and a verdict: status 0 if every client has exactly what the database has for it, and memory,
threads, descriptors and the -wal are flat; 1 if not, with what differs; 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.config import READERS
from tests.system.soak.client import Act, Visit
from tests.system.soak.fleet import ENDINGS, QUIET, Fleet, at_random, at_times
from tests.system.soak.gathering import be_alone, meet
from tests.system.soak.monitor import Monitor
from tests.system.soak.program import MIB
from tests.system.soak.rooms import make_client
from tests.system.soak.stores import Postgres, Sqlite
from tests.system.soak.verdict import compare_hook, compare_levels, compare_views
from tests.system.soak.world import World

if TYPE_CHECKING:
    from tests.system.soak.client import Client
    from tests.system.soak.program import Level
    from tests.system.soak.stores import Store

CLIENTS: Final = 200
NEIGHBOURS: Final = (1, 2, 3)  # on either side: with them one exchanges direct messages
STORM_INTERVAL: Final = 20.0  # seconds; none while levels are compared: the writer keeps up to 64 MiB of new pages
END_TIME: Final = 120.0  # seconds for all of them to do one of the last things
TABLE_INTERVAL: Final = 10.0  # seconds
SLACK: Final = READERS + 4  # descriptors of each service: of read connections some are kept for the next ones
_COLUMNS: Final = "  time online messages     shown  drops slow retries  memory threads files   wal    db"


class Soak:
    """One run."""

    def __init__(self, folder: Path, store: Store, services: int, seconds: float, seed: int) -> None:
        self.world = World([], seed)
        self._fleet = Fleet(folder, store, services, self.world)
        self._monitor = Monitor(self.world)
        self._seconds = seconds
        self._storms: list[asyncio.Task[None]] = []
        self._levels: list[Level] = []  # while nothing is ended, one a second
        self._base: Level

    async def run(self) -> list[str]:
        """Gives what went wrong."""
        store, fleet = self._fleet.store, self._fleet
        self.world.clients += (make_client(self.world, n, _friends(n)) for n in range(CLIENTS))
        fleet.start()
        try:
            self._base = fleet.measure()
            with store.calm():
                self._monitor.make_hook(store.db)
            await self._all(Visit.acknowledged)  # so that everyone has an account
            lives = [asyncio.create_task(client.live()) for client in self.world.clients]
            lives.append(asyncio.create_task(self._monitor.live()))
            await self._watch()
            for task in (*lives, *self._storms):
                task.cancel()
            await asyncio.gather(*lives, *self._storms, return_exceptions=True)
            with store.calm():
                await self._end_in_quiet()
                fleet.end()
        finally:
            fleet.close()
        return [
            *self.world.faults,
            *filter(None, [store.damage()]),
            *compare_views(store.read, self.world.clients),
            *compare_hook(store.read, self._monitor),
            *compare_levels(self._levels),
        ]

    async def _end_in_quiet(self) -> None:
        """Has everyone do the last things, and sees that the services are as large as they began."""
        await self._monitor.finish()
        for last in (Visit.acknowledged, meet, Visit.take_leave, _look_back):
            await self._all(last)
        await self._all(be_alone, self.world.clients[:1])
        await self._check_end()

    async def _all(self, act: Act, clients: list[Client] | None = None) -> None:
        self.world.state = ""
        try:
            async with asyncio.timeout(END_TIME):
                await asyncio.gather(*(client.insist(act) for client in clients or self.world.clients))
        except TimeoutError:
            self.world.fault(f"not all clients could do this within {END_TIME:g} s: {act.__name__}; {self.world.state}")

    async def _watch(self) -> None:
        """Strikes when it is time, raises storms, measures."""
        began = time.monotonic()
        next_row, next_storm = 0.0, STORM_INTERVAL / 2
        if self._fleet.store.strokes:
            quiet = QUIET[0] * self._seconds, QUIET[1] * self._seconds
            chance = random.Random(f"{self.world.seed} plan")
            plan = at_random(self._fleet.strokes, quiet, chance, lambda: time.monotonic() - began)
        else:
            quiet = ENDINGS[2][0] * self._seconds, ENDINGS[3][0] * self._seconds
            plan = at_times(self._seconds)
        due, stroke = next(plan)
        print(_COLUMNS)
        while (passed := time.monotonic() - began) < self._seconds:
            if passed >= due:
                self.world.counts[stroke] += 1
                await asyncio.to_thread(self._fleet.strokes[stroke])
                due, stroke = next(plan)
            if quiet[0] <= passed < quiet[1]:
                self._levels.append(await asyncio.to_thread(self._fleet.measure))
            elif passed >= next_storm:
                next_storm = passed + STORM_INTERVAL
                self._raise_storm()
            if passed >= next_row:
                next_row += TABLE_INTERVAL
                self._print_row(passed, await asyncio.to_thread(self._fleet.measure))
            await asyncio.sleep(1)

    def _raise_storm(self) -> None:
        """Has two neighbours who are here begin one."""
        clients = self.world.clients
        for sender, friend in pairwise(clients):
            if sender.visit is not None and friend.visit is not None:
                self._storms.append(asyncio.create_task(sender.visit.storm(friend)))
                return

    async def _check_end(self) -> None:
        """When everyone has gone the services are as large as they began."""
        for _ in range(100):
            level = self._fleet.measure()
            if level.threads <= self._base.threads and level.descriptors <= self._base.descriptors + SLACK * len(
                self.world.doors
            ):
                return
            await asyncio.sleep(0.1)
        self.world.fault(f"after the last client there is {level}, and at the beginning {self._base}")

    def _print_row(self, passed: float, level: Level) -> None:
        counts = self.world.counts
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
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("minutes", type=float)
    parser.add_argument("seed", type=int, nargs="?", default=secrets.randbelow(1 << 32))
    parser.add_argument("--services", type=int, default=0, help="so many, over PostgreSQL; else one over SQLite")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chat-soak-"))
    where = f"{asked.services} services over PostgreSQL, " if asked.services else ""
    print(f"soak: {where}{CLIENTS} clients, {asked.minutes:g} minutes, seed {asked.seed}, in {folder}", flush=True)
    store: Store = Postgres(asked.seed, folder / "postgres.log") if asked.services else Sqlite(folder)
    try:
        soak = Soak(folder, store, asked.services or 1, asked.minutes * 60, asked.seed)
        faults = asyncio.run(soak.run())
        counts = soak.world.counts + store.counts()
    finally:
        store.close()
    print(", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))
    for fault in faults:
        print(f"FAULT {fault}")
    if faults:
        print(f"soak: {len(faults)} faults, seed {asked.seed}; what is left is in {folder}")
        return 1
    shutil.rmtree(folder)
    print("soak: every client's view equals the database, and the levels are flat")
    return 0


if __name__ == "__main__":
    sys.exit(main())
