"""service/listeners/web/port.py: in plain or in TLS, by which names, and what the operator is told."""

from __future__ import annotations

import logging
import shutil
import socket
from contextlib import ExitStack
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from service.config import Settings
from service.errors import ConfigError
from service.listeners.web import files, port
from service.listeners.web.port import own_names
from tests.support.helpers import PATIENCE, enter
from tests.support.web import UPGRADE, ask, running_web, send

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tls import Authority, Pair


def test_the_page_in_tls(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """With the service's certificate: its socket is one in TLS, too, and browsers are held to that if it is asked."""
    with running_web(tmp_path, tls_cert=pair.cert, tls_key=pair.key, hsts=60) as web:
        page = ask(web.port, "/", tls=authority.trusting(), host=f"localhost:{web.port}")
        assert (page.status, page.fields["strict-transport-security"]) == (200, "max-age=60")
        assert f"wss://localhost:{web.port};" in page.fields["content-security-policy"]
        for scheme, status in (("https", 101), ("http", 403)):
            fields = (f"Origin: {scheme}://127.0.0.1:{web.port}", *UPGRADE)
            assert ask(web.port, "/chat", *fields, tls=authority.trusting()).status == status


def test_who_speaks_no_tls_is_told_how(tmp_path: Path, pair: Pair) -> None:
    """In plain, which is what that one reads."""
    with running_web(tmp_path, tls_cert=pair.cert, tls_key=pair.key) as web:
        reply = ask(web.port, "/")
    assert (reply.status, b"https://" in reply.body) == (400, True)


def test_in_plain_behind_a_proxy_that_speaks_tls(tmp_path: Path, pair: Pair) -> None:
    """The other port goes on in TLS."""
    with running_web(tmp_path, tls_cert=pair.cert, tls_key=pair.key, web_tls="no") as web:
        assert ask(web.port, "/").status == 200


def test_the_names_of_the_certificate_come_in(tmp_path: Path, authority: Authority) -> None:
    """And after a SIGHUP those of the new one, without a restart; the operator's all the time."""
    old, new = (authority.issue(name, "localhost") for name in ("old.example", "new.example"))
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with ExitStack() as stack:
        for pair, known in ((old, (200, 421)), (new, (421, 200))):
            shutil.copy(pair.cert, cert)
            shutil.copy(pair.key, key)
            if pair is old:
                web = stack.enter_context(
                    running_web(tmp_path, tls_cert=str(cert), tls_key=str(key), web_name=("Own.example".lower(),))
                )
            else:
                web.server.reload()
            tls = authority.trusting()
            hosts = ("old.example", "new.example", "own.example")
            assert [ask(web.port, "/", host=host, tls=tls).status for host in hosts] == [*known, 200]


def test_a_certificate_without_readable_names_is_not_taken(
    tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At a SIGHUP: the old one stays, with its names, as the log says."""
    with running_web(tmp_path, tls_cert=pair.cert, tls_key=pair.key) as web:
        old = web.server._tls
        monkeypatch.setattr(port, "read_names", Mock(side_effect=ConfigError("no names")))
        web.server.reload()
        assert web.server._tls is old
    assert "the certificate stays as it was: no names" in caplog.text


def test_without_its_files_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any thread runs, and any port is open: else the process would stay, and serve nobody."""
    monkeypatch.setattr(files, "_MAIN", "gone.js")
    with pytest.raises(ConfigError, match=r"the page's files are not all there \('gone.js'\)"), running_web(tmp_path):
        pass
    assert not (tmp_path / "chat.db").exists()


def test_names_are_those_of_the_operator_and_of_the_certificate(authority: Authority) -> None:
    """Without a certificate the operator's alone."""
    pair = authority.issue("Chat.example")
    assert own_names(Settings(web_name=("other.example",), tls_cert=pair.cert)) == {"chat.example", "other.example"}
    assert own_names(Settings(web_name=("other.example",))) == {"other.example"}


def test_tls_that_cannot_be_spoken_is_told() -> None:
    """The service does not start in plain where TLS was asked for."""
    with pytest.raises(ConfigError, match="--web-tls yes needs a certificate"):
        own_names(Settings(web_tls="yes"))


@pytest.mark.parametrize(
    ("settings", "is_warned", "page"),
    [
        ({}, False, "page at http://127.0.0.1:{port}/"),
        ({"web_host": "0.0.0.0"}, True, "page at http://localhost:{port}/"),  # noqa: S104 (for a moment)
        ({"web_host": "0.0.0.0", "web_name": ("chat.example",)}, True, "page at http://chat.example:{port}/"),  # noqa: S104
        ({"web_host": "0.0.0.0", "trusted_proxy": (ip_network("10.0.0.2"),)}, False, "page at http://localhost"),  # noqa: S104
    ],
)
def test_the_operator_is_told_where_the_page_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], is_warned: bool, page: str
) -> None:
    """And warned where passwords would go over a network in plain, if no proxy stands between."""
    caplog.set_level(logging.INFO)
    with running_web(tmp_path, **settings) as web:
        assert ("what browsers send" in caplog.text) is is_warned
        assert page.format(port=web.port) in caplog.text


def test_who_finds_no_room_is_told_when_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In HTTP; the chat goes on."""
    with running_web(tmp_path) as web:
        monkeypatch.setattr(web.server.visitors, "receive", lambda *_: False)
        reply = send(web.port, b"")
        assert (reply.status, reply.fields["retry-after"]) == (503, "5")
        enter(web.server.port, "alice").close()


def test_a_stop_cuts_off_who_has_not_asked_yet(tmp_path: Path) -> None:
    """Nobody holds it up."""
    with running_web(tmp_path) as web:
        idle = socket.create_connection(("127.0.0.1", web.port), PATIENCE)
        assert ask(web.port, "/").status == 200
    with idle:
        assert idle.recv(1) == b""
