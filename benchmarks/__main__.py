"""``make bench``: every cell, this service and ngircd in turn; a table, and benchmarks/results.json."""

from __future__ import annotations

import json
import os
import platform
import resource
import sqlite3
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.load import CELLS, Result
from benchmarks.peers import CORES, Chat, Ngircd, Peer

RUNS: Final = 2  # of each peer in each cell, in turn; the median is shown
RESULTS: Final = Path(__file__).with_name("results.json")


def main(cell: str, peer: str) -> int:
    """Measures one cell, or all; `peer` is "ngircd" or "none"."""
    if cell not in ("all", *CELLS) or peer not in ("ngircd", "none"):
        sys.stderr.write(f"CELL is all, {', '.join(CELLS)}; PEER is ngircd or none\n")
        return 2
    if peer == "ngircd" and not Ngircd.is_installed():
        print("ngircd is not installed, so this service is measured alone (Debian, Ubuntu: apt install ngircd).")
        peer = "none"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {CORES[-1]})
    peers: list[type[Chat | Ngircd]] = [Chat] if peer == "none" else [Chat, Ngircd]
    machine = {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cores": len(CORES),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print("cell      peer     messages/s  deliveries/s  CPU s/million   p50 ms   p99 ms  generator")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in CELLS if cell == "all" else [cell]:
        measured: dict[str, list[Result]] = {kind.name: [] for kind in peers}
        for _ in range(RUNS):
            for kind in peers:
                measured[kind.name].append(_measure(name, kind))
        results[name] = {peer: _median(runs)._asdict() for peer, runs in measured.items()}
        for shown, row in results[name].items():
            print(
                f"{name:9} {shown:8} {row['messages']:10,.0f}  {row['deliveries']:12,.0f}"
                f"  {row['cpu_per_million']:13.2f}"
                f"  {row['p50'] * 1e3:7.2f}  {row['p99'] * 1e3:7.2f}  {row['generator']:9.0%}",
                flush=True,
            )
    RESULTS.write_text(json.dumps({"machine": machine, "cells": results}, indent=1) + "\n")
    return 0


def _measure(cell: str, kind: type[Chat | Ngircd]) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        peer: Peer = kind(Path(folder))
        try:
            return CELLS[cell][1](peer)
        finally:
            peer.stop()


def _median(runs: list[Result]) -> Result:
    return Result(*(statistics.median(values) for values in zip(*runs, strict=True)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
