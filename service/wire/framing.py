"""Framing: cuts a stream of bytes into lines, within bounds. No I/O, and no idea of what a line says."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Oversize(Enum):
    """Stands in for a line that was too long; what it held is gone."""

    LINE = "line"


class LineDecoder:
    """Cuts a stream of bytes into lines at LF, and only there; takes a CR before it off; drops empty lines.

    Memory is bounded: of a line over `limit` bytes (its line end not counted) nothing is kept. `feed` then gives
    `Oversize.LINE` in its place, once, as soon as the limit is passed, and skips to the next LF. The limit may be
    changed between two lines.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._start = bytearray()  # of a line whose end has not come
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | Oversize]:
        """The lines that `data` completes, in order. All of them are to be taken before more is fed."""
        *ended, rest = data.split(b"\n")
        if ended and (line := self._end_line(ended[0])):
            yield line
        # Empty lines, of which somebody may send millions, are passed over without a step for each.
        for part in filter(None, islice(ended, 1, None)):
            if (part.strip() or len(part) > self.limit) and (line := self._end_line(part)):
                yield line
        if rest and not self._skipping:
            self._start += rest
            # One more byte than the limit may be the CR of a line end.
            if len(self._start) > self.limit + 1:
                self._start.clear()
                self._skipping = True
                yield Oversize.LINE

    def _end_line(self, part: bytes) -> bytes | Oversize:
        """The line that ends with `part`; empty if there is none to give."""
        if self._skipping:
            self._skipping = False
            return b""
        if self._start:
            part = bytes(self._start) + part
            self._start.clear()
        line = part.removesuffix(b"\r")
        if len(line) > self.limit:
            return Oversize.LINE
        return b"" if line.isspace() else line
