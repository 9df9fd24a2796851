"""What a cell is: something to measure, and targets for its figures. Measures nothing, prints nothing.

A cell returns a mapping from metrics to numbers. A metric's name is its label with its unit: "messages/s", "p99 ms".
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.peers import Peer

    Results = Mapping[str, Mapping[str, float]]  # of one cell: program -> metric -> number; this service is "chat"


RUNS: Final = 3  # of each program in a cell

_NO_CELLS: Final[Mapping[str, Results]] = {}


class Target(NamedTuple):
    """A bound for this service's `metric`: a `number` in its unit, or that many times a peer's figure.

    With a `cell`, that many times what the figure is of the peer's in that cell.
    """

    metric: str
    comparison: Literal[">=", "<="]
    number: float
    of: str = ""  # a peer, if `number` is a multiple of that peer's figure
    cell: str = ""

    def __str__(self) -> str:
        of = f" x {self.of}" if self.of else ""
        return f"{self.comparison} {self.number:,g}{of}{f', as {self.cell}' if self.cell else ''}"

    def holds(self, results: Results, cells: Mapping[str, Results] = _NO_CELLS) -> bool | None:
        """Returns whether a cell's results meet the target; None if the peer, or the other cell, was not measured."""
        figure = self._figure(results)
        if figure is not None and self.cell:
            compared = self._figure(cells.get(self.cell, {}))
            figure = None if compared is None else figure / compared
        if figure is None:
            return None
        return figure >= self.number if self.comparison == ">=" else figure <= self.number

    def _figure(self, results: Results) -> float | None:
        """Returns the figure as a number, or as a multiple of the peer's."""
        figure = results.get("chat", {}).get(self.metric)
        if figure is None or not self.of:
            return figure
        of_peer = results.get(self.of, {}).get(self.metric)
        return figure / of_peer if of_peer else None


class Cell(NamedTuple):
    """Something to measure. `measure` is called with each peer in turn, a new one for each run.

    Without peers it is called once, with None, and starts what it measures itself; its figures are this service's.
    """

    description: str
    measure: Callable[[Peer | None], Mapping[str, float]]
    peers: tuple[str, ...] = ()  # "chat", "ngircd"
    targets: tuple[Target, ...] = ()


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns the median of each figure."""
    return {metric: statistics.median(run[metric] for run in runs) for metric in runs[0]}
