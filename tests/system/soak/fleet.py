"""The services under soak with their database, what is done to them, and when."""

from __future__ import annotations

import math
import random
import signal
from typing import TYPE_CHECKING, Final

from tests.system.soak.program import Level, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from tests.system.soak.stores import Store
    from tests.system.soak.world import World

# When the one service over SQLite is ended, as shares of the time. In the longest pause its levels are compared.
ENDINGS: Final = ((0.08, "kill -9"), (0.16, "SIGTERM"), (0.24, "kill -9"), (0.90, "kill -9"), (0.95, "SIGTERM"))
QUIET: Final = 0.45, 0.75  # shares of the time, where several services are: only commits are cut then
GAPS: Final = 1.0, 4.0  # seconds between two strokes of others
HICCUP, HANG = 4.0, 14.0  # seconds that a service hangs: less than its lease has, and more


class Fleet:
    """All services, over one store."""

    def __init__(self, folder: Path, store: Store, services: int, world: World) -> None:
        self.store, self._world = store, world
        self._programs = [Program(folder, store.db, number + 1) for number in range(services)]
        self._chance = random.Random(f"{world.seed} fleet")
        world.doors += [program.door for program in self._programs]
        self.strokes: dict[str, Callable[[], None]] = {
            "kill -9": lambda: self._restart(signal.SIGKILL),
            "SIGTERM": lambda: self._restart(signal.SIGTERM),
        }
        if services > 1:
            self.strokes[f"hang for {HICCUP:g} s"] = lambda: self._choose().pause(HICCUP)
            self.strokes[f"hang for {HANG:g} s"] = lambda: self._choose().pause(HANG)
        self.strokes |= store.strokes

    def start(self) -> None:
        """Starts all of them."""
        for program in self._programs:
            self._start(program)

    def _start(self, program: Program) -> None:
        with self.store.calm():
            program.start()

    def _choose(self) -> Program:
        return self._chance.choice(self._programs)

    def _restart(self, number: signal.Signals) -> None:
        program = self._choose()
        self._end(program, number)
        self._start(program)

    def _end(self, program: Program, number: signal.Signals) -> None:
        status = program.end(number)
        if status != (0 if number == signal.SIGTERM else -number):
            self._world.fault(f"after {number.name} the service ended with status {status}")

    def end(self) -> None:
        """Ends all in order, and looks at what their logs say."""
        for program in self._programs:
            self._end(program, signal.SIGTERM)
            for line in program.complaints():
                self._world.fault(f"{program.log.name}: {line}")

    def close(self) -> None:
        """Ends what still runs."""
        for program in self._programs:
            program.close()

    def measure(self) -> Level:
        """What all of them take up together."""
        memory, threads, descriptors = map(sum, zip(*(program.measure() for program in self._programs), strict=True))
        return Level(memory, threads, descriptors, *self.store.sizes())


def at_times(seconds: float) -> Iterator[tuple[float, str]]:
    """When which of ENDINGS is due."""
    yield from ((share * seconds, name) for share, name in ENDINGS)
    yield math.inf, ""


def at_random(
    names: Collection[str], quiet: tuple[float, float], chance: random.Random, passed: Callable[[], float]
) -> Iterator[tuple[float, str]]:
    """When which is due, some seconds after the one before: each once in every round, none while it is quiet."""
    while True:
        for name in chance.sample(sorted(names), len(names)):
            due = passed() + chance.uniform(*GAPS)
            yield quiet[1] if quiet[0] <= due < quiet[1] else due, name
