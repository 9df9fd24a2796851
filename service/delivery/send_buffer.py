"""The bytes that wait to be sent to one client, and the notes of what they show. Pure: no stream, no thread, no bound.

What goes in are whole lines, each with its LF; what goes out may end anywhere, as the kernel likes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.delivery.run import Note, Shown

SEND_BYTES: Final = 1 << 18  # joined for one send; the lines themselves are shared by all clients, a join is not
_LF: Final = ord("\n")


class SendBuffer:
    """A queue of lines that is emptied by pieces."""

    def __init__(self, send_bytes: int = SEND_BYTES) -> None:
        """At least `send_bytes` are joined for one send, where there are so many."""
        self.waiting = 0  # bytes
        self.rest: bytes | memoryview = b""  # of a send that did not fit; comes first
        # Not told yet: where it ends in the stream, its size, what it shows, and what shows what in it. A plain tuple:
        # every client gets one for each run.
        self.notes: deque[tuple[int, int, Note, Shown | None]] = deque()
        self._send_bytes = send_bytes
        self._lines: list[bytes] = []
        self._within_line = False  # whether what was sent last ends within a line
        self._sent = 0  # bytes since the start

    def add(self, data: bytes, note: Note | None = None, shown: Shown | None = None) -> None:
        """Adds a line, or several that `shown` tells apart. `note` is of all of them."""
        size = len(data)
        self._lines.append(data)
        self.waiting += size
        if note is not None:
            self.notes.append((self._sent + self.waiting, size, note, shown))

    def add_shared(self, lines: list[bytes], size: int) -> None:
        """Adds lines of `size` bytes together that have no notes. They stay as they are until they are sent."""
        self._lines += lines
        self.waiting += size

    def send(self, send: Callable[[bytes | memoryview], int]) -> None:
        """Sends with `send`, which says how many bytes it took, until that is not all or nothing waits.

        What `send` raises goes through; nothing may be sent after that.
        """
        while self.waiting:
            if self.rest:
                data = self.rest
            elif self.waiting <= self._send_bytes:  # nearly always
                data = b"".join(self._lines)
                self._lines.clear()
            else:
                data = self._join_some()
            sent = send(data)
            self._sent += sent
            self.waiting -= sent
            if sent < len(data):
                if sent:
                    self._within_line = data[sent - 1] != _LF
                self.rest = memoryview(data)[sent:]
                break
            self.rest = b""
            self._within_line = False

    def _join_some(self) -> bytes:
        """The next lines for one send, where more wait."""
        lines = self._lines
        size = count = 0
        while count < len(lines) and size < self._send_bytes:
            size += len(lines[count])
            count += 1
        data = b"".join(lines[:count])
        del lines[:count]
        return data

    def tell_written(self, receiver: Callable[[Note], None]) -> None:
        """Gives the receiver the notes of what is sent whole, each once."""
        notes, sent = self.notes, self._sent
        while notes:
            end, _, note, _ = notes[0]
            if end > sent:
                break
            notes.popleft()
            receiver(note)

    def cut(self, sealed: int) -> None:
        """Drops all but the first `sealed` bytes, which are encrypted, and the rest of a line that is half sent."""
        rest = bytes(self.rest)
        kept = rest[:sealed]
        is_within_line = kept[-1] != _LF if kept else self._within_line
        if is_within_line:
            kept += rest[sealed:].partition(b"\n")[0] + b"\n"
        self._keep(kept)

    def drop(self) -> None:
        """Drops all; the notes of what is sent whole stay."""
        self._keep(b"")

    def _keep(self, rest: bytes) -> None:
        self._lines.clear()
        self.rest = rest
        self.waiting = len(rest)
        self._cut_notes(self._sent + self.waiting)

    def _cut_notes(self, position: int) -> None:
        """Drops the notes of what comes after that position in the stream; of several lines some may come before it."""
        notes = self.notes
        while notes:
            end, size, _, shown = notes[-1]
            if end <= position:
                break
            notes.pop()
            if shown is not None and (note := shown.within(position - (end - size))) is not None:
                notes.append((position, 0, note, None))
