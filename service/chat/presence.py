"""Who is online. All here belongs to the delivery thread, which alone calls it; it holds no thread, lock or socket."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Generic, TypeVar

from service.clock import format_time, utcnow
from service.wire.protocol import UsersReply

if TYPE_CHECKING:
    from collections.abc import Collection

Member = TypeVar("Member")  # a logged-in session


class Roster(Generic[Member]):
    """The logged-in sessions by account. An account with several of them is one name."""

    def __init__(self) -> None:
        self._sessions: dict[int, dict[Member, None]] = {}  # a dict for its order: the same for everyone, each time
        self._names: dict[int, str] = {}
        self._sorted: list[str] = []  # kept so: sorting ten thousand names at each login would take its time

    def add(self, user_id: int, name: str, member: Member) -> bool:
        """Takes a session in; true if the name is new in the list."""
        arrived = user_id not in self._names
        if arrived:
            self._names[user_id] = name
            insort(self._sorted, name)
        self._sessions.setdefault(user_id, {})[member] = None
        return arrived

    def remove(self, user_id: int, member: Member) -> bool:
        """Takes a session out; true if the name left the list. One that is not in changes nothing."""
        sessions = self._sessions.get(user_id, {})
        if member not in sessions:
            return False
        del sessions[member]
        if sessions:
            return False
        del self._sessions[user_id], self._sorted[bisect_left(self._sorted, self._names.pop(user_id))]
        return True

    def names(self) -> list[str]:
        """The active users, sorted."""
        return self._sorted.copy()

    def sessions_of(self, user_id: int | None) -> Collection[Member]:
        """This account's sessions; none if it is not online."""
        return self._sessions.get(user_id, {}) if user_id is not None else ()


def users_reply(roster: Roster[Member]) -> UsersReply:
    """Who is online now."""
    return UsersReply(users=roster.names(), time=format_time(utcnow()))
