"""The attacker, a process of its own: one thread that works only when the service takes or gives something."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.attacks.links import Crew, Link, Tally, persist
from benchmarks.peers import use_all_descriptors

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks.attacks.cells import Attack
    from benchmarks.attacks.links import Ground

NICE: Final = 10  # gives way to the service and the victims, with whom it shares the machine
MOST_SECONDS: Final = 40.0  # ends by itself then, whatever becomes of who started it


class Done(NamedTuple):
    """What came of it."""

    done: float
    refused: int
    cpu: float  # share of a core


def attack(plan: Attack, ground: Ground, control: Connection) -> None:
    """Attacks until something comes at `control`, or that is closed; then sends Done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it closes `control` then
    os.nice(NICE)
    use_all_descriptors()
    tally = Tally()
    links = [
        Link(ground, number, plan.addresses[number % len(plan.addresses)], tally) for number in range(plan.connections)
    ]
    crew = Crew([(link, persist(link, plan.script)) for link in links], control.fileno())
    started_at, cpu = time.monotonic(), time.process_time()
    try:
        with suppress(ConnectionError):  # nobody wants to know any more
            control.send("begun")
            crew.run(MOST_SECONDS)
            elapsed = time.monotonic() - started_at
            control.send(Done(tally.done, tally.refused, (time.process_time() - cpu) / elapsed))
    finally:
        crew.close()
