"""The results as text: each figure, with its target, if any, and whether that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from benchmarks.suite import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.cells import Cell, Results

HEADING: Final = "cell       figure                  chat      ngircd   ratio  target"


class Report(TypedDict):
    """What results.json holds."""

    machine: Mapping[str, str]
    cells: Mapping[str, Results]


def render(report: Report) -> str:
    """Returns the machine, a line for each figure, and how many targets hold. No line is empty."""
    lines = [render_machine(report["machine"]), HEADING]
    held: list[bool | None] = []
    for name, results in report["cells"].items():
        lines += render_cell(name, CELLS[name], report["cells"])
        held += [target.holds(results, report["cells"]) for target in CELLS[name].targets]
    known = [holds for holds in held if holds is not None]
    lines.append(f"{sum(known)} of {len(known)} targets hold.")
    return "\n".join(lines) + "\n"


def render_machine(machine: Mapping[str, str]) -> str:
    """Returns one line."""
    cpu, cores, system, *versions = machine
    programs = ", ".join(f"{name} {machine[name]}" for name in versions)
    return f"{machine[cpu]}, {machine[cores]} {cores}, {machine[system]}; {programs}"


def render_cell(name: str, cell: Cell, cells: Mapping[str, Results]) -> Iterator[str]:
    """Yields a line for each figure of that cell; its results are among those of `cells`."""
    results = cells[name]
    for position, (metric, figure) in enumerate(results["chat"].items()):
        of_peer = results.get("ngircd", {}).get(metric)
        line = f"{name if position == 0 else '':10} {metric:16} {_number(figure):>11}"
        line += " " * 20 if of_peer is None else f" {_number(of_peer):>11} {figure / of_peer:7.2f}"
        verdicts = [
            f"{target}: {_VERDICTS[target.holds(results, cells)]}" for target in cell.targets if target.metric == metric
        ]
        yield f"{line}  {'; '.join(verdicts)}".rstrip()


_VERDICTS: Final = {True: "holds", False: "MISSED", None: "not measured"}


def _number(value: float) -> str:
    """Formats with about three digits."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
