"""The users online. Only the delivery thread uses this module; it has no thread, lock or socket."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Generic, TypeVar

from service.clock import format_time, utcnow
from service.delivery.snapshot import Snapshot
from service.wire.protocol import PresenceEvent, UsersReply

if TYPE_CHECKING:
    from collections.abc import Collection

Member = TypeVar("Member")  # a logged-in session


class Roster(Generic[Member]):
    """The logged-in sessions by account.

    An account is listed, once, while it has a session that is not quiet.
    """

    def __init__(self) -> None:
        # The value says whether the session is quiet. A dict keeps the order, which is the same for everyone.
        self._sessions: dict[int, dict[Member, bool]] = {}
        self._names: dict[int, str] = {}
        self._renamed: dict[int, str] = {}  # accounts that got another name in this run, with that name
        self._touched: dict[str, bool] = {}  # names that came or went since the last snapshot: whether they are there
        self._sorted: list[str] = []  # kept sorted, because sorting ten thousand names takes too long for each login

    def add(self, user_id: int, name: str, member: Member, *, quiet: bool = False) -> bool:
        """Adds a session; returns whether the name is new in the list."""
        arrived = not quiet and user_id not in self._names
        if arrived:
            self._names[user_id] = name
            insort(self._sorted, name)
            self._touched[name] = True
        self._sessions.setdefault(user_id, {})[member] = quiet
        return arrived

    def remove(self, user_id: int, member: Member) -> bool:
        """Removes a session; returns whether the name left the list. An unknown session changes nothing."""
        sessions = self._sessions.get(user_id, {})
        if member not in sessions:
            return False
        was_quiet = sessions.pop(member)
        if not sessions:
            del self._sessions[user_id]
        if was_quiet or not all(sessions.values()):
            return False
        name = self._names.pop(user_id)
        del self._sorted[bisect_left(self._sorted, name)]
        self._touched[name] = False
        return True

    def rename(self, user_id: int, name: str) -> None:
        """From now on what the account writes bears that name; its sessions end, so the list has the old one till then.

        A session keeps the account that it logged in to, and messages of an ended one can still be under way.
        """
        self._renamed[user_id] = name

    def name_of(self, user_id: int, name: str) -> str:
        """Returns the account's present name, where it was `name` at some time in this run."""
        return self._renamed.get(user_id, name)

    def is_listed(self, user_id: int | None) -> bool:
        """Whether the account is in the list of users online."""
        return user_id in self._names

    def is_there(self, user_id: int, besides: Member) -> bool:
        """Whether the account has a session that is not quiet, besides that one."""
        if user_id not in self._names:
            return False
        sessions = self._sessions[user_id]
        return besides not in sessions or any(not quiet for member, quiet in sessions.items() if member is not besides)

    def names(self) -> list[str]:
        """Returns the users online, sorted."""
        return self._sorted.copy()

    def take_changes(self) -> tuple[list[str], list[str]]:
        """Returns which of the names that came or went since the last call are there now, and which not, sorted."""
        touched, self._touched = sorted(self._touched.items()), {}
        return [name for name, is_there in touched if is_there], [name for name, is_there in touched if not is_there]

    def sessions_of(self, user_id: int | None) -> Collection[Member]:
        """Returns this account's sessions; none if it is offline."""
        return self._sessions.get(user_id, {}) if user_id is not None else ()


def users_reply(roster: Roster[Member]) -> UsersReply:
    return UsersReply(users=roster.names(), time=format_time(utcnow()))


def take_snapshot(roster: Roster[Member]) -> Snapshot:
    """Returns the users online, and who came and went since the last snapshot."""
    users = users_reply(roster)
    return Snapshot(users, PresenceEvent(*roster.take_changes(), len(users.users), users.time))
