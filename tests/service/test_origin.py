"""service/origin.py: what counts as one address."""

from __future__ import annotations

import pytest

from service.origin import Origin, origin_of


@pytest.mark.parametrize(
    ("host", "address", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::9", "2001:db8:1:ffff::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("::1", "::/64", "::/48"),
    ],
)
def test_what_counts_as_one_address(host: str, address: str, network: str) -> None:
    """An IPv4 address, however written; of IPv6 what one household has, and what one customer has."""
    assert origin_of(host) == Origin(address, network)
