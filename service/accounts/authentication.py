"""Logins and registrations: checks passwords, whose bcrypt work takes turns, and tokens.

All of it runs on the requesting client's connection thread, so slow hashing delays only that client.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from service.accounts import passwords
from service.accounts.refusals import as_peer_errors
from service.config import cores
from service.errors import PeerError
from service.turns import UNLIMITED, CrowdedError, QueueLimits, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.config import Settings
    from service.origin import Origin
    from service.storage.contract import Storage
    from service.storage.records import User

TOKEN_BYTES: Final = 32  # 256 random bits
# Limits for passwords that wait for bcrypt or are in work: logins, registrations and changes. Networks take turns (see
# Turns), so a new client waits for one turn of each other busy network, independent of these numbers.
BCRYPT_WAITING: Final = 1_000  # in all; beyond it the network or address with the most waiting loses its last one
BCRYPT_PER_ADDRESS: Final = 20  # times --address-share: a class of 200 takes 25 s on two cores
BCRYPT_PER_ACCOUNT: Final = 4  # from one address: a user's devices after a password change; more is an attack
_BUSY_RETRY: Final = 5  # seconds; most of the account's or address's waiting work is done by then


class NewToken(NamedTuple):
    """A token for the client, and its stored form."""

    text: str
    hash: bytes

    def __repr__(self) -> str:  # for logs and exceptions: no token
        return "NewToken()"


def hash_token(text: str) -> bytes:
    """Returns a token's stored form. A token is random, so one fast hash protects it as well as a slow one."""
    return hashlib.sha256(text.encode()).digest()


def new_token() -> NewToken:
    """Returns a new token. It becomes valid when its hash is stored."""
    text = secrets.token_urlsafe(TOKEN_BYTES)
    return NewToken(text, hash_token(text))


class Accounts:
    """Checks names, passwords and tokens. A method that hashes takes a quarter of a second of CPU time."""

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        *,
        processors: int | None = None,
        waiting: int | None = None,
        per_address: int = BCRYPT_PER_ADDRESS,
    ) -> None:
        """`processors`: how many passwords are hashed at once; by default one per core.

        `waiting` and `per_address` replace BCRYPT_WAITING and BCRYPT_PER_ADDRESS.
        """
        self._storage = storage
        self._settings = settings
        most = QueueLimits(BCRYPT_WAITING if waiting is None else waiting)
        if settings.login_rate:
            share = settings.address_share
            most = most._replace(
                per_address=max(BCRYPT_PER_ACCOUNT, round(share * per_address)) if share else UNLIMITED,
                per_account=BCRYPT_PER_ACCOUNT,
            )
        self._hashing = Turns(cores() if processors is None else processors, most)
        self._ids: dict[str, int] = {}  # of open accounts, by name, as they were looked up
        # A password for an unknown name is checked against this hash, so that it takes as long as for a known one.
        self._dummy_hash = passwords.make_hash(secrets.token_hex(), settings.bcrypt_cost)

    @property
    def waiting(self) -> int:
        """How many passwords wait for bcrypt."""
        return self._hashing.waiting

    @property
    def registration_open(self) -> bool:
        return self._settings.registration == "open"

    def find_id(self, name: str) -> int | None:
        """Returns the id of the open account with that mapped name. Raises StorageUnavailable."""
        ids = self._ids  # what is looked up while these are forgotten goes with them
        user_id = ids.get(name)
        if user_id is None and (user := self._storage.find_user(name)) is not None and not user.is_closed:
            user_id = ids[name] = user.id
        return user_id

    def forget_ids(self) -> None:
        """Forgets the ids that were looked up. Call it after the commit that gave an account another name."""
        self._ids = {}

    def is_registered(self, name: str) -> bool:
        """Returns whether `name` needs its password; always true while registration is closed."""
        return not self.registration_open or self._storage.find_login(name) is not None

    def verify(self, name: str, text: str, origin: Origin) -> User | None:
        """Returns the account if `text` is its password; None if the name may be registered. Raises PeerError.

        The check takes a turn of `origin`. The error names the account for the log, but no name that has none: that
        may be a password, typed at the wrong place.
        """
        user = self._storage.find_login(name)
        if user is None and self.registration_open:
            return None
        try:
            return self._check_password(user, name, text, origin)
        except PeerError as error:
            error.account = "an unknown name" if user is None else name
            raise

    def _check_password(self, user: User | None, name: str, text: str, origin: Origin) -> User:
        """Takes as long, and says the same, where there is no such account. Raises PeerError."""
        password = passwords.prepare(text)
        # A closed account, or a former name, counts as registered, and every password as wrong.
        password_hash = self._dummy_hash if user is None or user.is_closed else user.password_hash
        with self._turn(name, origin):
            right = passwords.is_hash_of(password or "", password_hash)
        if user is None or user.is_closed or password is None or not right:
            raise PeerError("bad_credentials", "wrong name or password; try again")
        with as_peer_errors(self._settings.contact):
            user.check_enabled()
        return user

    def check_new_password(self, text: str) -> str:
        """Returns the new password in its normal form, for `hash`. Raises PeerError `weak_password`."""
        return passwords.check_new(text, self._settings.min_password)

    def check_registration(self, name: str, look: str) -> None:
        """Refuses early what registering would refuse, before a hash is made. Raises PeerError."""
        if not self.registration_open:
            raise PeerError("registration_closed", "new names cannot register here; ask the operator for an account")
        with as_peer_errors():
            self._storage.check_free(name, look)

    def hash(self, password: str, name: str, origin: Origin) -> str:
        """Returns the stored form of the account's password. Raises PeerError `rate_limited`."""
        with self._turn(name, origin):
            return passwords.make_hash(password, self._settings.bcrypt_cost)

    def close(self) -> None:
        """Ends the wait of all that wait for a turn, so that a shutdown does not wait for their hashes."""
        self._hashing.close()

    @contextmanager
    def _turn(self, name: str, origin: Origin) -> Iterator[None]:
        """Waits for a processor. Raises PeerError if too many of the account or address wait."""
        self._storage.release()  # other threads may read during the wait
        try:
            with self._hashing.turn(origin, name):
                yield
        except CrowdedError:
            raise PeerError(
                "rate_limited", "too many passwords to be checked at once; try again soon", retry_after=_BUSY_RETRY
            ) from None
