"""service/tally.py: counts that no thread spoils for another."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from service.tally import Histogram, Tally


def test_threads_count_together() -> None:
    """None of many additions is lost, and what was read does not change."""
    tally, before = Tally(), sys.getswitchinterval()
    none = tally.counts()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(tally.add, ["a", "b"] * 5_000))
    finally:
        sys.setswitchinterval(before)
    assert (tally.counts(), none) == ({"a": 5_000, "b": 5_000}, {})


def test_a_value_at_a_bound_is_up_to_it() -> None:
    """And one beyond the last bound is counted as well."""
    histogram = Histogram([0.1, 1.0])
    for value in (0.0, 0.1, 0.2, 1.0, 5.0):
        histogram.add(value)
    assert histogram.counts() == [2, 2, 1]
    assert round(histogram.sum, 6) == 6.3
