"""The places for clients, which all listeners share: which are taken, and which client gives way to a newcomer.

Accepts nobody and reads nothing. A client that has to go is ended on the delivery thread.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from service.token_bucket import TokenBuckets

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.delivery.loop import Delivery
    from service.listeners.connection import Connection

ACCOUNT_PLACES: Final = 8  # sessions of an account that keep their places when all are taken: its devices and scripts
# When all places are taken, a new client replaces one of its own address that is not logged in, if that address has the
# most of these. Without a limit a flood would replace them at the speed of accept, before any can log in.
OWN_PLACES_RATE: Final = 10.0  # replacements a second; with 200 clients each has 20 seconds for its login
OWN_PLACES_BURST: Final = 200  # replacements at once: a class behind one router comes in the same minute
LEAVING_AT_ONCE: Final = 32  # clients beyond --max-connections: replaced ones that are still leaving
SWITCH_INTERVAL: Final = 0.005  # seconds that a thread may keep the interpreter while others wait; CPython's default
SWITCH_PER_CLIENT: Final = 3e-6  # seconds, used instead if larger; a message to 10,000 has to wait that long at most
# While many clients leave at once: each waiting thread wakes once in that time, 50,000 in a second.
SWITCH_PER_LEAVING: Final = 20e-6  # seconds, for each client
RUSH: Final = 50  # clients that have left
RUSH_TIME: Final = 0.25  # seconds in which so many left; in a storm of logins it takes a second

CROWDED: Final = "too many clients here just now; try again later"

_log: Final = logging.getLogger("chat.listener")


class Places:
    """The connections of all listeners. Safe for several threads."""

    def __init__(
        self,
        most: int,
        delivery: Delivery,
        now: Callable[[], float],
        *,
        account_places: int = ACCOUNT_PLACES,
        own_burst: float = OWN_PLACES_BURST,
        switch_per_client: tuple[float, float] = (SWITCH_PER_CLIENT, SWITCH_PER_LEAVING),
    ) -> None:
        """There are `most` places. The named arguments are as the constants say."""
        self._most = most
        self._delivery = delivery
        self._switch_per_client = switch_per_client
        self._own_places = TokenBuckets(OWN_PLACES_RATE, own_burst, now)
        self._now = now
        self._lock = threading.Lock()  # guards the next five
        self._left_at: deque[float] = deque(maxlen=RUSH)  # when the last clients left
        self._coming = 0  # places that `make_place` has given, and nobody has taken yet
        self._connections: set[Connection] = set()
        self._strangers = Strangers()  # those of them that have not logged in
        self._members = Members(account_places)  # those that have

    def connections(self) -> list[Connection]:
        """Those that there are at this moment."""
        with self._lock:
            return list(self._connections)

    def make_place(self, network: str) -> bool:
        """Whether there is a place for one more client, from `network`. If all are taken, one client may have to leave.

        That is a client that has not logged in, or else a session of an account that has many. After True the place is
        kept until `add` or `give_back`: visits ask on threads of their own, and many at once would all see the last.
        """
        with self._lock:
            excess = len(self._connections) + self._coming - self._most
            if excess < 0:
                self._coming += 1
                return True
            if excess >= LEAVING_AT_ONCE:  # those that give up their places are still there for a moment
                return False
            leaver = self._strangers.choose(network)
            end: Callable[[Connection], None] = self._drop
            if leaver is None:
                leaver, end = self._members.choose(), _give_way
            elif not self._may_replace(leaver, network):
                return False
            if leaver is None:
                return False
            self._strangers.discard(leaver)
            self._members.discard(leaver)
            self._coming += 1
        self._delivery.post(end, leaver)
        return True

    def give_back(self) -> None:
        """Undoes `make_place`: nobody comes after all."""
        with self._lock:
            self._coming -= 1

    def add(self, connection: Connection) -> None:
        """Gives a new client the place that was made."""
        with self._lock:
            self._coming -= 1
            self._connections.add(connection)
            self._strangers.add(connection)
            self._share_interpreter()

    def note_login(self, connection: Connection) -> None:
        """The client has logged in: from now on it keeps its place, unless its account has many."""
        with self._lock:
            self._strangers.discard(connection)
            self._members.add(connection)

    def remove(self, connection: Connection) -> None:
        """The client is gone, and its place is free."""
        with self._lock:
            self._connections.discard(connection)
            self._strangers.discard(connection)
            self._members.discard(connection)
            self._left_at.append(self._now())
            self._share_interpreter()

    def _may_replace(self, stranger: Connection, network: str) -> bool:
        """Whether a newcomer may have that place. One of its own address it may have only so often: see above."""
        if stranger.session.origin.network != network:
            return True
        if self._own_places.wait_for_one(network):
            return False
        self._own_places.spend(network)
        return True

    def _drop(self, stranger: Connection) -> None:
        """Ends a stranger, on the delivery thread. One that has just begun to log in stays, and is a stranger again."""
        if stranger.session.drop(CROWDED):
            _log.info("refused %s: its place was needed", stranger.session.peer)
            return
        with self._lock:
            # With an account it may be noted as a member already. If it gets one later, `note_login` takes it out.
            if stranger in self._connections and stranger.session.account is None:
                self._strangers.add(stranger)

    def _share_interpreter(self) -> None:
        """Sets how often a thread that waits for the interpreter wakes up to ask for it.

        When thousands of clients drop at once, thousands of threads wait. At CPython's interval they would do little
        else than ask: 10,000 took 43 s to end, in place of 2. At other times few wait, and one of them is the delivery
        thread: each of its sends gives the interpreter away, and it must not wait long to get it back.
        """
        is_rush = len(self._left_at) == RUSH and self._now() - self._left_at[0] < RUSH_TIME
        seconds = self._switch_per_client[is_rush]
        sys.setswitchinterval(max(SWITCH_INTERVAL, len(self._connections) * seconds))


def _give_way(member: Connection) -> None:
    member.session.give_way()


class Strangers:
    """The connections that have not logged in, by address. The lock of Places guards them."""

    def __init__(self) -> None:
        self._by_network: dict[str, dict[Connection, None]] = {}  # each in the order in which they came

    def add(self, connection: Connection) -> None:
        """Adds one."""
        self._by_network.setdefault(connection.session.origin.network, {})[connection] = None

    def discard(self, connection: Connection) -> None:
        """Removes one, if it is there."""
        network = connection.session.origin.network
        there = self._by_network.get(network, {})
        there.pop(connection, None)
        if not there:
            self._by_network.pop(network, None)

    def choose(self, network: str) -> Connection | None:
        """The stranger to go for a newcomer from `network`: the oldest of the address that has most.

        Never one whose password or token is being checked. Where no address has more than that of the newcomer, one of
        its own goes: otherwise several addresses would grow at each other's cost.
        """
        own = self._by_network.get(network, {})
        larger = [there for there in self._by_network.values() if len(there) > len(own)]
        for there in (*sorted(larger, key=len, reverse=True), own):
            for connection in there:
                if not connection.session.is_entering:
                    return connection
        return None


class Members:
    """The connections that have logged in, by account. The lock of Places guards them."""

    def __init__(self, account_places: int = ACCOUNT_PLACES) -> None:
        """So many connections of an account keep their places."""
        self._account_places = account_places
        self._by_account: dict[int, dict[Connection, None]] = {}  # each in the order in which they logged in
        self._crowded: set[int] = set()  # accounts with more than that, mostly none: only these are compared

    def add(self, connection: Connection) -> None:
        """Adds one."""
        user_id = connection.session.logged_in_account().id
        there = self._by_account.setdefault(user_id, {})
        there[connection] = None
        if len(there) > self._account_places:
            self._crowded.add(user_id)

    def discard(self, connection: Connection) -> None:
        """Removes one, if it is there."""
        account = connection.session.account
        there = self._by_account.get(account.id, {}) if account is not None else {}
        if account is None or connection not in there:
            return
        del there[connection]
        if len(there) <= self._account_places:
            self._crowded.discard(account.id)
        if not there:
            del self._by_account[account.id]

    def choose(self) -> Connection | None:
        """The oldest of the account that has most, if that is more than may keep their places."""
        if not self._crowded:
            return None
        most = max(self._crowded, key=lambda user_id: len(self._by_account[user_id]))
        return next(iter(self._by_account[most]))
