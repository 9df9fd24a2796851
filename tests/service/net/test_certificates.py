"""`certs`, a command of the operator: a pair to start with."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from cryptography import x509

from service.admin import __main__ as admin
from service.errors import ConfigError
from service.net.certificates import make_pair, read_names
from tests.support.helpers import enter
from tests.support.tls import Pair, tls_server

if TYPE_CHECKING:
    from tests.support.tls import Authority


def test_a_pair_is_made_and_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the owner can read the key; a client that trusts the certificate takes it for each of its names."""
    folder = tmp_path / "new" / "certs"
    assert admin.main(["certs", str(folder), "--name", "chat.example", "--name", "192.0.2.1"]) == 0
    pair = Pair(str(folder / "cert.pem"), str(folder / "key.pem"))
    assert ((folder / "key.pem").stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    told = capsys.readouterr().out
    assert f"SHA-256 fingerprint: {pair.fingerprint}\n" in told
    assert f"service --host 0.0.0.0 --tls-cert {pair.cert} --tls-key {pair.key}\n" in told
    context = ssl.create_default_context(cafile=pair.cert)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 asks for
    with tls_server(tmp_path, pair) as server, enter(server.port, "alice", tls=context):
        for name in ("chat.example", "192.0.2.1", "127.0.0.1", "::1"):
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                context.wrap_socket(sock, server_hostname=name).close()


@pytest.mark.parametrize("file", ["cert.pem", "key.pem"])
def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    """A file that is there is left as it is, the other is not made, and the error names it."""
    (tmp_path / file).write_text("precious")
    assert admin.main(["certs", str(tmp_path)]) == 1
    assert f"chat admin: {tmp_path / file} is there already. Move it away" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(file, "precious")]


@pytest.mark.parametrize("name", ["", "two words", "a..b", "-\n", "caf\u00e9", "*.example"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    """The error says what is one, and nothing is made."""
    with pytest.raises(ConfigError, match="is no name of a machine"):
        make_pair(tmp_path, [name])
    assert list(tmp_path.iterdir()) == []


def test_a_machine_with_a_strange_name_gets_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own name is left out then."""
    monkeypatch.setattr(socket, "gethostname", lambda: "my machine")
    assert "Names: localhost, 127.0.0.1, ::1" in make_pair(tmp_path, [])


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write to .*: Not a directory"):
        make_pair(tmp_path / "file" / "certs", [])


def test_the_names_in_a_certificate(tmp_path: Path, authority: Authority) -> None:
    """In small letters, without the addresses; of the first certificate in the file."""
    first, second = (authority.issue(*names) for names in (("Chat.example", "*.lab.example", "192.0.2.1"), ("other",)))
    chain = tmp_path / "chain.pem"
    chain.write_text(Path(first.cert).read_text() + Path(second.cert).read_text())
    assert read_names(chain) == {"chat.example", "*.lab.example"}


def test_a_certificate_whose_names_cannot_be_read(tmp_path: Path) -> None:
    """Is told, whatever is wrong with it."""
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for name in ("bad.pem", "none.pem"):
        with pytest.raises(ConfigError, match="cannot read the names in the certificate"):
            read_names(tmp_path / name)


def test_a_certificate_that_is_read_by_openssl_alone(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is told as well: a SIGHUP must not end the service for it."""
    malformed = Mock(side_effect=x509.DuplicateExtension("twice", x509.SubjectAlternativeName.oid))
    monkeypatch.setattr(x509, "load_pem_x509_certificate", malformed)
    with pytest.raises(ConfigError, match="cannot read the names in the certificate"):
        read_names(Path(authority.issue().cert))
