"""The users online. Only the delivery thread uses this module; it has no thread, lock or socket."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Generic, TypeVar

from service.clock import format_time, utcnow
from service.delivery.snapshot import Snapshot
from service.wire.protocol import PresenceEvent, UsersReply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Member = TypeVar("Member")  # a logged-in session


class Roster(Generic[Member]):
    """The logged-in sessions by account, and who is online on other services over the same database.

    An account is listed, once, while it has a session here that is not quiet, or is online elsewhere.
    """

    def __init__(self) -> None:
        # Called with an account and whether it is online here, when that changes: for the other services.
        self.note_here: Callable[[int, bool], None] = _note_nowhere
        # The value says whether the session is quiet. A dict keeps the order, which is the same for everyone.
        self._sessions: dict[int, dict[Member, bool]] = {}
        self._here: dict[int, str] = {}  # the names of those with a session that is not quiet
        self._elsewhere: dict[int, dict[int, str]] = {}  # account: its name, by the services where it is online
        self._listed: dict[int, str] = {}
        self._renamed: dict[int, str] = {}  # accounts that got another name in this run, with that name
        self._touched: dict[str, bool] = {}  # names that came or went since the last snapshot: whether they are there
        self._sorted: list[str] = []  # kept sorted, because sorting ten thousand names takes too long for each login

    def add(self, user_id: int, name: str, member: Member, *, quiet: bool = False) -> bool:
        """Adds a session; returns whether the name is new in the list."""
        self._sessions.setdefault(user_id, {})[member] = quiet
        if quiet or user_id in self._here:
            return False
        self._here[user_id] = name
        self.note_here(user_id, True)  # noqa: FBT003 (as the storage has it)
        return self._update(user_id)

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
        del self._here[user_id]
        self.note_here(user_id, False)  # noqa: FBT003
        return self._update(user_id)

    def add_elsewhere(self, node_id: int, user_id: int, name: str) -> bool:
        """The account is online on that service; returns whether the list has changed."""
        self._elsewhere.setdefault(user_id, {})[node_id] = name
        return self._update(user_id)

    def remove_elsewhere(self, node_id: int, user_id: int) -> bool:
        """The account is no longer online on that service; returns whether the list has changed."""
        there = self._elsewhere.get(user_id, {})
        if there.pop(node_id, None) is None:
            return False
        if not there:
            del self._elsewhere[user_id]
        return self._update(user_id)

    def remove_all_elsewhere(self, node_id: int | None = None) -> bool:
        """Nobody is online on that service, or on any other one; returns whether the list has changed."""
        pairs = [(there, user_id) for user_id, nodes in self._elsewhere.items() for there in nodes]
        gone = [self.remove_elsewhere(*pair) for pair in pairs if node_id in (pair[0], None)]
        return any(gone)

    def _update(self, user_id: int) -> bool:
        """Lists the account by its name here, else by that elsewhere; returns whether the list has changed.

        After a rename both can be there for a moment: sessions with the old name end everywhere, but not at once.
        """
        name = self._here.get(user_id) or next(iter(self._elsewhere.get(user_id, {}).values()), None)
        listed = self._listed.pop(user_id, None)
        if name is not None:
            self._listed[user_id] = name
        if name == listed:
            return False
        if listed is not None:
            del self._sorted[bisect_left(self._sorted, listed)]
            self._touched[listed] = False
        if name is not None:
            insort(self._sorted, name)
            self._touched[name] = True
        return True

    def rename(self, user_id: int, name: str) -> None:
        """From now on what the account writes bears that name; its sessions end, so the list has the old one till then.

        A session keeps the account that it logged in to, and messages of an ended one can still be under way.
        """
        self._renamed[user_id] = name

    def forget_renames(self) -> None:
        """Of what was renamed in this run some may be wrong now, or missing."""
        self._renamed.clear()

    def name_of(self, user_id: int, name: str) -> str:
        """Returns the account's present name, where it was `name` at some time in this run."""
        return self._renamed.get(user_id, name)

    def is_listed(self, user_id: int | None) -> bool:
        """Whether the account is in the list of users online."""
        return user_id in self._listed

    def is_there(self, user_id: int, besides: Member) -> bool:
        """Whether the account has a session that is not quiet, besides that one; on other services any counts."""
        if user_id in self._elsewhere:
            return True
        if user_id not in self._here:
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

    def all_sessions(self) -> list[Member]:
        """Returns the sessions of all accounts."""
        return [member for sessions in self._sessions.values() for member in sessions]


def _note_nowhere(_user_id: int, _is_here: bool) -> None:  # noqa: FBT001
    """There is no other service."""


def users_reply(roster: Roster[Member]) -> UsersReply:
    return UsersReply(users=roster.names(), time=format_time(utcnow()))


def take_snapshot(roster: Roster[Member]) -> Snapshot:
    """Returns the users online, and who came and went since the last snapshot."""
    users = users_reply(roster)
    return Snapshot(users, PresenceEvent(*roster.take_changes(), len(users.users), users.time))
