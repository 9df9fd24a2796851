"""Logins and registrations: passwords, which bcrypt checks in turns, and tokens.

Everything here runs on the connection thread of the client that asks, so that slow hashing slows only that client.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from service.accounts import passwords
from service.accounts.refusals import as_peer_errors
from service.clock import format_time, utcnow
from service.config import cores
from service.errors import PeerError
from service.turns import UNLIMITED, CrowdedError, QueueLimits, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.config import Settings
    from service.origin import Origin
    from service.storage.contract import Storage, User

TOKEN_BYTES: Final = 32  # 256 random bits
TOKEN_LIFETIME: Final = 30 * 24 * 3600.0  # seconds; 30 days since the token's last use
# Passwords waiting to be hashed, and at work: logins, registrations and changes. They take turns between networks
# (see Turns), so a newcomer waits for one turn of each other network that is busy, whatever the numbers here.
BCRYPT_WAITING: Final = 1_000  # of all; beyond it the last one of the network or address that has most is sent away
BCRYPT_PER_ADDRESS: Final = 20  # times --address-share: a whole class of 200, through in 25 s on two cores
BCRYPT_PER_ACCOUNT: Final = 4  # of one address: a user's devices after a password change; more is an attack
_BUSY_RETRY: Final = 5  # seconds; what else waits for an account or address is mostly done by then


class NewToken(NamedTuple):
    """A token for the client, and what is stored of it."""

    text: str
    hash: bytes
    now: str
    expires_at: str

    def __repr__(self) -> str:  # for logs and exceptions: no token
        return f"NewToken(expires_at={self.expires_at!r})"


def hash_token(text: str) -> bytes:
    """What is stored of a token: it is random, so one fast hash protects it as well as a slow one."""
    return hashlib.sha256(text.encode()).digest()


class Accounts:
    """Checks names, passwords and tokens. A method that hashes takes a quarter of a second of a core."""

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        *,
        processors: int | None = None,
        waiting: int | None = None,
        per_address: int = BCRYPT_PER_ADDRESS,
    ) -> None:
        """`processors`: how many passwords are hashed at once, by default one on each core.

        `waiting` and `per_address` take the place of BCRYPT_WAITING and BCRYPT_PER_ADDRESS.
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
        self._ids: dict[str, int] = {}  # of names asked for; an account keeps its name and its id for ever
        # What an unknown name's password is checked against, so that it takes as long as a known one's.
        self._dummy_hash = passwords.make_hash(secrets.token_hex(), settings.bcrypt_cost)

    @property
    def registration_open(self) -> bool:
        """Whether new names may register."""
        return self._settings.registration == "open"

    def find_id(self, name: str) -> int | None:
        """The id of the account of that (mapped) name. Raises StorageUnavailable."""
        user_id = self._ids.get(name)
        if user_id is None and (user := self._storage.find_user(name)) is not None:
            user_id = self._ids[name] = user.id
        return user_id

    def is_registered(self, name: str) -> bool:
        """Whether to ask for the password of `name`; with registration closed, for every name, known or not."""
        return not self.registration_open or self._storage.find_user(name) is not None

    def verify(self, name: str, text: str, origin: Origin) -> User | None:
        """The account, if `text` is its password; None if the name may be registered. Raises PeerError.

        `origin` is whose turn it takes.
        """
        user = self._storage.find_user(name)
        if user is None and self.registration_open:
            return None
        password = passwords.prepare(text)
        password_hash = self._dummy_hash if user is None else user.password_hash
        with self._turn(name, origin):
            right = passwords.is_hash_of(password or "", password_hash)
        if user is None or password is None or not right:
            raise PeerError("bad_credentials", "wrong name or password; try again")
        with as_peer_errors():
            user.check_enabled()
        return user

    def check_new_password(self, text: str) -> str:
        """The new password in its one form, for `hash`. Raises PeerError `weak_password`."""
        return passwords.check_new(text, self._settings.min_password)

    def check_registration(self, name: str, look: str) -> None:
        """Refuses what registering would refuse, before it costs a hash. Raises PeerError."""
        if not self.registration_open:
            raise PeerError("registration_closed", "new names cannot register here; ask the operator for an account")
        with as_peer_errors():
            self._storage.check_free(name, look)

    def new_token(self) -> NewToken:
        """A fresh token; it is valid once its hash is stored."""
        return self.renew_token(secrets.token_urlsafe(TOKEN_BYTES))

    def renew_token(self, text: str) -> NewToken:
        """The same token, to live on from now."""
        now = utcnow()
        expires = now + timedelta(seconds=TOKEN_LIFETIME)
        return NewToken(text, hash_token(text), format_time(now), format_time(expires))

    def hash(self, password: str, name: str, origin: Origin) -> str:
        """What is stored of the password for that account. Raises PeerError `rate_limited`."""
        with self._turn(name, origin):
            return passwords.make_hash(password, self._settings.bcrypt_cost)

    def close(self) -> None:
        """Sends those away that wait for their turn: a shutdown does not wait for their hashes."""
        self._hashing.close()

    @contextmanager
    def _turn(self, name: str, origin: Origin) -> Iterator[None]:
        """A place at a processor, after a wait; raises PeerError where too many of the account or address wait."""
        self._storage.release()  # others may read meanwhile
        try:
            with self._hashing.turn(origin, name):
                yield
        except CrowdedError:
            raise PeerError(
                "rate_limited", "too many passwords to be checked at once; try again soon", retry_after=_BUSY_RETRY
            ) from None
