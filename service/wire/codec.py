"""What a codec does, and the list of codecs. A codec uses no socket, thread or clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from service.wire import json_lines

if TYPE_CHECKING:
    from service.wire.protocol import AnyCommand, Event, Row


class Codec(Protocol):
    """One encoding of the protocol. It keeps no state of a client, so clients can share it."""

    def encode(self, event: Event, /) -> bytes:
        """Returns the bytes for an event: whole lines, each with its LF; empty if this codec has nothing for it."""

    def decode(self, line: bytes, /) -> AnyCommand:
        """Returns the command in a line, which comes without its line end. Raises CommandError."""

    def size(self, row: Row, /) -> int:
        """Returns how many bytes a row takes in a page."""


JSON_LINES: Final[Codec] = json_lines
