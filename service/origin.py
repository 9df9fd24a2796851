"""Where a client comes from: what counts as one address in every limit. Knows no socket."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

_HOUSEHOLD: Final = 64  # bits of IPv6: what one machine or household is given; it may use each address in it
_SITE: Final = 48  # bits of IPv6: what one customer is given at most; it has 65,536 households (RFC 6177)

NETWORK_SHARE: Final = 4  # addresses' worth of everything that an IPv6 network of many addresses (a /48) may take


class Origin(NamedTuple):
    """An address, and the network around it whose addresses one party may all have."""

    address: str  # an IPv4 address, or the /64 of an IPv6 one
    network: str  # the same, or the /48


def origin_of(host: str) -> Origin:
    """What an IP address, as a socket gives it, counts as."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return Origin(_network_of(address, _HOUSEHOLD), _network_of(address, _SITE))
        address = address.ipv4_mapped
    return Origin(str(address), str(address))


def _network_of(address: IPv6Address, bits: int) -> str:
    rest = address.max_prefixlen - bits
    return f"{IPv6Address(int(address) >> rest << rest)}/{bits}"
