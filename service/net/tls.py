"""TLS 1.2 and 1.3 over a connected socket, and the contexts for it. Knows bytes and certificates; no chat, no threads.

An SSL object must never be in two threads at once, and one SSLSocket for a thread that reads and another that writes
breaks (CPython #143756). So here TLS is done between two buffers, and the socket is used outside.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    Charge = Callable[[int, int], None]  # gets how many bytes and TLS records came; may wait

RECEIVE_BYTES: Final = 65_536  # one recv after a full one; the kernel's usual socket buffer holds about two of these

_RECORD_BYTES: Final = 16_384  # of plaintext, at most (RFC 8446, section 5.1)
_HEADER_BYTES: Final = 5  # of a record; the last two say how long the rest is
_HANDSHAKE_RECEIVES: Final = 64  # within a handshake; an honest one takes two to four, each costs a step of OpenSSL
_ANSWER_BYTES: Final = 65_536  # of answers to what TLS itself is asked, such as new keys, for a peer that reads none
HANDSHAKE: Final = 0x16  # the first byte of a ClientHello and of its answer
_ALERT: Final = 0x15  # or of a refusal
_DONT_WAIT: Final = int(socket.MSG_DONTWAIT)


class NotTlsError(OSError):
    """The peer said something that is not TLS, in `received`, or nothing at all in its time."""

    def __init__(self, received: bytes) -> None:
        super().__init__("what came is not TLS" if received else "nothing came in time")
        self.received = received


class TlsChannel:
    """TLS with one peer. One thread receives, any may send: as a socket, but for what `send` and `recv` say.

    `_lock` is round every touch of the SSL object and its buffers. `_send_lock`, taken before it, is round taking
    ciphertext and sending it, so that it keeps its order. The socket is received from outside both.
    """

    def __init__(self, connected: socket.socket, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """`server_name` makes it the client's side: whom the certificate must name, where the context asks for it."""
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_name is None, server_name)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._unsent = memoryview(b"")  # ciphertext that the kernel has not taken; guarded by _send_lock, as is:
        self.sealed = 0  # bytes at the start of what was offered last that are encrypted, and cannot be taken back
        self._has_ended = False  # nothing more is sent, and what comes is dropped
        self._records = _RecordCounter()

    def handshake(self, seconds: float) -> None:
        """Agrees on keys with the peer; for the receiving thread, before anything else. Leaves the socket blocking.

        Raises NotTlsError; SSLError, of which SSLCertVerificationError; TimeoutError and other OSErrors.
        """
        deadline = time.monotonic() + seconds
        has_begun = False
        try:
            received = 0
            while not self._shake(deadline):
                if time.monotonic() >= deadline or received >= _HANDSHAKE_RECEIVES:
                    raise TimeoutError("the handshake takes too long")
                received += 1
                self._set_timeout(deadline)
                data = self._socket.recv(RECEIVE_BYTES)
                if not data:
                    raise ConnectionError("closed within the handshake")
                if not has_begun and data[0] not in {HANDSHAKE, _ALERT}:
                    raise NotTlsError(data)
                has_begun = True
                self._records.count(data)
                with self._lock:
                    self._incoming.write(data)
        except TimeoutError as error:
            if not has_begun:
                raise NotTlsError(b"") from error
            raise
        finally:
            self._socket.settimeout(None)

    def _shake(self, deadline: float) -> bool:
        """Takes the handshake as far as it goes with what has come; whether it is done."""
        is_done = False
        try:
            with self._lock, suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                is_done = True
        except ssl.SSLError:
            with suppress(OSError):
                self._send_shake(deadline)  # the alert, which tells the peer why
            raise
        self._send_shake(deadline)
        return is_done

    def _send_shake(self, deadline: float) -> None:
        with self._lock:
            ciphertext = self._outgoing.read()
        if ciphertext:
            self._set_timeout(deadline)
            self._socket.sendall(ciphertext)

    def _set_timeout(self, deadline: float) -> None:
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))

    def recv(self, size: int, charge: Charge | None = None) -> bytes:
        """What has come, waiting for it; empty at the end. For the receiving thread. Raises OSError, as a socket does.

        `size` is of the buffer to wait with: it may give more, as records are taken whole. `charge` gets how many bytes
        and records came, before they are looked at. It may wait.
        """
        while True:
            if not self._has_ended:
                try:
                    with self._lock:
                        data = self._read()
                        owed = self._outgoing.pending
                except ssl.SSLError:
                    self._answer()
                    raise
                if owed:
                    self._answer(owed)
                if data is not None:
                    return data
            ciphertext = self._socket.recv(size)
            if not ciphertext:
                return b""
            if len(ciphertext) == size:
                size = RECEIVE_BYTES
            records = self._records.count(ciphertext)
            if charge is not None:
                charge(len(ciphertext), records)
            with self._lock:
                if not self._has_ended:
                    self._incoming.write(ciphertext)

    def _answer(self, owed: int = 0) -> None:
        """Sends what TLS itself says to what came, without waiting; a thread that sends just now does that as well.

        Raises ConnectionError if so many bytes are owed that the peer seems to read none.
        """
        if self._send_lock.acquire(blocking=False):
            try:
                self._flush(_DONT_WAIT)
            finally:
                self._send_lock.release()
        if owed > _ANSWER_BYTES:
            raise ConnectionError("the peer asks and reads no answer")

    def _read(self) -> bytes | None:
        """The plaintext of all that has come; None if more must come first, empty at the end. Raises SSLError."""
        parts = []
        try:
            while part := self._tls.read(_RECORD_BYTES):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts) or None
        except ssl.SSLError:
            if not parts:
                raise
        return b"".join(parts)

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        """How many of the bytes the kernel has whole, encrypted. Raises OSError. `flags` are the socket's.

        After a short send the next one must begin with the bytes that were not counted: some are encrypted already.
        """
        taken = 0
        with self._send_lock:
            while self._flush(flags):
                taken += self.sealed
                self.sealed = 0
                if taken >= len(data):
                    break
                with self._lock:
                    self.sealed = self._tls.write(data[taken : taken + _RECORD_BYTES])
        return taken

    def sendall(self, data: bytes) -> None:
        """Sends all of it, waiting as long as the socket does. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest) :]

    def end(self) -> None:
        """Says that nothing more comes (close_notify). What the peer still says is received, and dropped."""
        with self._send_lock:
            with self._lock:
                self._has_ended = True
                with suppress(OSError, ValueError):  # it then waits for the peer's, which the receiving thread does
                    self._tls.unwrap()
            with suppress(OSError):  # gone already
                self._flush(_DONT_WAIT)

    def _flush(self, flags: int) -> bool:
        """Sends the ciphertext there is; whether the kernel took all of it. The caller holds `_send_lock`."""
        while True:
            if not self._unsent:
                with self._lock:
                    self._unsent = memoryview(self._outgoing.read())
                if not self._unsent:
                    return True
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent, flags) :]
            except BlockingIOError:
                return False

    def certificate(self) -> bytes:
        """The peer's, as DER; after the handshake, on the client's side."""
        with self._lock:
            return self._tls.getpeercert(binary_form=True) or b""


class _RecordCounter:
    """Counts the records in a stream: each takes its time, also one without content."""

    def __init__(self) -> None:
        self._header = b""  # the part of one that has come
        self._left = 0  # bytes of the present record that have not come

    def count(self, ciphertext: bytes) -> int:
        """How many headers of records end within what came."""
        data = self._header + ciphertext
        position, count = self._left, 0
        while position + _HEADER_BYTES <= len(data):
            position += _HEADER_BYTES + int.from_bytes(data[position + 3 : position + _HEADER_BYTES], "big")
            count += 1
        self._header = data[position:]
        self._left = max(0, position - len(data))
        return count


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate in DER form, as other programs show it: ``AB:CD:…``."""
    return hashlib.sha256(certificate).digest().hex(":").upper()


def load_certificate(certificate: str, key: str) -> tuple[ssl.SSLContext, str]:
    """The service's context from two PEM files, and the certificate's fingerprint.

    Raises ConfigError with one line that says what to do.
    """
    if not certificate or not key:
        raise ConfigError("--tls-cert and --tls-key belong together: give both, or neither")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Who asks for new keys again and again costs much. And nobody resumes a TLS session, so no tickets are sent.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    pem = _read(certificate)
    _read(key)
    try:
        context.load_cert_chain(certificate, key, password="")  # or OpenSSL would ask at the terminal
        return context, fingerprint(_first(pem))
    except (OSError, ValueError) as error:  # an SSLError, too
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"the key {key} does not belong to the certificate {certificate}") from error
        raise ConfigError(
            f"{certificate} and {key} are no certificate and unencrypted key in PEM form. To make some: make certs"
        ) from error


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(f"cannot read {path}: {reason}. To make a certificate and its key: make certs") from error


def _first(pem: str) -> bytes:
    """The service's own certificate, which stands first in its file, as DER. Raises ValueError."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body = pem.partition(begin)[2].partition(end)[0]
    return ssl.PEM_cert_to_DER_cert(begin + body + end)
