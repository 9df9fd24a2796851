"""Frames of WebSockets for the tests: what a client sends, and what it gets. Holds no test."""

from __future__ import annotations

from typing import Final

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
REQUEST: Final = (
    b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ACCEPTED: Final = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3: for that key
_MASK: Final = b"\x37\xfa\x21\x3d"


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Returns a frame as a client sends it."""
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    mask = (_MASK * (size // 4 + 1))[:size]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    return bytes((0x80 * fin | rsv << 4 | opcode,)) + length + _MASK + body


def closing(code: int, reason: bytes = b"") -> bytes:
    """Returns the payload of a Close."""
    return code.to_bytes(2, "big") + reason


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Returns the opcodes and payloads of frames that a service sent; each must be whole, final and without a mask."""
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80
        extended = {126: 2, 127: 8}.get(data[1], 0)
        size = int.from_bytes(data[2 : 2 + extended], "big") if extended else data[1]
        opcode, start = data[0] & 0xF, 2 + extended
        assert len(data) >= start + size, data[:100]
        frames.append((opcode, data[start : start + size]))
        data = data[start + size :]
    return frames
