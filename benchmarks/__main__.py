"""``make bench``: measures one cell or all, with this service and ngircd in turn, and prints a table.

A run of all cells also writes results.json and chart.svg beside this file, and the table in README.txt.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Final

from benchmarks import suite
from benchmarks.peers import CellError, Ngircd, Skipped
from benchmarks.suite import CELLS, LONG, PEERS
from benchmarks.table import HEADING, Report, render, render_cell, render_machine

RESULTS: Final = Path(__file__).with_name("results.json")
CHART: Final = Path(__file__).with_name("chart.svg")
README: Final = Path(__file__).with_name("README.txt")
TABLE: Final = re.compile(r"(?<=\n    \$ make bench\n)(?:    .+\n)+")  # in README.txt beside this file


def main(chosen: str, peer: str, bench: str = "") -> int:
    """Measures one cell, or "all"; `peer` is "ngircd" or "none". Returns the exit status: 1 if a cell failed.

    Of those in LONG the earlier figures stay, unless `bench` is "all", too. What needs a program that is not here is
    left out.
    """
    if chosen not in ("all", *CELLS) or peer not in ("ngircd", "none"):
        sys.stderr.write("PEER is ngircd or none; CELL is all, or one of these:\n")
        sys.stderr.writelines(f"  {name:12} {cell.description}\n" for name, cell in CELLS.items())
        return 2
    peers = list(PEERS) if peer == "ngircd" else ["chat"]
    if peer == "ngircd" and Ngircd.version() is None:
        print("ngircd is not installed, so this service is measured alone (Debian, Ubuntu: apt install ngircd).")
        peers = ["chat"]
    suite.prepare_machine()
    report: Report = {"machine": suite.describe_machine(), "cells": {}}
    print(render_machine(report["machine"]), HEADING, sep="\n", flush=True)
    failed = False
    earlier = json.loads(RESULTS.read_text())["cells"]
    for name in CELLS if chosen == "all" else [chosen]:
        if chosen == "all" != bench and name in LONG:
            report["cells"] = {**report["cells"], **({name: earlier[name]} if name in earlier else {})}
            continue
        try:
            results = suite.run(CELLS[name], peers)
        except (CellError, Skipped) as error:
            print(f"{name:10} {'skipped' if isinstance(error, Skipped) else 'failed'}: {error}", flush=True)
            failed |= isinstance(error, CellError)
            continue
        report["cells"] = {**report["cells"], name: results}
        print(*render_cell(name, CELLS[name], report["cells"]), sep="\n", flush=True)
    if chosen == "all" and not failed:
        write_down(report)
        print(render(report).splitlines()[-1], "Written: benchmarks/results.json, chart.svg, README.txt.")
    return int(failed)


def write_down(report: Report) -> None:
    """Writes the results to the files that the project shows."""
    from benchmarks.chart import draw  # noqa: PLC0415 (only this needs matplotlib, whose import takes a second)

    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    draw(report, CHART)
    table = textwrap.indent(render(report), "    ")
    README.write_text(TABLE.sub(lambda _: table, README.read_text(), count=1))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
