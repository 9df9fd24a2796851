"""Which server a host means, however it is typed: what is kept of a server must be found again. Asks no name server."""

from __future__ import annotations

import ipaddress
from contextlib import suppress


def canonical(host: str) -> str:
    """One spelling for all that mean the same host, to compare it by; empty if `host` names none.

    Only the spelling is made one: `localhost` and `127.0.0.1` stay two. What is connected to is what was typed.
    """
    host = host.lower()
    # As it will be connected to: `bücher.example` is `xn--bcher-kva.example`. What cannot be a name stays as it is.
    with suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    host = host.removesuffix(".")  # it only says that the name is a whole one
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
