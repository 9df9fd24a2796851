"""Framing: cuts a stream of bytes into lines of bounded length. No I/O, and no knowledge of the lines' content."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Oversize(Enum):
    """Takes the place of a line that was too long and was discarded."""

    LINE = "line"


class LineDecoder:
    """Cuts a stream of bytes into lines at each LF; removes a CR before the LF; drops empty lines.

    Memory is bounded: nothing is kept of a line of more than `limit` bytes (without its line end). As soon as a line
    passes the limit, `feed` yields `Oversize.LINE` once in its place, and skips to the next LF. The limit may be
    changed between two lines.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._start = bytearray()  # of a line whose end is still missing
        self._skipping = False

    @property
    def unended(self) -> int:
        """How many bytes are kept of a line whose LF has not come."""
        return len(self._start)

    def feed(self, data: bytes) -> Iterator[bytes | Oversize]:
        """Yields the lines that `data` completes, in order. The caller takes all of them before the next call."""
        *ended, rest = data.split(b"\n")
        if ended and (line := self._end_line(ended[0])):
            yield line
        # A client may send millions of empty lines, so they are skipped without a step for each.
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
        """Returns the line that ends with `part`; empty if the line is empty or skipped."""
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
