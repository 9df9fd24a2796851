"""TLS 1.2 and 1.3 over a connected socket, and the service's SSL context. Knows no chat and starts no threads.

Two threads must never use an SSL object at once, and an SSLSocket breaks if one thread reads it while another writes
(CPython #143756). So TlsChannel runs TLS between two memory buffers, and does the socket's I/O itself.
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

from service import programs
from service.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    Charge = Callable[[int, int], None]  # takes the number of bytes, and of TLS records or frames, received; may wait

RECEIVE_BYTES: Final = 65_536  # one recv after a full one; a usual kernel buffer holds about two of these

_RECORD_BYTES: Final = 16_384  # of plaintext, at most (RFC 8446, section 5.1)
_HEADER_BYTES: Final = 5  # of a record; the last two bytes give the length of the rest
_HANDSHAKE_RECEIVES: Final = 64  # in one handshake; an honest client needs two to four, and each costs an OpenSSL call
_ANSWER_BYTES: Final = 65_536  # of pending TLS answers, such as for new keys, before a peer that reads none is cut off
HANDSHAKE: Final = 0x16  # the first byte of a ClientHello and of its answer
ALERT: Final = 0x15  # the first byte of a refusal
_DONT_WAIT: Final = int(socket.MSG_DONTWAIT)
_REMEDY: Final = f"To make a certificate and its key: {programs.ADMIN} certs"


class NotTlsError(OSError):
    """The peer sent `received`, which is not TLS, or sent nothing before the time-out."""

    def __init__(self, received: bytes) -> None:
        super().__init__("what came is not TLS" if received else "nothing came in time")
        self.received = received


class TlsChannel:
    """TLS with one peer. One thread receives, any thread may send.

    It behaves as a socket does, except for what `send` and `recv` say. `_lock` guards the SSL object and its buffers.
    `_send_lock` is taken first: it is held while ciphertext is taken from the buffer and sent, so that the bytes keep
    their order. No lock is held while the socket receives.
    """

    def __init__(self, connected: socket.socket, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """With a `server_name` this is the client's side; the certificate must name it if the context checks names."""
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_name is None, server_name)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._unsent = memoryview(b"")  # ciphertext that the kernel has not taken; _send_lock guards this and the next
        self.sealed = 0  # bytes at the start of the last `send` that are encrypted already and cannot change
        self._has_ended = False  # nothing more is sent, and incoming data is dropped
        self._records = _RecordCounter()

    def handshake(self, seconds: float) -> None:
        """Does the handshake, on the receiving thread, before anything else. Leaves the socket blocking.

        Raises NotTlsError, SSLError (SSLCertVerificationError among them), TimeoutError and other OSErrors.
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
                if not has_begun and data[0] not in {HANDSHAKE, ALERT}:
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
        """Goes as far with the handshake as the received data allows; returns whether it is complete."""
        is_done = False
        try:
            with self._lock, suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                is_done = True
        except ssl.SSLError:
            with suppress(OSError):
                self._send_shake(deadline)  # the alert tells the peer why
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
        """Waits for data and returns it; empty at the end of the stream. For the receiving thread. Raises OSError.

        `size` is the buffer's size in bytes; the result may be longer, because records are read whole. `charge` is
        called with the number of bytes and records before they are decrypted. It may wait.
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
        """Sends TLS's own answers without waiting; skips this if another thread is sending, which then sends them.

        Raises ConnectionError if so many bytes are `owed` that the peer seems to read none.
        """
        if self._send_lock.acquire(blocking=False):
            try:
                self._flush(_DONT_WAIT)
            finally:
                self._send_lock.release()
        if owed > _ANSWER_BYTES:
            raise ConnectionError("the peer reads none of TLS's answers")

    def _read(self) -> bytes | None:
        """Returns all plaintext received; None if more data is needed, empty at the end. Raises SSLError."""
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
        """Encrypts and sends; returns how many bytes the kernel took completely. Raises OSError.

        `flags` are those of socket.send. After a short send the next call must begin with the bytes that were not
        counted: some of them are encrypted already.
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
        """Sends all bytes, and waits as long as the socket does. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest) :]

    def end(self) -> None:
        """Tells the peer that nothing more comes (close_notify). Later input is received and dropped."""
        with self._send_lock:
            with self._lock:
                self._has_ended = True
                with suppress(OSError, ValueError):  # it misses the peer's close_notify
                    self._tls.unwrap()
            with suppress(OSError):  # gone already
                self._flush(_DONT_WAIT)

    def _flush(self, flags: int) -> bool:
        """Sends the pending ciphertext; returns whether the kernel took all. The caller holds `_send_lock`."""
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
        """Returns the peer's certificate as DER. For the client's side, after the handshake."""
        with self._lock:
            return self._tls.getpeercert(binary_form=True) or b""


class _RecordCounter:
    """Counts the TLS records in a stream: each costs time to process, even an empty one."""

    def __init__(self) -> None:
        self._header = b""  # the received part of an incomplete header
        self._left = 0  # bytes of the current record that are still missing

    def count(self, ciphertext: bytes) -> int:
        """Returns how many record headers end in this piece of the stream."""
        data = self._header + ciphertext
        position, count = self._left, 0
        while position + _HEADER_BYTES <= len(data):
            position += _HEADER_BYTES + int.from_bytes(data[position + 3 : position + _HEADER_BYTES], "big")
            count += 1
        self._header = data[position:]
        self._left = max(0, position - len(data))
        return count


def fingerprint(certificate: bytes) -> str:
    """Returns the SHA-256 of a DER certificate as other programs show it: ``AB:CD:…``."""
    return hashlib.sha256(certificate).digest().hex(":").upper()


def load_certificate(certificate: str, key: str) -> tuple[ssl.SSLContext, str]:
    """Returns the service's SSL context from two PEM files, and the certificate's fingerprint.

    Raises ConfigError with one line that tells the operator what to do.
    """
    if not certificate or not key:
        raise ConfigError("--tls-cert and --tls-key belong together: give both, or neither")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation is costly, and a client could ask for it again and again. No client resumes TLS sessions, so no
    # tickets are sent.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    pem = _read(certificate)
    _read(key)
    try:
        context.load_cert_chain(certificate, key, password="")  # without it OpenSSL asks at the terminal
        return context, fingerprint(_first(pem))
    except (OSError, ValueError) as error:  # SSLError is an OSError
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"the key {key} does not belong to the certificate {certificate}") from error
        raise ConfigError(
            f"{certificate} and {key} are no certificate and unencrypted key in PEM form. {_REMEDY}"
        ) from error


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(f"cannot read {path}: {reason}. {_REMEDY}") from error


def _first(pem: str) -> bytes:
    """Returns the file's first certificate, which is the service's own, as DER. Raises ValueError."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body = pem.partition(begin)[2].partition(end)[0]
    return ssl.PEM_cert_to_DER_cert(begin + body + end)
