"""Which addresses the limits count as one. Knows no socket."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

_HOUSEHOLD: Final = 64  # bits of IPv6: the prefix of one machine or household, which may use all its addresses
_SITE: Final = 48  # bits of IPv6: the largest prefix of one customer, with 65,536 households (RFC 6177)

NETWORK_SHARE: Final = 4  # an IPv6 network (a /48) may use as much as this many addresses


class Origin(NamedTuple):
    """A client's address, and the network around it that may belong to one party."""

    address: str  # an IPv4 address, or the /64 of an IPv6 address
    network: str  # the same, or the /48


def origin_of(host: str) -> Origin:
    """Returns the origin of an IP address, as a socket formats it."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return Origin(_network_of(address, _HOUSEHOLD), _network_of(address, _SITE))
        address = address.ipv4_mapped
    return Origin(str(address), str(address))


def _network_of(address: IPv6Address, bits: int) -> str:
    rest = address.max_prefixlen - bits
    return f"{IPv6Address(int(address) >> rest << rest)}/{bits}"
