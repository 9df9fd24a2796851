"""How much an account and an address may use over all their connections: before the login, reading, writing.

It never refuses: a client that has used too much has to wait. The threads of all clients call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.token_bucket import OriginBuckets, TokenBuckets

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import Settings
    from service.origin import Origin

# The rates are for one account over all its connections; an address has --address-share times as much. The service
# reads more slowly from a client that has used more. Before the login only the address counts.
READ_RATE: Final = 50.0  # commands a second that are no messages, such as pages; they return 10,000 messages a second
READ_BURST: Final = 1_000  # of these at once: a client that returns after a year catches up unhindered
KNOCK_RATE: Final = 5.0  # connections and lines before the login, a second, for each of --address-share
KNOCK_BURST: Final = 100  # of these at once: 200 clients behind one router connect and log in
SHARE_BURST: Final = 0.5  # of --address-share bursts at once: 2 MiB of texts, which does not overflow a reader's outbox


class Shares:
    """The limits of Settings if its `rate` is not 0; with an `address_share` of 0 addresses have no limit.

    Each method takes a cost, and returns the seconds that this client must wait before it goes on; 0 for no wait.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        share = settings.address_share
        self._knocking = OriginBuckets(share * KNOCK_RATE, share * KNOCK_BURST, now) if share else None
        self._reading = _Share(READ_RATE, READ_BURST, share, now)
        self._talking = _Share(settings.rate, settings.burst, share, now)

    def knock(self, origin: Origin, cost: float) -> float:
        """Charges an address for its clients before their login: connections, bytes and lines."""
        return self._knocking.spend(origin, cost) if self._knocking is not None else 0.0

    def read(self, origin: Origin, user_id: int, cost: float) -> float:
        """Charges for commands that are no messages, and for received bytes."""
        return self._reading.spend(origin, user_id, cost)

    def talk(self, origin: Origin, user_id: int, cost: float) -> float:
        """Charges for messages."""
        return self._talking.spend(origin, user_id, cost)


class _Share:
    """A bucket for each account, and one with `share` times its rate for each address; none if `share` is 0."""

    def __init__(self, rate: float, burst: float, share: float, now: Callable[[], float]) -> None:
        self._accounts = TokenBuckets(rate, burst, now)
        # All addresses of a network may send no more at once than one of them: more would overflow a slow reader's
        # outbox.
        at_once = SHARE_BURST * share * burst
        self._addresses = OriginBuckets(share * rate, at_once, now, at_once) if share else None

    def spend(self, origin: Origin, user_id: int, cost: float) -> float:
        wait = self._accounts.spend(user_id, cost)
        return wait if self._addresses is None else max(wait, self._addresses.spend(origin, cost))
