"""Frames of WebSockets: made of what is sent, cut out of what comes, joined to messages. Pure: no stream, no thread.

Of what a frame means its length is known here, and what a text in one frame is (RFC 6455, section 5.2).
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from itertools import pairwise
from typing import Final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C, where that was built

_TEXT: Final = 0x81  # the first byte of a text message in one frame
_TWO_MORE: Final = 126  # in place of the length: the next two bytes have it
_EIGHT_MORE: Final = 127
_MASKED: Final = 0x80  # added to the length in each frame of a client
_MASK_BYTES: Final = 4


class Framer:
    """Makes frames of what is sent. Many clients share it, from any thread: what goes to all is framed once."""

    def __init__(self) -> None:
        self._last: tuple[bytes | memoryview | None, bytes] = None, b""  # both in one, as threads share them

    def frame(self, data: bytes | memoryview) -> bytes:
        """Returns a text message."""
        last, frame = self._last
        if data is not last:
            frame = b"".join((_head(len(data)), data))
            self._last = data, frame
        return frame


def _head(size: int) -> bytes:
    if size < _TWO_MORE:
        return bytes((_TEXT, size))
    if size < 1 << 16:
        return bytes((_TEXT, _TWO_MORE)) + size.to_bytes(2, "big")
    return bytes((_TEXT, _EIGHT_MORE)) + size.to_bytes(8, "big")


class Cutter:
    """Cuts what comes after each frame, without looking at more than its length: so frames are charged unread."""

    def __init__(self) -> None:
        self._header = b""  # the received part of an incomplete one, without the mask
        self._left = 0  # bytes of the current frame that are still missing

    @property
    def is_within_frame(self) -> bool:
        """Whether what comes next belongs to a frame that has begun."""
        return bool(self._header or self._left)

    def cut(self, data: bytes) -> list[bytes]:
        """Returns the pieces of `data`, none of which has parts of two frames."""
        known = self._header + data
        position, shift = self._left, len(self._header)
        ends = [0, position] if position else [0]
        while size := _frame_size(known, position):
            position += size
            ends.append(position - shift)
        self._header = known[position:]
        self._left = max(0, position - len(known))
        if self._header:
            ends.append(len(data))
        return [data[start:end] for start, end in pairwise(ends)]


def _frame_size(data: bytes, start: int) -> int:
    """Returns the bytes of the frame that begins there; 0 if too little of it is known."""
    if len(data) < start + 2:
        return 0
    size, extended = data[start + 1] & 0x7F, 0
    if size >= _TWO_MORE:
        extended = 2 if size == _TWO_MORE else 8
        if len(data) < start + 2 + extended:
            return 0
        size = int.from_bytes(data[start + 2 : start + 2 + extended], "big")
    return 2 + extended + _MASK_BYTES + size


def read_texts(data: bytes, limit: int) -> tuple[list[bytes], int]:
    """Returns the texts with which `data` begins, each in one whole frame of at most `limit` bytes, and where they end.

    Nearly all that comes are such texts, and the library takes five times as long for them. Whatever follows is its.
    """
    texts, end, size = list[bytes](), 0, len(data)
    while size - end > _MASK_BYTES + 1 and data[end] == _TEXT:
        length = data[end + 1] - _MASKED
        start = end + 2 + _MASK_BYTES
        if length == _TWO_MORE:
            length = int.from_bytes(data[end + 2 : end + 4], "big")
            start += 2
        elif length > _TWO_MORE:
            break
        if not 0 <= length <= min(limit, size - start):
            break
        text = apply_mask(data[start : start + length], data[start - _MASK_BYTES : start])
        try:
            text.decode()
        except UnicodeDecodeError:
            break
        texts.append(text)
        end = start + length
    return texts, end


class Message:
    """The fragments of a message, and the check that a text is UTF-8."""

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.parts: list[bytes] = []
        self._decode = getincrementaldecoder("utf-8")().decode if is_text else None

    def add(self, part: bytes, *, is_last: bool) -> None:
        """Raises UnicodeDecodeError."""
        if self._decode is not None:
            self._decode(part, is_last)
        self.parts.append(part)
