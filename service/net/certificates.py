"""Makes a self-signed certificate and its key, for a service without one; reads the names in a certificate.

Knows no connection: see tls.py.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from service import programs
from service.clock import utcnow
from service.errors import ConfigError
from service.net.tls import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CERTIFICATE_DAYS: Final = 3_650  # validity; clients trust this certificate by its fingerprint, not by its dates

# What OpenSSL takes all the same; these are no ValueErrors.
_MALFORMED: Final = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_NAME_MAX: Final = 64  # characters of a common name (RFC 5280, appendix A.1)


def make_pair(folder: Path, names: Sequence[str]) -> list[str]:
    """Writes cert.pem and key.pem for this machine and for `names`; returns lines for the operator.

    `names` are further host names or addresses. Raises ConfigError if a name is invalid, or if a file exists already or
    cannot be written.
    """
    machine = socket.gethostname()
    names = list(dict.fromkeys([*names, *([machine] if _is_name(machine) else []), *_LOCAL]))
    certificate, key = _sign(names)
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    for file in (cert_file, key_file):
        if file.exists():
            raise ConfigError(f"{file} is there already. Move it away, or name another folder")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(key_file, secret, 0o600)
        _write(cert_file, certificate.public_bytes(Encoding.PEM), 0o644)
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}") from error
    return [
        f"{cert_file} and {key_file} made, good until {certificate.not_valid_after_utc:%Y-%m-%d}",
        f"Names: {', '.join(names)}",
        f"SHA-256 fingerprint: {fingerprint(certificate.public_bytes(Encoding.DER))}",
        f"Next: {programs.SERVICE} --host 0.0.0.0 --tls-cert {quote(str(cert_file))} --tls-key {quote(str(key_file))}",
        f"then: {programs.CLIENT} SERVER 12000 --tls, which shows the fingerprint and asks once",
    ]


def read_names(file: Path) -> frozenset[str]:
    """Returns the DNS names in a file's first certificate, in small letters. Raises ConfigError."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    except (OSError, ValueError, *_MALFORMED) as error:
        raise ConfigError(f"cannot read the names in the certificate {file}: {error}") from error
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _sign(names: list[str]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_NAME_MAX])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    now = utcnow()
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a client's clock may be slow
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
    )
    return builder.sign(key, SHA256()), key


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _is_name(name):
        raise ConfigError(f"{name!r} is no name of a machine: a-z, 0-9, - and dots, or an address")
    return x509.DNSName(name)


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text) is not None


def _write(file: Path, data: bytes, mode: int) -> None:
    """Creates a file, which has this mode from the start. Raises OSError."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target:
        target.write(data)
