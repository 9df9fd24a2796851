"""``make attacks``: runs one attack or all, each against a new service of our own, and prints a table.

No traffic leaves this machine, and everything ends by itself.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.attacks import report, stage
from benchmarks.attacks.cells import ATTACKS
from benchmarks.peers import CellError, use_all_descriptors
from benchmarks.suite import describe_machine
from benchmarks.table import render_machine

EACH: Final = 15  # seconds that an attack takes at most, with the starts and ends of its processes


def main(chosen: str) -> int:
    """Runs one attack, or "all". Returns the exit status: 1 if an attack could not run; missed targets do not count."""
    if chosen not in ("all", *ATTACKS):
        sys.stderr.write("CELL is all, or one of these:\n")
        sys.stderr.writelines(f"  {name:17} {plan.description}\n" for name, plan in ATTACKS.items())
        return 2
    names = list(ATTACKS) if chosen == "all" else ["quiet", *({chosen} - {"quiet"})]
    print(
        f"{len(names)} attacks on a service of our own within this machine, each at most {EACH} s, measured for "
        f"{stage.SECONDS:g}: {len(names) * EACH / 60:.1f} minutes at most."
    )
    use_all_descriptors()
    turn = stage.measure_turn()
    print(f"A turn of bcrypt takes {turn:.0f} ms.", report.heading(), sep="\n", flush=True)
    results = []
    has_failed = False
    with tempfile.TemporaryDirectory() as folder:
        histories = stage.Histories(Path(folder))
        for name in names:
            try:
                row = stage.run(ATTACKS[name], histories, turn)
            except CellError as error:
                print(f"{name:17} failed: {error}", flush=True)
                has_failed = True
                continue
            results.append((ATTACKS[name], row))
            print(report.render_row(name, ATTACKS[name], row), flush=True)
    machine = {key: value for key, value in describe_machine().items() if key != "ngircd"}
    print(report.render_end(results), render_machine(machine), sep="\n")
    return int(has_failed)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:2] or ["all"]))
    except KeyboardInterrupt:
        sys.exit(130)
