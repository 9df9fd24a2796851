"""The attacker, a process of its own: one thread that works only when the service accepts or sends something."""

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

NICE: Final = 10  # it yields to the service and the victims on the same machine
MOST_SECONDS: Final = 40.0  # it ends by then, whatever becomes of the process that started it


class Done(NamedTuple):
    """The result of an attack."""

    done: float
    refused: int
    cpu: float  # as a share of a core


def attack(plan: Attack, ground: Ground, control: Connection) -> None:
    """Attacks until `control` has input or is closed; then sends Done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it then closes `control`
    os.nice(NICE)
    use_all_descriptors()
    tally = Tally()
    links = [
        Link(ground, number, plan.addresses[number % len(plan.addresses)], tally) for number in range(plan.connections)
    ]
    crew = Crew([(link, persist(link, plan.script)) for link in links], control.fileno())
    started_at, cpu = time.monotonic(), time.process_time()
    try:
        with suppress(ConnectionError):  # the other process has gone
            control.send("begun")
            crew.run(MOST_SECONDS)
            elapsed = time.monotonic() - started_at
            control.send(Done(tally.done, tally.refused, (time.process_time() - cpu) / elapsed))
    finally:
        crew.close()
