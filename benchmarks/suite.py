"""All cells, and how they run: each peer in turn, a new one each time, and the medians. Prints nothing."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import bare, history, idle, load, postgres, postgres_history, rooms, web
from benchmarks.cells import RUNS, medians
from benchmarks.peers import CORES, Chat, Ngircd, use_all_descriptors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from benchmarks.cells import Cell, Results

PEERS: Final[dict[str, type[Chat | Ngircd]]] = {kind.name: kind for kind in (Chat, Ngircd)}
CELLS: Final[dict[str, Cell]] = (
    load.CELLS | rooms.CELLS | web.CELLS | postgres.CELLS | bare.CELLS | idle.CELLS | history.CELLS
    | postgres_history.CELLS
)  # fmt: skip
OVER_POSTGRES: Final = frozenset((*postgres.CELLS, *postgres_history.CELLS))  # skipped where that is not installed
LONG: Final = frozenset(postgres_history.CELLS)  # what takes many minutes before it is measured


def prepare_machine() -> None:
    """Gives this process its own core, and the maximum number of file descriptors."""
    use_all_descriptors()
    os.sched_setaffinity(0, {CORES[-1]})


def describe_machine() -> dict[str, str]:
    """Returns what the figures were measured on."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "CPU": model[1] if model else platform.machine(),
        "cores": str(len(CORES)),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "ngircd": Ngircd.version() or "not installed",
    }


def run(cell: Cell, peers: Collection[str], runs: int = RUNS) -> Results:
    """Returns the figures of each program; takes those of `peers` that the cell measures. Raises CellError."""
    if not cell.peers:
        return {"chat": dict(cell.measure(None))}
    kinds = [PEERS[name] for name in cell.peers if name in peers]
    measured: dict[str, list[Mapping[str, float]]] = {kind.name: [] for kind in kinds}
    for _ in range(runs):
        for kind in kinds:
            measured[kind.name].append(_run_once(cell, kind))
    return {name: medians(each) for name, each in measured.items()}


def _run_once(cell: Cell, kind: type[Chat | Ngircd]) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        peer = kind(Path(folder))
        try:
            return cell.measure(peer)
        finally:
            peer.stop()
