"""Which addresses are proxies whose word counts, and where their clients come from. Opens no socket.

What anybody else says of that is not looked at: else each client could choose the address that its limits count for.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

_SCHEMES: Final = {"http", "https"}


class Proxies:
    """The proxies that an operator trusts."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)

    def is_trusted(self, host: str) -> bool:
        """Whether an IP address, as a socket formats it, is that of such a proxy."""
        return bool(self._networks) and self._has(_read(host))

    def forwarded(self, host: str, fields: list[str]) -> str:
        """Returns from where the client came to the first proxy that is trusted.

        `host` is the address of the socket's peer, `fields` are the values of X-Forwarded-For in their order. Each
        proxy adds at their end from where it was asked. So the last address that is no proxy's counts. Where a proxy
        did not say, or said what is no address, it is `host`.
        """
        if not self.is_trusted(host):
            return host
        for entry in reversed(",".join(fields).split(",")):
            try:
                address = _read(_without_port(entry.strip()))
            except ValueError:
                return host
            if not self._has(address):
                return str(address)
        return host

    def scheme(self, host: str, fields: list[str]) -> str | None:
        """Returns ``http`` or ``https`` as a trusted proxy says in X-Forwarded-Proto. None: `host` says nothing."""
        said = ",".join(fields).rpartition(",")[2].strip().lower()
        return said if said in _SCHEMES and self.is_trusted(host) else None

    def _has(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _read(host: str) -> IPv4Address | IPv6Address:
    """Raises ValueError."""
    address = ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(entry: str) -> str:
    """Some proxies add the port: ``192.0.2.1:4711`` or ``[2001:db8::1]:4711``."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
