"""Who may come in: accounts and their passwords, bcrypt in turns, and tokens.

Everything here runs on the connection thread of the client that asks, so that slow hashing slows only that client.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from service.accounts import passwords
from service.clock import format_time, utcnow
from service.config import BCRYPT_PER_ACCOUNT, BCRYPT_PER_ADDRESS, BCRYPT_WAITING, TOKEN_BYTES, TOKEN_LIFETIME, cores
from service.errors import PeerError
from service.storage.sqlite import users
from service.turns import UNLIMITED, CrowdedError, QueueLimits, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.config import Settings
    from service.origin import Origin
    from service.storage.sqlite.engine import Storage

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
    """Registers and checks. Of its methods those that hash take a quarter of a second and a core."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._settings = settings
        self._hashing = Turns(cores(), _queue_limits(settings))
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
        if user_id is None and (user := self._storage.read(users.find_user, name)) is not None:
            user_id = self._ids[name] = user.id
        return user_id

    def is_registered(self, name: str) -> bool:
        """Whether to ask for the password of `name`; with registration closed, for every name, known or not."""
        return not self.registration_open or self._storage.read(users.find_user, name) is not None

    def verify(self, name: str, text: str, origin: Origin) -> users.User | None:
        """The account, if `text` is its password; None if the name may be registered. Raises PeerError.

        `origin` is whose turn it takes.
        """
        user = self._storage.read(users.find_user, name)
        if user is None and self.registration_open:
            return None
        password = passwords.prepare(text)
        password_hash = self._dummy_hash if user is None else user.password_hash
        with self._turn(name, origin):
            right = passwords.is_hash_of(password or "", password_hash)
        if user is None or password is None or not right:
            raise PeerError("bad_credentials", "wrong name or password; try again")
        user.check_enabled()
        return user

    def check_new_password(self, text: str) -> str:
        """The new password in its one form, for `hash`. Raises PeerError `weak_password`."""
        return passwords.check_new(text, self._settings.min_password)

    def check_registration(self, name: str, look: str) -> None:
        """Refuses what registering would refuse, before it costs a hash. Raises PeerError."""
        if not self.registration_open:
            raise PeerError("registration_closed", "new names cannot register here; ask the operator for an account")
        self._storage.read(users.check_free, name, look)

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
        """Lets those go who wait for their turn: a shutdown does not wait for their hashes."""
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


def _queue_limits(settings: Settings) -> QueueLimits:
    if not settings.login_rate:
        return QueueLimits(BCRYPT_WAITING)
    share = settings.address_share
    return QueueLimits(
        BCRYPT_WAITING,
        max(BCRYPT_PER_ACCOUNT, round(share * BCRYPT_PER_ADDRESS)) if share else UNLIMITED,
        BCRYPT_PER_ACCOUNT,
    )
