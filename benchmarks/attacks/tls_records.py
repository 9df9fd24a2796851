"""A client's TLS 1.3 records, built by hand, because Python's ssl has no key updates. Knows bytes; no socket.

RFC 8446: section 5.2 has the records, 7.1 to 7.3 the derivation of keys from secrets, 4.6.3 the key update.
"""

from __future__ import annotations

import hmac
import re
import struct
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HANDSHAKE: Final = 22  # types of content
APPLICATION_DATA: Final = 23
_KEY_UPDATE: Final = 24  # a type of handshake message
_TAG: Final = 16  # bytes that the cipher adds
_IV: Final = 12  # bytes
# The cipher suites that OpenSSL prefers: the hash, and the bytes of a key.
_SUITES: Final = {"TLS_AES_256_GCM_SHA384": ("sha384", 32), "TLS_AES_128_GCM_SHA256": ("sha256", 16)}


def find_secret(key_log: str) -> bytes:
    """Returns the client's first application secret of the newest connection in a key log (SSLKEYLOGFILE)."""
    found = re.findall(r"^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]+ ([0-9a-f]+)$", key_log, re.MULTILINE)
    return bytes.fromhex(found[-1])


class RecordWriter:
    """Builds the records after the handshake, if nothing else was sent since then."""

    def __init__(self, suite: str, secret: bytes) -> None:
        """`suite` is the name from SSLObject.cipher(). Raises KeyError for an unknown one."""
        self._hash, self._key_bytes = _SUITES[suite]
        self._take_keys(secret)

    def _take_keys(self, secret: bytes) -> None:
        self._secret = secret
        self._aead = AESGCM(self._expand(b"key", self._key_bytes))
        self._iv = int.from_bytes(self._expand(b"iv", _IV), "big")
        self._number = 0  # the next record's number under these keys

    def _expand(self, label: bytes, length: int) -> bytes:
        """HKDF-Expand-Label without context; one block of the hash is enough here."""
        label = b"tls13 " + label
        info = struct.pack(">HB", length, len(label)) + label + b"\0\1"
        return hmac.digest(self._secret, info, self._hash)[:length]

    def seal(self, kind: int, content: bytes) -> bytes:
        """Returns a record with that content, which may be empty."""
        header = struct.pack(">BHH", APPLICATION_DATA, 0x0303, len(content) + 1 + _TAG)
        nonce = (self._iv ^ self._number).to_bytes(_IV, "big")
        self._number += 1
        return header + self._aead.encrypt(nonce, content + bytes([kind]), header)

    def update_keys(self, *, asks: bool) -> bytes:
        """Returns a record that announces new keys; `asks`: the other side must renew its keys, too."""
        record = self.seal(HANDSHAKE, struct.pack(">B3sB", _KEY_UPDATE, b"\0\0\1", asks))
        hash_bytes = len(self._secret)
        self._take_keys(self._expand(b"traffic upd", hash_bytes))
        return record
