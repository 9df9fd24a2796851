"""Who gives up his place when --max-connections are in. Chooses only; it ends nobody and holds no lock.

The server's lock guards what is in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.connection import Connection


class Strangers:
    """The connections that have not logged in, by address."""

    def __init__(self) -> None:
        self._by_network: dict[str, dict[Connection, None]] = {}  # each in the order in which they came

    def add(self, connection: Connection) -> None:
        """Takes one in."""
        self._by_network.setdefault(connection.session.origin.network, {})[connection] = None

    def discard(self, connection: Connection) -> None:
        """Takes one out, if it is in."""
        network = connection.session.origin.network
        there = self._by_network.get(network, {})
        there.pop(connection, None)
        if not there:
            self._by_network.pop(network, None)

    def choose(self, network: str) -> Connection | None:
        """The oldest of the address that has most, for a newcomer from `network`; none whose password is looked at.

        An address that has as many as any other makes room for its own: else several would grow at each other's cost.
        """
        own = self._by_network.get(network, {})
        larger = [there for there in self._by_network.values() if len(there) > len(own)]
        for there in (*sorted(larger, key=len, reverse=True), own):
            for connection in there:
                if not connection.session.is_entering:
                    return connection
        return None
