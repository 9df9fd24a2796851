"""What all clients of the soak share: the doors of the services, what went wrong, how a message is remembered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from tests.system.soak.client import Client

DELETED: Final = 2  # in place of the fingerprint of what was deleted

Line = dict[str, Any]


class Door(NamedTuple):
    """The two ports of a service."""

    port: int
    web_port: int


@dataclass
class World:
    """What all clients share; they choose a door at each visit."""

    doors: list[Door]
    seed: int
    clients: list[Client] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    state: str = ""  # at the end, how far they are
    met: set[str] = field(default_factory=set)  # who has seen everyone, at the end

    def fault(self, text: str) -> None:
        """Notes what must not be; only the first of many."""
        self.counts["faults"] += 1
        if len(self.faults) < 50:
            self.faults.append(text)


def fingerprint(message_id: int, sender: str, recipient: str | None, text: str) -> int:
    """A number for a message with all that it says; `recipient` is # and a name for a message to a room."""
    return crc32(f"{message_id} {sender} {recipient} {text}".encode()) or 1
