"""Who may knock, and how often: connections, failed logins and registrations of one address or account.

Counts and refuses; it holds no socket and checks no password. Called on the threads of all clients.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from service.budget import Budgets
from service.config import ACCOUNT_SHARE, LOGIN_BURST, REGISTER_BURST
from service.errors import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.config import Settings

_MINUTE: Final = 60.0  # seconds
_IPV6_NETWORK: Final = 64  # bits: what one household or machine is given; it may use each address in it


def group_address(host: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 network of an IPv6 one."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"{IPv6Address(int(address) >> _IPV6_NETWORK << _IPV6_NETWORK)}/{_IPV6_NETWORK}"
        address = address.ipv4_mapped
    return str(address)


class Door:
    """The limits of Settings for one address or account; each that is 0 is none."""

    def __init__(self, settings: Settings) -> None:
        self._max_per_address = settings.max_per_address
        self._lock = threading.Lock()
        self._connections: Counter[str] = Counter()
        rate = settings.login_rate / _MINUTE
        self._is_limited = rate > 0
        self._failures = Budgets(rate, LOGIN_BURST)  # by address
        # So large that nobody can keep an account's owner out from one address, or from a few.
        self._account_failures = Budgets(ACCOUNT_SHARE * rate, ACCOUNT_SHARE * LOGIN_BURST)
        self._registrations = Budgets(rate, REGISTER_BURST)

    def admit(self, address: str) -> bool:
        """Counts a connection in, unless the address has as many as it may; `leave` counts it out."""
        with self._lock:
            if 0 < self._max_per_address <= self._connections[address]:
                return False
            self._connections[address] += 1
            return True

    def leave(self, address: str) -> None:
        """Counts a connection out."""
        with self._lock:
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]

    @contextmanager
    def login(self, name: str, address: str) -> Iterator[None]:
        """Round the check of a password. Raises PeerError `rate_limited` if too many have failed; counts a failure.

        A name that nobody has is limited like any other, so that this tells nobody which names there are.
        """
        if self._is_limited:
            _refuse_for(
                max(self._failures.wait_for_one(address), self._account_failures.wait_for_one(name)), "failed logins"
            )
        try:
            yield
        except PeerError as error:
            if error.code == "bad_credentials" and self._is_limited:
                self._failures.spend(address)
                self._account_failures.spend(name)
            raise

    def register(self, address: str) -> None:
        """Counts a registration in. Raises PeerError `rate_limited`."""
        if self._is_limited:
            _refuse_for(self._registrations.wait_for_one(address), "new names from your address")
            self._registrations.spend(address)


def _refuse_for(seconds: float, reason: str) -> None:
    if seconds > 0:
        whole = math.ceil(seconds)
        raise PeerError("rate_limited", f"too many {reason}; try again in {whole} seconds", retry_after=whole)
