"""What a cell is: something to measure, and what its figures must be. Measures nothing, prints nothing.

A cell gives a mapping from metrics to numbers. A metric is named as it is shown, with its unit: "messages/s", "p99 ms".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.peers import Peer

    Results = Mapping[str, Mapping[str, float]]  # of one cell: program -> metric -> number; this service is "chat"


class Target(NamedTuple):
    """What this service's `metric` must be: at least, or at most, `number`, in its unit or in that peer's figure."""

    metric: str
    comparison: Literal[">=", "<="]
    number: float
    of: str = ""  # a peer: `number` is how many times that peer's figure it must be

    def __str__(self) -> str:
        return f"{self.comparison} {self.number:,g}{f' x {self.of}' if self.of else ''}"

    def holds(self, results: Results) -> bool | None:
        """Whether a cell's results meet it; None if the peer was not measured."""
        figure = results["chat"][self.metric]
        if self.of:
            if not (of_peer := results.get(self.of, {}).get(self.metric)):
                return None
            figure /= of_peer
        return figure >= self.number if self.comparison == ">=" else figure <= self.number


class Cell(NamedTuple):
    """Something to measure. `measure` is called with each peer in turn, a fresh one for each run.

    Without peers it is called with None, once, and starts what it measures by itself; its figures are this service's.
    """

    description: str
    measure: Callable[[Peer | None], Mapping[str, float]]
    peers: tuple[str, ...] = ()  # "chat", "ngircd"
    targets: tuple[Target, ...] = ()
