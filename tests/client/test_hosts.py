"""client/hosts.py: one spelling for all that mean the same host."""

from __future__ import annotations

import pytest

from client.__main__ import main
from client.hosts import canonical
from service import programs


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("Chat.Example", "chat.example"),
        ("chat.example.", "chat.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("[::1]", "::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::0:1%eth0", "fe80::1%eth0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("a..b", "a..b"),
        ("a\ud800", "a\ud800"),
        ("a" * 64, "a" * 64),
        (".", ""),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_host_has_one_spelling(typed: str, host: str) -> None:
    """Whatever is typed; and that one is its own."""
    assert (canonical(typed), canonical(host)) == (host, host)


@pytest.mark.parametrize("host", ["", " ", "."])
def test_an_empty_host_is_said(capsys: pytest.CaptureFixture[str], host: str) -> None:
    """The system would take it for this machine, and its line in the file of certificates would damage that."""
    with pytest.raises(SystemExit) as ended:
        main([host, "12000", "alice"])
    assert (ended.value.code, f"SERVER is empty: {programs.CLIENT}" in capsys.readouterr().err) == (2, True)
