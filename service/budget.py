"""Token buckets: what may be done so many times at once, and then so many times a second. Knows no client."""

from __future__ import annotations

import threading
from collections import OrderedDict

from service.clock import utcnow
from service.config import LIMITED_KEYS


class Budget:
    """Full with `burst` at first; `rate` a second flow in, up to that. Not safe for two threads at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left = burst
        self._at = utcnow().timestamp()

    def spend(self, cost: float = 1.0) -> None:
        """Takes that much out, also below zero."""
        now = utcnow().timestamp()
        passed = max(0.0, now - self._at)  # a clock that is set back takes nothing away
        self._left = min(self._burst, self._left + passed * self._rate) - cost
        self._at = now

    def wait_for(self, amount: float) -> float:
        """The seconds until there is `amount` in it; 0 if there is."""
        self.spend(0)
        return max(0.0, (amount - self._left) / self._rate)


class Budgets:
    """A budget for each key, such as an address; of more than LIMITED_KEYS those not used for longest start afresh."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._lock = threading.Lock()
        self._budgets: OrderedDict[str, Budget] = OrderedDict()

    def wait_for_one(self, key: str) -> float:
        """The seconds until the key's budget has one; 0 if it has."""
        with self._lock:
            return self._budgets[key].wait_for(1.0) if key in self._budgets else 0.0

    def spend(self, key: str) -> None:
        """Takes one out of the key's budget."""
        with self._lock:
            budget = self._budgets.get(key)
            if budget is None:
                budget = self._budgets[key] = Budget(self._rate, self._burst)
                if len(self._budgets) > LIMITED_KEYS:
                    self._budgets.popitem(last=False)
            self._budgets.move_to_end(key)
            budget.spend()
