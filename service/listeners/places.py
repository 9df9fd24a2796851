"""Who gives up his place when --max-connections are in. Chooses only; it ends nobody and holds no lock.

The server's lock guards what is in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.config import ACCOUNT_PLACES

if TYPE_CHECKING:
    from service.listeners.connection import Connection


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


class Members:
    """The connections that have logged in, by account."""

    def __init__(self) -> None:
        self._by_account: dict[int, dict[Connection, None]] = {}  # each in the order in which they logged in
        self._crowded: set[int] = set()  # accounts with more than ACCOUNT_PLACES, mostly none: only these are compared

    def add(self, connection: Connection) -> None:
        """Takes one in."""
        user_id = connection.session.logged_in_account().id
        there = self._by_account.setdefault(user_id, {})
        there[connection] = None
        if len(there) > ACCOUNT_PLACES:
            self._crowded.add(user_id)

    def discard(self, connection: Connection) -> None:
        """Takes one out, if it is in."""
        account = connection.session.account
        there = self._by_account.get(account.id, {}) if account is not None else {}
        if account is None or connection not in there:
            return
        del there[connection]
        if len(there) <= ACCOUNT_PLACES:
            self._crowded.discard(account.id)
        if not there:
            del self._by_account[account.id]

    def choose(self) -> Connection | None:
        """The oldest of the account that has most, if that is more than ACCOUNT_PLACES."""
        if not self._crowded:
            return None
        most = max(self._crowded, key=lambda user_id: len(self._by_account[user_id]))
        return next(iter(self._by_account[most]))
