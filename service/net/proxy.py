"""The header that a proxy sends before a client's bytes, by HAProxy's PROXY protocol, version 1 or 2. Pure.

It says from where the client came to the proxy. Who may say so is not known here: see listeners/proxies.py.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

V1_BYTES: Final = 107  # of a header of version 1 with its CR LF, at most; so says the protocol (section 2.1)
V2_MORE: Final = 4_096  # bytes of version 2 after its first 16: addresses take 216, what is added is some hundreds

_V1: Final = b"PROXY "
_V1_LEAST: Final = len(b"PROXY UNKNOWN\r\n")
_V1_WORDS: Final = 6  # PROXY, the family, two addresses, two ports
_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_LEAST: Final = 16  # bytes: these twelve, the version and command, the family, and two of the length of the rest
_LOCAL, _PROXY = 0x20, 0x21  # version 2 in the upper half, the command in the lower
_UNKNOWN, _UNIX = 0x00, 0x31  # families without an address that means anything here
# By the family and transport (TCP): the family for inet_ntop, and the bytes of an address.
_TCP: Final = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}
_FAMILIES: Final[dict[bytes, type[IPv4Address | IPv6Address]]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_PORT_MAX: Final = 65_535


class ProxyError(ValueError):
    """What came is no PROXY header; `str()` says what is wrong with it."""


def missing(received: bytes) -> int:
    """Returns how many bytes the header lacks at least; 0 if `received` is all of it.

    Who reads no more than that reads nothing that belongs to the client. Raises ProxyError as early as it is clear.
    """
    if received and _V2.startswith(received[: len(_V2)]):
        if len(received) < _V2_LEAST:
            return _V2_LEAST - len(received)
        more = int.from_bytes(received[14:16], "big")
        if more > V2_MORE:
            raise ProxyError(f"a header of {_V2_LEAST + more} bytes is too long")
        return _V2_LEAST + more - len(received)
    if not _V1.startswith(received[: len(_V1)]):
        raise ProxyError("the first bytes are those of no PROXY header")
    if received.endswith(b"\r\n"):
        return 0
    if len(received) >= V1_BYTES or b"\n" in received:
        raise ProxyError("a header of version 1 does not end where it has to")
    return max(_V1_LEAST - len(received), 1 if received.endswith(b"\r") else 2)


def parse(header: bytes) -> tuple[str, int] | None:
    """Returns the client's address and port. None: the proxy speaks for itself, or does not know whose client it is.

    `header` is a whole one, as `missing` says. Raises ProxyError.
    """
    return _parse_v1(header) if header.startswith(_V1) else _parse_v2(header)


def _parse_v1(header: bytes) -> tuple[str, int] | None:
    words = header.removesuffix(b"\r\n").split(b" ")
    if words[1] == b"UNKNOWN":  # whatever else it says
        return None
    family = _FAMILIES.get(words[1])
    if family is None or len(words) != _V1_WORDS:
        raise ProxyError("a header of version 1 says TCP4 or TCP6, two addresses and two ports")
    source, _ = (_read_address(word, family) for word in words[2:4])
    port, _ = map(_read_port, words[4:])
    return source, port


def _read_address(word: bytes, family: type[IPv4Address | IPv6Address]) -> str:
    try:
        address = ip_address(word.decode("ascii"))
    except ValueError as error:
        raise ProxyError("an address is none") from error
    if not isinstance(address, family) or b"%" in word:
        raise ProxyError("an address is of another family")
    return str(address)


def _read_port(word: bytes) -> int:
    if not word.isdigit() or len(word) > len(str(_PORT_MAX)) or int(word) > _PORT_MAX:
        raise ProxyError("a port is none")
    return int(word)


def _parse_v2(header: bytes) -> tuple[str, int] | None:
    command, transport, block = header[12], header[13], header[_V2_LEAST:]
    if command == _LOCAL:  # a check by the proxy itself: what follows means nothing
        return None
    if command != _PROXY:
        raise ProxyError("a header of version 2 has another version or command")
    if transport in {_UNKNOWN, _UNIX}:
        return None
    if transport not in _TCP:
        raise ProxyError("a header of version 2 is for another transport than TCP")
    family, size = _TCP[transport]
    if len(block) < 2 * size + 4:
        raise ProxyError("a header of version 2 is too short for its addresses")
    return socket.inet_ntop(family, block[:size]), int.from_bytes(block[2 * size : 2 * size + 2], "big")
