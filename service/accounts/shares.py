"""What an account and an address may take of the service, over all their connections: knocking, reading, talking.

It refuses nothing: a client that has taken too much has to wait. Called on the threads of all clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.token_bucket import OriginBuckets, TokenBuckets

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import Settings
    from service.origin import Origin

# What an account may take over all its connections, and an address --address-share times. A client that has taken more
# is read from more slowly. Before the login all is the address's.
READ_RATE: Final = 50.0  # commands a second that are no messages, such as pages; 10,000 messages a second
READ_BURST: Final = 1_000  # of these at once: a client that comes back after a year catches up unhindered
KNOCK_RATE: Final = 5.0  # connections and lines before the login, a second, for each of --address-share
KNOCK_BURST: Final = 100  # of these at once: 200 clients behind one router connect and log in
SHARE_BURST: Final = 0.5  # of --address-share bursts at once: 2 MiB of texts, which no reader's outbox ends for


class Shares:
    """The limits of Settings, where its `rate` is not 0; with an `address_share` of 0 there are none for addresses.

    Each method takes a cost, and gives the seconds that this client must wait before it may go on; 0 if it need not.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        share = settings.address_share
        self._knocking = OriginBuckets(share * KNOCK_RATE, share * KNOCK_BURST, now) if share else None
        self._reading = _Share(READ_RATE, READ_BURST, share, now)
        self._talking = _Share(settings.rate, settings.burst, share, now)

    def knock(self, origin: Origin, cost: float) -> float:
        """For clients before their login: connections, bytes and lines of an address."""
        return self._knocking.spend(origin, cost) if self._knocking is not None else 0.0

    def read(self, origin: Origin, user_id: int, cost: float) -> float:
        """For commands that are no messages, and for bytes whatever they say."""
        return self._reading.spend(origin, user_id, cost)

    def talk(self, origin: Origin, user_id: int, cost: float) -> float:
        """For messages."""
        return self._talking.spend(origin, user_id, cost)


class _Share:
    """A bucket for each account, and one of `share` times its rate for each address; 0: none for addresses."""

    def __init__(self, rate: float, burst: float, share: float, now: Callable[[], float]) -> None:
        self._accounts = TokenBuckets(rate, burst, now)
        # A network's addresses may send no more at once than one of them: more would end a slow reader's outbox.
        at_once = SHARE_BURST * share * burst
        self._addresses = OriginBuckets(share * rate, at_once, now, at_once) if share else None

    def spend(self, origin: Origin, user_id: int, cost: float) -> float:
        wait = self._accounts.spend(user_id, cost)
        return wait if self._addresses is None else max(wait, self._addresses.spend(origin, cost))
