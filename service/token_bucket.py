"""Token buckets: what may be done so many times at once, and then so many times a second. Knows no client."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from service.clock import utcnow
from service.config import LIMITED_KEYS, MAX_DEBT, NETWORK_SHARE

if TYPE_CHECKING:
    from collections.abc import Hashable

    from service.origin import Origin


class Budget:
    """Full with `burst` at first; `rate` a second flow in, up to that. Not safe for two threads at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left = burst
        self._at = utcnow().timestamp()

    def spend(self, cost: float = 1.0) -> float:
        """Takes that much out, also below zero; gives the seconds until what is owed has flowed in, 0 if nothing is.

        It never owes more than MAX_DEBT.
        """
        now = utcnow().timestamp()
        passed = max(0.0, now - self._at)  # a clock that is set back takes nothing away
        self._left = max(min(self._burst, self._left + passed * self._rate) - cost, -MAX_DEBT * self._rate)
        self._at = now
        return max(0.0, -self._left / self._rate)

    def wait_for(self, amount: float) -> float:
        """The seconds until there is `amount` in it; 0 if there is."""
        self.spend(0)
        return max(0.0, (amount - self._left) / self._rate)


class Debt:
    """Seconds that somebody has to wait, counted down by the wall clock. Not safe for two threads at once."""

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left = 0.0
        self._at = 0.0

    def owe(self, seconds: float) -> None:
        """It is to be so long at least, from now on."""
        if seconds > 0:
            self._left = max(self.left(), seconds)
            self._at = utcnow().timestamp()

    def left(self) -> float:
        """The seconds that are left; 0 if none are."""
        if self._left:
            now = utcnow().timestamp()
            self._left = max(0.0, self._left - max(0.0, now - self._at))  # a clock that is set back adds nothing
            self._at = now
        return self._left


class Budgets:
    """A budget for each key, such as an account; of more than LIMITED_KEYS those not used for longest start afresh.

    Safe for several threads.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._lock = threading.Lock()
        self._budgets: OrderedDict[Hashable, Budget] = OrderedDict()

    def wait_for_one(self, key: Hashable) -> float:
        """The seconds until the key's budget has one; 0 if it has."""
        with self._lock:
            return self._budgets[key].wait_for(1.0) if key in self._budgets else 0.0

    def spend(self, key: Hashable, cost: float = 1.0) -> float:
        """Takes that much out of the key's budget, as `Budget.spend` does."""
        with self._lock:
            budget = self._budgets.get(key)
            if budget is None:
                budget = self._budgets[key] = Budget(self._rate, self._burst)
                if len(self._budgets) > LIMITED_KEYS:
                    self._budgets.popitem(last=False)
            self._budgets.move_to_end(key)
            return budget.spend(cost)


class OriginBudgets:
    """A budget for each address, and one of NETWORK_SHARE times as much for each network that holds several."""

    def __init__(self, rate: float, burst: float, network_burst: float | None = None) -> None:
        """`network_burst` is for where a burst of so many addresses would be too much at once."""
        self._addresses = Budgets(rate, burst)
        self._networks = Budgets(NETWORK_SHARE * rate, network_burst or NETWORK_SHARE * burst)

    def wait_for_one(self, origin: Origin) -> float:
        """The seconds until there is one; 0 if there is."""
        wait = self._addresses.wait_for_one(origin.address)
        return wait if origin.network == origin.address else max(wait, self._networks.wait_for_one(origin.network))

    def spend(self, origin: Origin, cost: float = 1.0) -> float:
        """Takes that much out of both; gives the longer wait."""
        wait = self._addresses.spend(origin.address, cost)
        return wait if origin.network == origin.address else max(wait, self._networks.spend(origin.network, cost))
