"""Decides whether a server is the intended one: by certificates, and by those pinned on first use. Shows nothing.

A certificate must be for the typed name, and signed by an authority that this machine trusts or `--tls-ca` names. The
user may trust any other certificate by hand: from then on that server must show exactly this one, whatever its names
and dates. A server that was trusted once is never contacted without TLS again, because an attacker need only pretend
that it has none.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from client.files import reserved, write_private
from client.hosts import canonical
from client.text import one_line
from service.net.tls import TlsChannel, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# OpenSSL's codes for a certificate without a known signer (x509_vfy.h): X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
# _SELF_SIGNED_CERT_IN_CHAIN, _UNABLE_TO_GET_ISSUER_CERT_LOCALLY, _UNABLE_TO_VERIFY_LEAF_SIGNATURE.
_SIGNED_BY_NOBODY_KNOWN: Final = {18, 19, 20, 21}

Dial = Callable[[], socket.socket]
Secured = tuple[socket.socket, TlsChannel]
# Replaces the fingerprint of a certificate that a trusted authority has signed. In such a line _TLS follows the port:
# older clients take it for a server with an impossible name, and keep the line.
_SIGNED: Final = "signed"
_TLS: Final = "/tls"


class UntrustedError(Exception):
    """The server is not trusted; `str()` says why, and what to do."""


class DowngradeError(UntrustedError):
    """The server is known to speak TLS, but the connection would not use it."""


class Security(Protocol):
    """How a connection is secured."""

    def secure(
        self, dial: Dial, host: str, port: int, seconds: float, /
    ) -> tuple[socket.socket, socket.socket | TlsChannel]:
        """Calls `dial`; returns the socket, and what to talk through. Raises UntrustedError, OSError, and as `dial`."""


class Plain:
    """No TLS. `why_not` returns a reason against that, or ""; `warn` is called once, before any data is sent."""

    def __init__(self, why_not: Callable[[], str] | None = None, warn: Callable[[], object] | None = None) -> None:
        self._why_not = why_not
        self._warn = warn

    def secure(self, dial: Dial, _host: str, _port: int, _seconds: float, /) -> tuple[socket.socket, socket.socket]:
        """Returns the connection of `dial` as it is. Raises DowngradeError, and what `why_not` and `dial` raise."""
        # It checks each time: another client may have learned of the server's TLS during this connection.
        if self._why_not and (reason := self._why_not()):
            raise DowngradeError(reason)
        sock = dial()
        if self._warn:
            self._warn()
            self._warn = None
        return sock, sock


class Trust:
    """What a server must prove before any data is sent to it."""

    def __init__(self, ca: str, pins: Pins, ask: Callable[[str], bool] | None) -> None:
        """`ca` is a file of certificates, or empty; `ask` asks the user, if there is one.

        Raises UntrustedError if the file cannot be used.
        """
        self._ca = ca
        self._pins = pins
        self._ask = ask
        try:
            self._verifying = ssl.create_default_context(cafile=ca or None)
        except OSError as error:  # SSLError is an OSError
            raise UntrustedError(f"There are no certificates to read in {one_line(ca)}. Check the file.") from error
        self._verifying.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seeing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # accepts any certificate, to look at it
        self._seeing.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seeing.check_hostname = False
        self._seeing.verify_mode = ssl.CERT_NONE

    def secure(self, dial: Dial, host: str, port: int, seconds: float) -> Secured:
        """Calls `dial` and does the handshake with a trusted server; `seconds` are for one handshake.

        Raises UntrustedError, NotTlsError, other OSErrors, and what `dial` raises.
        """
        pin = None if self._ca else self._pins.find(host, port)
        if pin is None:
            try:
                secured = _shake(dial(), self._verifying, host, seconds)
            except ssl.SSLCertVerificationError as error:
                if self._ca or error.verify_code not in _SIGNED_BY_NOBODY_KNOWN:
                    raise UntrustedError(self._explain(host, error.verify_message)) from error
            else:
                with suppress(UntrustedError):  # this connection is safe without the note, and a home may be read-only
                    self._pins.note(host, port)
                return secured
            # That handshake has failed, and the user may take long to answer. So each look at a certificate uses a
            # connection of its own.
            sock, channel = _shake(dial(), self._seeing, host, seconds)
            sock.close()
            pin = self._take_on(host, port, fingerprint(channel.certificate()))
        sock, channel = _shake(dial(), self._seeing, host, seconds)
        shown = fingerprint(channel.certificate())
        if shown != pin:
            sock.close()
            raise UntrustedError(_changed(host, port, shown, "is not the one that you trust."))
        return sock, channel

    def _take_on(self, host: str, port: int, shown: str) -> str:
        """Returns the pin if the user agrees. Raises UntrustedError."""
        if self._pins.is_signed(host, port):  # users agree quickly, and an attacker can show such a certificate, too
            how = (
                "is signed by nobody known here. The one before was signed by an authority that was trusted.\n"
                "If you named that authority with --tls-ca FILE, do so again."
            )
            raise UntrustedError(_changed(host, port, shown, how))
        told = (
            f"Nobody known here has signed the certificate of {one_line(host)}, port {port}.\n"
            f"Its SHA-256 fingerprint:\n  {shown}\n"
        )
        if self._ask is None:
            raise UntrustedError(
                f"{told}Not connected. To trust it, run the client once at a terminal, or name its file: --tls-ca FILE"
            )
        question = f"{told}The service logs its own when it starts.\nType yes to trust it, if the two are the same: "
        if not self._ask(question):
            raise UntrustedError("Not connected. No password was sent.")
        self._pins.add(host, port, shown)
        return shown

    def _explain(self, host: str, reason: str) -> str:
        advice = f"Is {one_line(self._ca)} the right file?" if self._ca else "Check the name, or ask the operator."
        return f"The certificate of {one_line(host)} is not trusted: {one_line(reason).rstrip('.')}. {advice}"


class Pins:
    """The file of certificates that the user trusts. Each line has a host, a port and a fingerprint.

    Another kind of line notes a server with a signed certificate: host, port/tls, "signed". Only the owner can read the
    file.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.label: Final = one_line(str(path))  # as messages show it

    def find(self, host: str, port: int) -> str | None:
        """Returns the fingerprint that this server must show, if any. Raises UntrustedError."""
        return self._read().get((canonical(host), str(port)))

    def add(self, host: str, port: int, pin: str) -> None:
        """Writes the pin, completely or not at all. Raises UntrustedError."""
        with self._changing() as pins:
            pins[canonical(host), str(port)] = pin

    def note(self, host: str, port: int) -> None:
        """Notes that this server has a signed certificate. Raises UntrustedError."""
        if not self.is_signed(host, port):  # usually true, so that nothing is written
            with self._changing() as pins:
                pins[canonical(host), f"{port}{_TLS}"] = _SIGNED

    def is_signed(self, host: str, port: int) -> bool:
        """Returns whether this server has shown a signed certificate. Raises UntrustedError."""
        return (canonical(host), f"{port}{_TLS}") in self._read()

    def knows(self, host: str, port: int) -> bool:
        """Returns whether this server was trusted with TLS. Raises UntrustedError."""
        return not self._read().keys().isdisjoint(_keys(host, port))

    def forget(self, host: str, port: int) -> bool:
        """Removes this server's lines; returns whether there were any. Raises UntrustedError."""
        if not self.knows(host, port):
            return False
        with self._changing() as pins:
            for key in _keys(host, port):
                pins.pop(key, None)
        return True

    @contextmanager
    def _changing(self) -> Iterator[dict[tuple[str, str], str]]:
        """Yields the file's content, and writes it after the change; other clients wait meanwhile."""
        try:
            with reserved(self.path):
                pins = self._read()
                yield pins
                write_private(self.path, "".join(f"{host} {port} {pin}\n" for (host, port), pin in pins.items()))
        except OSError as error:
            raise UntrustedError(f"Cannot write {self.label}: {error.strerror}. Not connected.") from error

    def _read(self) -> dict[tuple[str, str], str]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
            # Older clients wrote a host as the user typed it. If two spellings have two pins, the later line counts.
            return {(canonical(host), port): pin for host, port, pin in map(str.split, lines)}
        except (
            FileNotFoundError,
            NotADirectoryError,
        ):  # the latter if the home is /dev/null, as for a daemon
            return {}
        except OSError as error:
            raise UntrustedError(f"Cannot read {self.label}: {error.strerror}. Not connected.") from error
        except ValueError as error:
            raise UntrustedError(
                f"{self.label} is damaged: each line is a host, a port and a fingerprint. Mend it, or remove it."
            ) from error


def _keys(host: str, port: int) -> tuple[tuple[str, str], tuple[str, str]]:
    return (canonical(host), str(port)), (canonical(host), f"{port}{_TLS}")


def _shake(sock: socket.socket, context: ssl.SSLContext, host: str, seconds: float) -> Secured:
    try:
        channel = TlsChannel(sock, context, host)
        channel.handshake(seconds)
    except BaseException:  # also for Ctrl-C
        sock.close()
        raise
    return sock, channel


def _changed(host: str, port: int, shown: str, how: str) -> str:
    return (
        f"The certificate of {one_line(host)}, port {port}, {how}\n"
        "Someone may be in between, or the operator has changed it: ask. Its SHA-256 fingerprint is now:\n"
        f"  {shown}\n"
        "Not connected. To trust the new one, first forget the old one with --forget-server."
    )
