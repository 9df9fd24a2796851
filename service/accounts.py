"""Who may come in: names and passwords as RFC 8265 has them, bcrypt behind its waiting room, and tokens.

Everything here runs on the connection thread of the client that asks, so that slow hashing slows only that client.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import unicodedata
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import bcrypt
import precis_i18n

from service.clock import format_time, utcnow
from service.config import BCRYPT_WAITING, MAX_PASSWORD, MAX_USERNAME, TOKEN_BYTES, TOKEN_LIFETIME, cores
from service.errors import PeerError
from service.storage import users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.config import Settings
    from service.storage import Storage

_NAME_PROFILE: Final = precis_i18n.get_profile("UsernameCaseMapped")
_PASSWORD_PROFILE: Final = precis_i18n.get_profile("OpaqueString")
_FORBIDDEN_IN_NAMES: Final = frozenset(":,@#*")
_BUSY_RETRY: Final = 5  # seconds; about how long a full waiting room takes to empty at cost 12


class NewToken(NamedTuple):
    """A token for the client, and what is stored of it."""

    text: str
    hash: bytes
    now: str
    expires_at: str


@lru_cache(maxsize=4096)
def map_name(text: str) -> str:
    """The account name that `text` means: `Alice` is `alice` (RFC 8265, UsernameCaseMapped). Raises PeerError."""
    reason = f"1 to {MAX_USERNAME} letters, digits and marks, without spaces and without : , @ # *"
    try:
        # Mapping costs time for each character, so what cannot fit is refused first; case mapping may double it.
        if not 1 <= len(text) <= 2 * MAX_USERNAME:
            raise ValueError(text)
        name: str = _NAME_PROFILE.enforce(text)
        if len(name) > MAX_USERNAME or any(_is_forbidden(char) for char in name):
            raise ValueError(name)
    except ValueError:  # UnicodeEncodeError is what precis_i18n raises, too
        raise PeerError("invalid_username", f"a name has {reason}; choose another one") from None
    return name


def _is_forbidden(char: str) -> bool:
    return char in _FORBIDDEN_IN_NAMES or char.isspace() or unicodedata.category(char)[0] in "CZ"


def prepare_password(text: str) -> str | None:
    """The password in its one form (RFC 8265, OpaqueString); None if no password can be like that."""
    if len(text.encode()) > MAX_PASSWORD:
        return None
    try:
        password: str = _PASSWORD_PROFILE.enforce(text)
    except ValueError:
        return None
    return password if len(password.encode()) <= MAX_PASSWORD else None


def hash_token(text: str) -> bytes:
    """What is stored of a token: it is random, so one fast hash protects it as well as a slow one."""
    return hashlib.sha256(text.encode()).digest()


class Accounts:
    """Registers and checks. Of its methods those that hash take a quarter of a second and a core."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._settings = settings
        self._hashing = threading.BoundedSemaphore(cores())
        self._waiting = threading.BoundedSemaphore(cores() + BCRYPT_WAITING)
        self._closed = False
        self._ids: dict[str, int] = {}  # of names asked for; an account keeps its name and its id for ever
        # What an unknown name's password is checked against, so that it takes as long as a known one's.
        self._dummy_hash = self.hash(secrets.token_hex())

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

    def verify(self, name: str, text: str) -> users.User | None:
        """The account, if `text` is its password; None if the name may be registered. Raises PeerError."""
        user = self._storage.read(users.find_user, name)
        if user is None and self.registration_open:
            return None
        password = prepare_password(text)
        right = self._check(password or "", self._dummy_hash if user is None else user.password_hash)
        if user is None or password is None or not right:
            raise PeerError("bad_credentials", "wrong name or password; try again")
        return user

    def check_new_password(self, text: str) -> str:
        """The new password in its one form, for `hash`. Raises PeerError `weak_password`."""
        password = prepare_password(text)
        if len(text) < self._settings.min_password or (password and len(password) < self._settings.min_password):
            raise PeerError("weak_password", f"a password has at least {self._settings.min_password} characters")
        if password is None:
            raise PeerError("weak_password", f"a password has at most {MAX_PASSWORD} bytes and no control characters")
        return password

    def check_registration(self, name: str) -> None:
        """Refuses what registering would refuse, before it costs a hash. Raises PeerError."""
        if not self.registration_open:
            raise PeerError("registration_closed", "new names cannot register here; ask the operator for an account")
        if self._storage.read(users.find_user, name) is not None:
            raise PeerError("username_taken", f'the name "{name}" is taken; choose another one')

    def new_token(self) -> NewToken:
        """A fresh token; it is valid once its hash is stored."""
        return self.renew_token(secrets.token_urlsafe(TOKEN_BYTES))

    def renew_token(self, text: str) -> NewToken:
        """The same token, to live on from now."""
        now = utcnow()
        expires = now + timedelta(seconds=TOKEN_LIFETIME)
        return NewToken(text, hash_token(text), format_time(now), format_time(expires))

    def hash(self, password: str) -> str:
        """What is stored of a password. Raises PeerError `rate_limited`."""
        with self._core():
            return bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._settings.bcrypt_cost)).decode()

    def _check(self, password: str, password_hash: str) -> bool:
        with self._core():
            return bcrypt.checkpw(_digest(password), password_hash.encode())

    def close(self) -> None:
        """Lets those in the waiting room go: a shutdown does not wait for their hashes."""
        self._closed = True

    @contextmanager
    def _core(self) -> Iterator[None]:
        """A place at a processor, after a wait in the waiting room; raises PeerError when that is full."""
        if not self._waiting.acquire(blocking=False):
            raise PeerError("rate_limited", "too many logins at once; try again soon", retry_after=_BUSY_RETRY)
        try:
            with self._hashing:
                if self._closed:
                    raise PeerError("rate_limited", "the service is stopping", retry_after=_BUSY_RETRY)
                yield
        finally:
            self._waiting.release()


def _digest(password: str) -> bytes:
    """64 bytes for bcrypt, which takes at most 72 and no NUL: every byte of a long password counts."""
    return base64.b64encode(hashlib.sha384(password.encode()).digest())
