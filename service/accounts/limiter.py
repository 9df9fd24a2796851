"""Limits for one address or account: connections, logins, failed logins, registrations, wrong webhooks.

It counts and refuses; it holds no socket and checks no password. The threads of all clients call it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from service.accounts.shares import SHARE_BURST
from service.errors import PeerError
from service.origin import NETWORK_SHARE
from service.token_bucket import OriginBuckets, TokenBuckets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.config import Settings
    from service.origin import Origin

LOGIN_BURST: Final = 20  # failed logins at once from one address: a class behind one router mistypes a few passwords
ACCOUNT_SHARE: Final = 5  # so many addresses must attack an account together before all its logins are refused
# Password checks for one account from one address, right passwords too. The address as a whole has --address-share
# times that rate, and SHARE_BURST of that at once. A class of 200 logs in unhindered, and one address later keeps half
# a core busy at most.
CHECK_RATE: Final = 0.2  # checks a second; each takes a quarter of a second of CPU time
CHECK_BURST: Final = 60  # checks at once: for a script that logs in for each message
REGISTER_BURST: Final = 200  # registrations at once from one address: a class's first minute
_MINUTE: Final = 60.0  # seconds


class Limiter:
    """The limits of Settings for one address or account; 0 means no limit."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._max_per_address = settings.max_per_address
        self._lock = threading.Lock()
        self._connections: Counter[str] = Counter()  # by address, and by network of several addresses
        rate = settings.login_rate / _MINUTE
        self._is_limited = rate > 0
        self._failures = OriginBuckets(rate, LOGIN_BURST, now)
        # The limit is so large that an attacker with a few addresses cannot lock the account's owner out.
        self._account_failures = TokenBuckets(ACCOUNT_SHARE * rate, ACCOUNT_SHARE * LOGIN_BURST, now)
        self._registrations = OriginBuckets(rate, REGISTER_BURST, now)
        self._wrong_hooks = OriginBuckets(rate, LOGIN_BURST, now)
        # Password checks, right or wrong: by account and address, and by address.
        self._counts_checks = bool(rate and settings.rate and settings.address_share)
        share = max(1.0, settings.address_share)  # with less than one check at once no login would succeed
        self._account_checks = TokenBuckets(CHECK_RATE, CHECK_BURST, now)
        self._checks = OriginBuckets(share * CHECK_RATE, SHARE_BURST * share * CHECK_BURST, now)

    def admit(self, origin: Origin) -> bool:
        """Counts a new connection, unless its address or network has its maximum; `leave` ends the count."""
        most = self._max_per_address
        with self._lock:
            if most and (
                self._connections[origin.address] >= most or self._connections[origin.network] >= NETWORK_SHARE * most
            ):
                return False
            for place in set(origin):
                self._connections[place] += 1
            return True

    def leave(self, origin: Origin) -> None:
        with self._lock:
            for place in set(origin):
                self._connections[place] -= 1
                if not self._connections[place]:
                    del self._connections[place]

    @contextmanager
    def login(self, name: str, origin: Origin, hashes: int = 1) -> Iterator[None]:
        """Wraps a password check: refuses it with PeerError `rate_limited` after too many failures; counts a failure.

        It also refuses after too many checks, right ones too; this check counts as `hashes`. A name without an account
        is limited in the same way, so that the limit does not reveal which names exist.
        """
        if self._is_limited:
            _refuse_for(
                max(self._failures.wait_for_one(origin), self._account_failures.wait_for_one(name)), "failed logins"
            )
        if self._counts_checks:
            self._count_check(name, origin, hashes)
        try:
            yield
        except PeerError as error:
            if error.code == "bad_credentials" and self._is_limited:
                self._failures.spend(origin)
                self._account_failures.spend(name)
            raise

    def _count_check(self, name: str, origin: Origin, hashes: int) -> None:
        """Counts the checks for the account at this address, so that no other address can lock its owner out."""
        account = (origin.address, name)
        _refuse_for(max(self._account_checks.wait_for_one(account), self._checks.wait_for_one(origin)), "logins")
        self._account_checks.spend(account, hashes)
        self._checks.spend(origin, hashes)

    def register(self, origin: Origin) -> None:
        """Counts a registration. Raises PeerError `rate_limited`."""
        if self._is_limited:
            _refuse_for(self._registrations.wait_for_one(origin), "new names from your address")
            self._registrations.spend(origin)

    def wrong_hook(self, origin: Origin) -> None:
        """Counts a request for a webhook that there is not. Raises PeerError `rate_limited`.

        Apart from failed logins, so that a monitor that goes on with an old address keeps nobody from logging in.
        """
        if self._is_limited:
            _refuse_for(self._wrong_hooks.wait_for_one(origin), "wrong webhooks")
            self._wrong_hooks.spend(origin)


def _refuse_for(seconds: float, reason: str) -> None:
    if seconds > 0:
        whole = math.ceil(seconds)
        raise PeerError("rate_limited", f"too many {reason}; try again in {whole} seconds", retry_after=whole)
