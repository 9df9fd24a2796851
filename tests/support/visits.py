"""A visitor of the web port that is a list of pieces. Holds no test."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.listeners.visitors import Visit


class FakeVisit:
    """Receives the pieces, then the end; `sent` has what was sent."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.left = list(pieces)
        self.sent = b""
        self.deadline = math.inf

    def receive(self) -> bytes:
        return self.left.pop(0) if self.left else b""

    def send(self, data: bytes) -> None:
        self.sent += data


def visit_of(*pieces: bytes) -> tuple[Visit, FakeVisit]:
    """The same one twice: as the service sees it, and as a test does."""
    fake = FakeVisit(pieces)
    return cast("Visit", fake), fake


def in_ways(data: bytes) -> list[list[bytes]]:
    """The pieces in which a peer may send that: whole, in halves, and byte by byte."""
    half = len(data) // 2
    return [[data], [data[:half], data[half:]], [data[i : i + 1] for i in range(len(data))]]
