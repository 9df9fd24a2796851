"""Passwords: their normal form (RFC 8265) and their bcrypt hashes. A hash takes 0.25 s of CPU time."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import bcrypt
import precis_i18n

from service.config import MAX_PASSWORD
from service.errors import PeerError

_PROFILE: Final = precis_i18n.get_profile("OpaqueString")


def prepare(text: str) -> str | None:
    """Returns the password in its normal form (RFC 8265, OpaqueString); None if no password can be so."""
    if len(text.encode()) > MAX_PASSWORD:
        return None
    try:
        password: str = _PROFILE.enforce(text)
    except ValueError:
        return None
    return password if len(password.encode()) <= MAX_PASSWORD else None


def check_new(text: str, shortest: int) -> str:
    """Returns the new password in its normal form; needs `shortest` characters. Raises PeerError `weak_password`."""
    password = prepare(text)
    if len(text) < shortest or (password and len(password) < shortest):
        raise PeerError("weak_password", f"a password has at least {shortest} characters")
    if password is None:
        raise PeerError("weak_password", f"a password has at most {MAX_PASSWORD} bytes and no control characters")
    return password


def make_hash(password: str, cost: int) -> str:
    """Returns the stored form of a password in its normal form; each step of `cost` doubles the work."""
    return bcrypt.hashpw(_digest(password), bcrypt.gensalt(cost)).decode()


def is_hash_of(password: str, password_hash: str) -> bool:
    """Returns whether that password was hashed; takes as long as hashing it."""
    return bcrypt.checkpw(_digest(password), password_hash.encode())


def _digest(password: str) -> bytes:
    """Returns 64 bytes for bcrypt, which takes at most 72 and no NUL: so each byte of a long password counts."""
    return base64.b64encode(hashlib.sha384(password.encode()).digest())
