"""What a cell is: something to measure, and targets for its figures. Measures nothing, prints nothing.

A cell returns a mapping from metrics to numbers. A metric's name is its label with its unit: "messages/s", "p99 ms".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.peers import Peer

    Results = Mapping[str, Mapping[str, float]]  # of one cell: program -> metric -> number; this service is "chat"


class Target(NamedTuple):
    """A bound for this service's `metric`: a `number` in its unit, or that many times a peer's figure."""

    metric: str
    comparison: Literal[">=", "<="]
    number: float
    of: str = ""  # a peer, if `number` is a multiple of that peer's figure

    def __str__(self) -> str:
        return f"{self.comparison} {self.number:,g}{f' x {self.of}' if self.of else ''}"

    def holds(self, results: Results) -> bool | None:
        """Returns whether a cell's results meet the target; None if the peer was not measured."""
        figure = results["chat"][self.metric]
        if self.of:
            if not (of_peer := results.get(self.of, {}).get(self.metric)):
                return None
            figure /= of_peer
        return figure >= self.number if self.comparison == ">=" else figure <= self.number


class Cell(NamedTuple):
    """Something to measure. `measure` is called with each peer in turn, a new one for each run.

    Without peers it is called once, with None, and starts what it measures itself; its figures are this service's.
    """

    description: str
    measure: Callable[[Peer | None], Mapping[str, float]]
    peers: tuple[str, ...] = ()  # "chat", "ngircd"
    targets: tuple[Target, ...] = ()
