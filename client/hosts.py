"""Which hosts are the same, however they are typed: what is stored for a server must be found again. No DNS."""

from __future__ import annotations

import ipaddress
from contextlib import suppress


def canonical(host: str) -> str:
    """Returns one spelling for all that mean the same host, to compare hosts by; empty if `host` names none.

    It unifies spellings only: `localhost` and `127.0.0.1` stay two hosts. The client still connects to what was typed.
    """
    host = host.lower()
    # The form that a connection uses: `bücher.example` is `xn--bcher-kva.example`. A text that cannot be a name stays
    # as it is.
    with suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    host = host.removesuffix(".")  # a final dot only marks the name as complete
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
