"""The state of the whole, such as who is online, for everyone: the newest only, in slices, at a pace set by its cost.

Pushing a list of n names to n clients costs n², so a fixed pace would stall a large service under a storm of changes.
Belongs to the delivery thread; knows bytes, not what they mean.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from service.config import (
    STATE_CROWD,
    STATE_PACE,
    STATE_PACE_CROWD,
    STATE_PACE_MIN,
    STATE_REST,
    STATE_SHARE,
    STATE_SLICE,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.delivery.outbox import Outbox

NEVER: Final = float("inf")


class StatePush:
    """Gives each newest state to all members, one slice of them at a time."""

    def __init__(self) -> None:
        self.is_due = False  # it has changed since the last one was made
        self._line = b""
        self._left: list[Outbox] = []  # who has not been given that line yet
        self._members = 0  # of the present push
        self._slice_at = self._began_at = 0.0  # monotonic
        self._next_at = 0.0  # monotonic
        self._cost = 0.0  # seconds of this thread that the present push has taken so far

    @property
    def is_under_way(self) -> bool:
        """Whether some have not been given the newest line yet."""
        return bool(self._left)

    def due_at(self) -> float:
        """When there is something to do, monotonic."""
        if self._left:
            return self._slice_at
        return self._next_at if self.is_due else NEVER

    def begin(self, line: bytes, members: Collection[Outbox], now: float) -> None:
        """A new push, of that line to these."""
        self._line, self._left, self._slice_at = line, list(members), now
        self._members, self._began_at, self._cost = len(members), now, 0.0
        self._set_pace()

    def push_slice(self) -> None:
        """Sends the line to some of those who have not been given it; messages go between two slices."""
        began, size = time.thread_time(), 0
        while self._left and size < STATE_SLICE:
            outbox = self._left.pop()
            if outbox.is_member:
                outbox.push_state(self._line)
                size += len(self._line)
        self.charge(time.thread_time() - began)
        self._slice_at = time.monotonic() + STATE_REST

    def charge(self, seconds: float) -> None:
        """Adds to what the present push has taken, such as for the rest of lines that did not fit at first."""
        self._cost += seconds
        self._set_pace()

    def _set_pace(self) -> None:
        longest = STATE_PACE if self._members <= STATE_CROWD else STATE_PACE_CROWD
        self._next_at = self._began_at + min(max(self._cost / STATE_SHARE, STATE_PACE_MIN), longest)
