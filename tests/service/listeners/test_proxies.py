"""service/listeners/proxies.py: whose word counts on where a client comes from."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

import pytest

from service.listeners.proxies import Proxies

PROXIES: Final = Proxies(map(ip_network, ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")))


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:11.0.0.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_who_is_trusted(host: str, trusted: bool) -> None:
    """Addresses of the networks, also those of IPv4 in the form of IPv6."""
    assert PROXIES.is_trusted(host) is trusted
    assert not Proxies(()).is_trusted(host)


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4, 198.51.100.7, 192.0.2.1", "10.9.9.9"], "198.51.100.7"),
        (["198.51.100.7:4711"], "198.51.100.7"),
        (["[2001:db9::1]:4711"], "2001:db9::1"),
        (["[2001:db9::1]"], "2001:db9::1"),
        (["2001:db9::1"], "2001:db9::1"),
        (["2001:DB9:0::1"], "2001:db9::1"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["\t198.51.100.7 "], "198.51.100.7"),
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
        (["198.51.100.7,"], "10.0.0.1"),
        (["198.51.100.7, unknown"], "10.0.0.1"),
        (["198.51.100.7, unknown, 10.9.9.9"], "10.0.0.1"),
        (["198.51.100.7 10.9.9.9"], "10.0.0.1"),
        (["for=198.51.100.7"], "10.0.0.1"),
        (["10.9.9.9, 10.8.8.8"], "10.0.0.1"),
        (["198.51.100.7%x"], "198.51.100.7"),
        (["1" * 16_000], "10.0.0.1"),
        (["[" * 16_000], "10.0.0.1"),
        (["," * 16_000], "10.0.0.1"),
    ],
)
def test_where_a_client_of_a_proxy_comes_from(fields: list[str], client: str) -> None:
    """The last address that is no proxy's; where there is none, or a proxy says none, the client is the proxy."""
    assert PROXIES.forwarded("10.0.0.1", fields) == client


def test_who_is_not_trusted_speaks_for_nobody() -> None:
    """What it says is not looked at."""
    assert PROXIES.forwarded("192.0.2.2", ["198.51.100.7"]) == "192.0.2.2"
    assert PROXIES.scheme("192.0.2.2", ["https"]) is None
    assert Proxies(()).forwarded("10.0.0.1", ["198.51.100.7"]) == "10.0.0.1"


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        (["https"], "https"),
        (["http, HTTPS "], "https"),
        (["https", "http"], "http"),
        (["wss"], None),
        ([], None),
    ],
)
def test_how_a_client_came_to_a_proxy(fields: list[str], scheme: str | None) -> None:
    """As the last proxy says; anything else is not known."""
    assert PROXIES.scheme("10.0.0.1", fields) == scheme
