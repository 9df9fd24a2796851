"""Token buckets: they allow a burst at once, and then a steady rate. They know no client.

`now` is always a monotonic clock in seconds, such as time.monotonic.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from service.origin import NETWORK_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from service.origin import Origin

LIMITED_KEYS: Final = 10_000  # buckets remembered for each limit; 3 MB a limit
MAX_DEBT: Final = 60.0  # seconds that a bucket may owe: other clients of an address wait for the debt of one that left


class TokenBucket:
    """A bucket that starts with `burst` tokens and refills at `rate` a second, up to `burst`. Not thread-safe."""

    __slots__ = ("_at", "_burst", "_left", "_now", "_rate")

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._left = burst
        self._at = now()

    def spend(self, cost: float = 1.0) -> float:
        """Takes `cost` out, also below zero; returns the seconds until the bucket is back at zero.

        The debt never exceeds MAX_DEBT seconds.
        """
        now = self._now()
        flowed = (now - self._at) * self._rate
        self._left = max(min(self._burst, self._left + flowed) - cost, -MAX_DEBT * self._rate)
        self._at = now
        return max(0.0, -self._left / self._rate)

    def wait_for(self, amount: float) -> float:
        """Returns the seconds until the bucket holds `amount`; 0 if it does."""
        self.spend(0)
        return max(0.0, (amount - self._left) / self._rate)


class Debt:
    """The time until which a client has to wait. Not thread-safe."""

    __slots__ = ("_now", "_until")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until = 0.0

    def owe(self, seconds: float) -> None:
        """Makes the wait last at least `seconds` from now."""
        if seconds > 0:
            self._until = max(self._until, self._now() + seconds)

    def left(self) -> float:
        """Returns the remaining seconds; 0 if none."""
        if not self._until:
            return 0.0
        left = self._until - self._now()
        if left <= 0:
            self._until = left = 0.0
        return left


class TokenBuckets:
    """A bucket for each key, such as an account. Thread-safe."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float], most: int = LIMITED_KEYS) -> None:
        """`most`: how many keys are remembered; beyond it the least recently used one is forgotten."""
        self._rate, self._burst, self._most, self._now = rate, burst, most, now
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def wait_for_one(self, key: Hashable) -> float:
        """Returns the seconds until the key's bucket holds one token; 0 if it does."""
        with self._lock:
            return self._buckets[key].wait_for(1.0) if key in self._buckets else 0.0

    def spend(self, key: Hashable, cost: float = 1.0) -> float:
        """As `TokenBucket.spend`, for the key's bucket."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, self._now)
                if len(self._buckets) > self._most:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(key)
            return bucket.spend(cost)


class OriginBuckets:
    """A bucket for each address, and one of NETWORK_SHARE times its size for a network of several addresses."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float], network_burst: float | None = None) -> None:
        """`network_burst` replaces a network's burst where NETWORK_SHARE times `burst` is too much at once."""
        self._addresses = TokenBuckets(rate, burst, now)
        self._networks = TokenBuckets(NETWORK_SHARE * rate, network_burst or NETWORK_SHARE * burst, now)

    def wait_for_one(self, origin: Origin) -> float:
        """Returns the seconds until both buckets hold one token; 0 if they do."""
        wait = self._addresses.wait_for_one(origin.address)
        return wait if origin.network == origin.address else max(wait, self._networks.wait_for_one(origin.network))

    def spend(self, origin: Origin, cost: float = 1.0) -> float:
        """Takes `cost` out of both buckets; returns the longer wait."""
        wait = self._addresses.spend(origin.address, cost)
        return wait if origin.network == origin.address else max(wait, self._networks.spend(origin.network, cost))
