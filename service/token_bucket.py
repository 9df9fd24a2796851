"""Token buckets: what may be done so many times at once, and then so many times a second. Knows no client.

`now` is everywhere a clock that gives seconds and is never set back, such as time.monotonic.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from service.origin import NETWORK_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from service.origin import Origin

LIMITED_KEYS: Final = 10_000  # addresses, accounts and names whose budgets are remembered, of each kind; 3 MB a kind
MAX_DEBT: Final = 60.0  # seconds that a budget may owe at most: who pays and goes leaves no more to his neighbours


class TokenBucket:
    """Full with `burst` at first; `rate` a second flow in, up to that. Not safe for two threads at once."""

    __slots__ = ("_at", "_burst", "_left", "_now", "_rate")

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._left = burst
        self._at = now()

    def spend(self, cost: float = 1.0) -> float:
        """Takes that much out, also below zero; gives the seconds until what is owed has flowed in, 0 if nothing is.

        It never owes more than MAX_DEBT.
        """
        now = self._now()
        flowed = (now - self._at) * self._rate
        self._left = max(min(self._burst, self._left + flowed) - cost, -MAX_DEBT * self._rate)
        self._at = now
        return max(0.0, -self._left / self._rate)

    def wait_for(self, amount: float) -> float:
        """The seconds until there is `amount` in it; 0 if there is."""
        self.spend(0)
        return max(0.0, (amount - self._left) / self._rate)


class Debt:
    """The time until which somebody has to wait. Not safe for two threads at once."""

    __slots__ = ("_now", "_until")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until = 0.0

    def owe(self, seconds: float) -> None:
        """The wait lasts at least so long, from now on."""
        if seconds > 0:
            self._until = max(self._until, self._now() + seconds)

    def left(self) -> float:
        """The seconds that are left; 0 if none are."""
        if not self._until:
            return 0.0
        left = self._until - self._now()
        if left <= 0:
            self._until = left = 0.0
        return left


class TokenBuckets:
    """A bucket for each key, such as an account. Safe for several threads."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float], most: int = LIMITED_KEYS) -> None:
        """Of more than `most` keys the one that was not used for longest starts afresh."""
        self._rate, self._burst, self._most, self._now = rate, burst, most, now
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def wait_for_one(self, key: Hashable) -> float:
        """The seconds until the key's bucket has one; 0 if it has."""
        with self._lock:
            return self._buckets[key].wait_for(1.0) if key in self._buckets else 0.0

    def spend(self, key: Hashable, cost: float = 1.0) -> float:
        """Takes that much out of the key's bucket, as `TokenBucket.spend` does."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, self._now)
                if len(self._buckets) > self._most:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(key)
            return bucket.spend(cost)


class OriginBuckets:
    """A bucket for each address, and one of NETWORK_SHARE times as much for each network that holds several."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float], network_burst: float | None = None) -> None:
        """`network_burst` is for where a burst of so many addresses would be too much at once."""
        self._addresses = TokenBuckets(rate, burst, now)
        self._networks = TokenBuckets(NETWORK_SHARE * rate, network_burst or NETWORK_SHARE * burst, now)

    def wait_for_one(self, origin: Origin) -> float:
        """The seconds until there is one; 0 if there is."""
        wait = self._addresses.wait_for_one(origin.address)
        return wait if origin.network == origin.address else max(wait, self._networks.wait_for_one(origin.network))

    def spend(self, origin: Origin, cost: float = 1.0) -> float:
        """Takes that much out of both; gives the longer wait."""
        wait = self._addresses.spend(origin.address, cost)
        return wait if origin.network == origin.address else max(wait, self._networks.spend(origin.network, cost))
