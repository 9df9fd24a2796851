"""What a codec does, and the codecs that there are. A codec knows no socket, thread or clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from service.wire import json_lines

if TYPE_CHECKING:
    from service.wire.protocol import AnyCommand, Event, StoredMessage


class Codec(Protocol):
    """One form of the protocol on the wire. It holds nothing of one client, so that clients can share it."""

    def encode(self, event: Event, /) -> bytes:
        """What is sent for an event: whole lines, each with its LF; empty if this form has nothing for it."""

    def decode(self, line: bytes, /) -> AnyCommand:
        """The command in a line, which comes without its line end. Raises CommandError."""

    def size(self, message: StoredMessage, /) -> int:
        """How many bytes a message takes within a page."""


JSON_LINES: Final[Codec] = json_lines
