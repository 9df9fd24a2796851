"""Framing: cuts a stream of bytes into lines, within bounds. No I/O, and no idea of what a line says."""

from __future__ import annotations

from enum import Enum


class Oversize(Enum):
    """Stands in for a line that was too long; what it held is gone."""

    LINE = "line"


class LineDecoder:
    """Cuts a stream of bytes into lines at LF, and only there; takes a CR before it off; drops empty lines.

    Memory is bounded: of a line over `limit` bytes (its line end not counted) nothing is kept. `feed` then gives
    `Oversize.LINE` in its place, once, as soon as the limit is passed, and skips to the next LF.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._start = bytearray()  # of a line whose end has not come
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | Oversize]:
        """The lines that `data` completes, in order."""
        *ended, rest = data.split(b"\n")
        lines: list[bytes | Oversize] = []
        for part in ended:
            self._end_line(part, lines)
        if rest and not self._skipping:
            self._start += rest
            # One more byte than the limit may be the CR of a line end.
            if len(self._start) > self._limit + 1:
                lines.append(Oversize.LINE)
                self._start.clear()
                self._skipping = True
        return lines

    def _end_line(self, part: bytes, lines: list[bytes | Oversize]) -> None:
        if self._skipping:
            self._skipping = False
            return
        if self._start:
            part = bytes(self._start) + part
            self._start.clear()
        line = part.removesuffix(b"\r")
        if len(line) > self._limit:
            lines.append(Oversize.LINE)
        elif line and not line.isspace():
            lines.append(line)
