"""Counts of what happened since the start, for whoever looks. Says nothing of them, and knows no clock."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Tally:
    """Counts by name, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        """Returns a copy."""
        with self._lock:
            return self._counts.copy()


class Histogram:
    """How often a value was up to each bound. One thread adds; others may read, and then miss the newest value."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: ascending; a value beyond the last one is counted, too."""
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def counts(self) -> list[int]:
        """Returns how many values were up to each bound and beyond the one before it; at last those beyond all."""
        return self._counts.copy()
