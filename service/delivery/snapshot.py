"""Sends a snapshot, such as the users online, to everyone: only the newest, in slices, at a pace set by its cost.

Sending a list of n names to n clients costs n², so with a fixed pace a storm of changes would stall a large service.
Clients that ask for it get what has changed since the last push in place of the whole. It belongs to the delivery
thread, and does not know what the snapshot means.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from service.wire.codec import Codec
    from service.wire.protocol import Event

NEVER: Final = float("inf")
PACE_MIN: Final = 0.1  # seconds between two pushes of the users list, while they cost little
PACE: Final = 0.5  # seconds at most between two pushes: the last change arrives within one second
PACE_CROWD: Final = 3.8  # seconds, for more than CROWD clients: within five seconds, as a push to 10,000 takes one
CROWD: Final = 2_000  # clients
SHARE: Final = 0.04  # the share of a core for pushes, within these paces
REST: Final = 0.0005  # seconds between two slices, for the threads that receive messages
SLICE_BYTES: Final = 1 << 21  # bytes of users lists before messages have their turn: some milliseconds
SEND_COST: Final = 4_096  # bytes; a send of few takes as long as so many more


class Snapshot(NamedTuple):
    """The whole as it is now, and what has changed since the last snapshot."""

    whole: Event
    changes: Event


class Member(Protocol):
    """A client that gets what is for everyone."""

    codec: Codec
    is_member: bool

    @property
    def takes_changes(self) -> bool:
        """Whether it is to get the changes now; else it gets the whole."""

    def push_changes(self, line: bytes) -> None:
        """Sends what has changed."""

    def push_snapshot(self, line: bytes) -> None:
        """Sends the newest whole."""


class SnapshotPush:
    """Sends each newest snapshot to all members, one slice of them at a time."""

    def __init__(self, *, pace_min: float = PACE_MIN, pace: float = PACE, slice_bytes: int = SLICE_BYTES) -> None:
        self._pace_min = pace_min
        self._pace = pace
        self._slice_bytes = slice_bytes
        self.is_due = False  # whether something has changed since the last snapshot
        self._lines: dict[Codec, tuple[bytes, bytes]] = {}  # the newest snapshot in each codec: the whole, the changes
        self._left: list[Member] = []  # members without the newest snapshot
        self._members = 0  # in the current push
        self._slice_at = self._began_at = 0.0  # monotonic
        self._next_at = 0.0  # monotonic
        self._cost = 0.0  # CPU seconds of the current push so far

    @property
    def is_under_way(self) -> bool:
        """Whether some members lack the newest snapshot."""
        return bool(self._left)

    def due_at(self) -> float:
        """The monotonic time of the next step."""
        if self._left:
            return self._slice_at
        return self._next_at if self.is_due else NEVER

    def begin(self, snapshot: Snapshot, members: Mapping[Codec, Collection[Member]], now: float) -> None:
        """Starts to push that snapshot to these members, given by codec."""
        whole, changes = snapshot
        self._lines = {codec: (codec.encode(whole), codec.encode(changes)) for codec in members}
        self._left = [member for sharers in members.values() for member in sharers]
        self._members, self._slice_at, self._began_at, self._cost = len(self._left), now, now, 0.0
        self._set_pace()

    def push_slice(self) -> None:
        """Sends it to some members that lack it; messages are sent between two slices."""
        began, size = time.thread_time(), 0
        while self._left and size < self._slice_bytes:
            member = self._left.pop()
            if member.is_member:
                whole, changes = self._lines[member.codec]
                if member.takes_changes:
                    member.push_changes(changes)
                    size += SEND_COST + len(changes)
                else:
                    member.push_snapshot(whole)
                    size += SEND_COST + len(whole)
        self.charge(time.thread_time() - began)
        self._slice_at = time.monotonic() + REST

    def charge(self, seconds: float) -> None:
        """Adds CPU seconds to the current push, such as for the rest of lines that did not fit at first."""
        self._cost += seconds
        self._set_pace()

    def _set_pace(self) -> None:
        longest = self._pace if self._members <= CROWD else PACE_CROWD
        self._next_at = self._began_at + min(max(self._cost / SHARE, self._pace_min), longest)
