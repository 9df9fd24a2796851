"""A snapshot of the whole, such as who is online, for everyone: the newest only, in slices, at a pace set by its cost.

Pushing a list of n names to n clients costs n², so a fixed pace would stall a large service under a storm of changes.
Belongs to the delivery thread. Does not know what the snapshot means.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from service.wire.codec import Codec
    from service.wire.protocol import Event

NEVER: Final = float("inf")
PACE_MIN: Final = 0.1  # seconds between two pushes of the users list, when they cost little
PACE: Final = 0.5  # seconds, at most: the last change is to arrive within one second,
PACE_CROWD: Final = 4.4  # and within five seconds where more than
CROWD: Final = 2_000  # clients get it
SHARE: Final = 0.1  # of a core's time that pushes may take, up to those longest paces
REST: Final = 0.0005  # seconds between two slices, in which the threads that take in messages get their turn
SLICE_BYTES: Final = 1 << 21  # of users lists between two looks at the messages: some milliseconds' worth


class Member(Protocol):
    """A client that gets what is for everyone."""

    codec: Codec
    is_member: bool

    def push_snapshot(self, line: bytes) -> None:
        """Sends the newest snapshot."""


class SnapshotPush:
    """Gives each newest snapshot to all members, one slice of them at a time."""

    def __init__(self, *, pace_min: float = PACE_MIN, pace: float = PACE, slice_bytes: int = SLICE_BYTES) -> None:
        self._pace_min = pace_min
        self._pace = pace
        self._slice_bytes = slice_bytes
        self.is_due = False  # things have changed since the last one was made
        self._lines: dict[Codec, bytes] = {}  # the newest, for each codec in use
        self._left: list[Member] = []  # those that have not got it yet
        self._members = 0  # of the present push
        self._slice_at = self._began_at = 0.0  # monotonic
        self._next_at = 0.0  # monotonic
        self._cost = 0.0  # seconds of this thread that the present push has taken so far

    @property
    def is_under_way(self) -> bool:
        """Whether some have not got the newest one yet."""
        return bool(self._left)

    def due_at(self) -> float:
        """When there is something to do, monotonic."""
        if self._left:
            return self._slice_at
        return self._next_at if self.is_due else NEVER

    def begin(self, snapshot: Event, members: Mapping[Codec, Collection[Member]], now: float) -> None:
        """A new push, of that snapshot to these, who are given by codec."""
        self._lines = {codec: codec.encode(snapshot) for codec in members}
        self._left = [member for sharers in members.values() for member in sharers]
        self._members, self._slice_at, self._began_at, self._cost = len(self._left), now, now, 0.0
        self._set_pace()

    def push_slice(self) -> None:
        """Sends it to some of those who have not got it; messages go between two slices."""
        began, size = time.thread_time(), 0
        while self._left and size < self._slice_bytes:
            member = self._left.pop()
            if member.is_member:
                line = self._lines[member.codec]
                member.push_snapshot(line)
                size += len(line)
        self.charge(time.thread_time() - began)
        self._slice_at = time.monotonic() + REST

    def charge(self, seconds: float) -> None:
        """Adds to what the present push has taken, such as for the rest of lines that did not fit at first."""
        self._cost += seconds
        self._set_pace()

    def _set_pace(self) -> None:
        longest = self._pace if self._members <= CROWD else PACE_CROWD
        self._next_at = self._began_at + min(max(self._cost / SHARE, self._pace_min), longest)
