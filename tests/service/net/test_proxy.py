"""service/net/proxy.py: the header before a client's bytes, in both versions, whole and hostile."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.net.proxy import V1_BYTES, V2_MORE, ProxyError, missing, parse
from tests.support.ports import proxy_v1, proxy_v2

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
V4: Final = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + (4_711).to_bytes(2, "big") + (12_000).to_bytes(2, "big")
V6: Final = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + V4[8:]


def v2(command: int, transport: int, block: bytes) -> bytes:
    """A header of version 2."""
    return SIGNATURE + bytes([command, transport]) + len(block).to_bytes(2, "big") + block


def read(stream: bytes, step: int = V1_BYTES) -> tuple[bytes, bytes]:
    """A header as a listener reads it, at most `step` bytes at once; and what is left for the client."""
    header = b""
    while more := missing(header):
        size = min(more, step)
        if len(stream) < size:
            raise EOFError
        header, stream = header + stream[:size], stream[size:]
    return header, stream


HEADERS: Final = {
    b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 12000\r\n": ("192.0.2.1", 4_711),
    b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n": ("2001:db8::1", 65_535),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN" + b" f" * 46 + b"\r\n": None,
    v2(0x21, 0x11, V4): ("192.0.2.1", 4_711),
    v2(0x21, 0x21, V6): ("2001:db8::1", 4_711),
    v2(0x21, 0x11, V4 + b"\x04\0\x03abc"): ("192.0.2.1", 4_711),
    v2(0x21, 0x21, V6 + bytes(V2_MORE - len(V6))): ("2001:db8::1", 4_711),
    v2(0x20, 0x00, b""): None,
    v2(0x20, 0x11, b"short"): None,
    v2(0x21, 0x00, b""): None,
    v2(0x21, 0x31, bytes(216)): None,
}


@pytest.mark.parametrize("step", [1, 2, 7, V2_MORE])
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_read_to_its_last_byte(header: bytes, step: int) -> None:
    """And no further, however it comes: what follows is the client's."""
    assert read(header + b"\x16\x03\x01\r\n", step) == (header, b"\x16\x03\x01\r\n")
    assert parse(header) == HEADERS[header]


@pytest.mark.parametrize("header", HEADERS)
def test_a_part_of_a_header_lacks_something(header: bytes) -> None:
    """Each beginning of one waits for more, and never for more than there is."""
    for size in range(len(header)):
        assert 0 < missing(header[:size]) <= len(header) - size


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"command":"ping"}\n',
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"proxy TCP4 192.0.2.1 198.51.100.7 4711 12000\r\n",
        b"PROXY\r\n" + bytes(20),
        b"PROXY \r\n" + bytes(20),
        b"PROXY TCP5 192.0.2.1 198.51.100.7 4711 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 12000 1\r\n",
        b"PROXY TCP4  192.0.2.1 198.51.100.7 4711 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 12000 \r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 4711 12000\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.7 4711 12000\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::2 4711 12000\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.7 4711 12000\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.7 4711 12000\r\n",
        b"PROXY TCP4 3221225985 198.51.100.7 4711 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 65536 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 -1 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 +4711 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 \xd9\xa1 12000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 12000\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7\n4711 12000\r\n",
        b"PROXY UNKNOWN" + b"x" * 200,
        b"PROXY UNKNOWN" + b" f" * 47 + b"\r\n",
        b"\r\n\r\n\0\r\nQUIT!" + bytes(20),
        v2(0x11, 0x11, V4),
        v2(0x22, 0x11, V4),
        v2(0x01, 0x11, V4),
        v2(0x21, 0x12, V4),
        v2(0x21, 0x22, V6),
        v2(0x21, 0x41, V4),
        v2(0x21, 0x11, V4[:-1]),
        v2(0x21, 0x21, V4),
        v2(0x20, 0x00, bytes(V2_MORE + 1)),
        v2(0x21, 0x11, bytes(0xFFFF)),
    ],
)
def test_what_is_no_header_is_refused(hostile: bytes) -> None:
    """Before more than the longest header was read."""
    with pytest.raises(ProxyError) as refusal:
        parse(read(hostile)[0])
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("more", [b"", b"\r", b"\r\r"])
def test_version_1_is_bounded(more: bytes) -> None:
    """By 107 bytes, its end among them."""
    longest = b"PROXY UNKNOWN " + b"x" * (V1_BYTES - 16) + b"\r\n"
    assert (read(longest)[0], parse(longest)) == (longest, None)
    with pytest.raises(ProxyError):
        read(longest[:-2] + b"x" + more + b"\r\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    """No other error comes of them, and no more than the bound is asked for."""
    try:
        assert 0 <= missing(data) <= V2_MORE + 16
        parse(read(data)[0])
    except (ProxyError, EOFError):
        pass


@given(st.ip_addresses(), st.integers(0, 65_535), st.binary(max_size=50), st.binary(max_size=50))
def test_each_address_is_read_back(address: IPv4Address | IPv6Address, port: int, extra: bytes, rest: bytes) -> None:
    """In either version, whatever follows."""
    for header in (proxy_v1(str(address), port), proxy_v2(str(address), port, extra)):
        assert read(header + rest) == (header, rest)
        host, read_port = parse(header) or ("", -1)
        assert (type(address)(host), read_port) == (address, port)
