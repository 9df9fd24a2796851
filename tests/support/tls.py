"""Certificates for the tests, and contexts that trust them. Holds no test."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import trustme

from service.net.tls import fingerprint
from tests.support.helpers import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from service.server import Server


class Pair(NamedTuple):
    """The files of a certificate and its key."""

    cert: str
    key: str

    def context(self) -> ssl.SSLContext:
        """Returns a context for a server of the test's own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    @property
    def fingerprint(self) -> str:
        """Returns the fingerprint as the service logs it."""
        with open(self.cert, encoding="ascii") as file:  # noqa: PTH123
            return fingerprint(ssl.PEM_cert_to_DER_cert(file.read()))


class Authority:
    """Signs certificates for clients that trust it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._count = 0
        self.file = str(folder / "authority.pem")
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, *names: str, not_after: datetime | None = None) -> Pair:
        """Returns a new certificate; for this machine if no name is given."""
        self._count += 1
        pair = Pair(*(str(self._folder / f"{kind} {self._count}.pem") for kind in ("certificate", "key")))
        leaf = self._authority.issue_cert(*(names or ("localhost", "127.0.0.1")), not_after=not_after)
        leaf.cert_chain_pems[0].write_to_path(pair.cert)
        leaf.private_key_pem.write_to_path(pair.key)
        return pair

    def trusting(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """Returns a context for a client of that TLS version at most, which insists on a close_notify."""
        context = ssl.create_default_context(cafile=self.file)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        context.maximum_version = version
        return context


@contextmanager
def tls_server(folder: Path, pair: Pair, **settings: object) -> Iterator[Server]:
    """Yields a server in this process that speaks TLS."""
    with running_server(folder, tls_cert=pair.cert, tls_key=pair.key, **settings) as server:
        yield server
