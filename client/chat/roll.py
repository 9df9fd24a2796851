"""Who is in the room that is held, for a face that lists them: a page of members, kept as events say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from client.chat.addressing import EVERYONE, ROOM, target_of_room
from client.text import one_line, shown_name
from service.wire.protocol import Members, MembersReply

if TYPE_CHECKING:
    from client.chat.people import People
    from service.wire.protocol import MemberEvent

MOST_LISTED: Final = 200  # people of the main room, as many as a page has of a room; no screen is higher
_RANKS: Final = {"member": "", "moderator": "mod"}  # as they are shown; others as the server says them


class RollCall(Members, tag="members"):
    """Asks who is in a room, for the client itself: its answer is not shown."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a conversation, safe to show. `rank` is empty for a member."""

    name: str
    rank: str = ""
    is_online: bool = True


class Roll:
    """The members of one room, as far as its first page has them; of other conversations who is there is known."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._target = ""  # the room that the roles are of
        self._roles: dict[str, str] = {}
        self._is_asked = False

    def call(self, target: str) -> RollCall | None:
        """What to ask to list who is in a conversation, once; None: nothing."""
        if not target.startswith(ROOM) or (target == self._target and self._is_asked):
            return None
        if target != self._target:
            self._target, self._roles = target, {}
        self._is_asked = True
        return RollCall(room=target.removeprefix(ROOM))

    def forget(self) -> None:
        """What is known may be of yesterday: `call` gives its command again. Until the answer it is shown still."""
        self._is_asked = False

    def take(self, page: MembersReply, asked: RollCall) -> None:
        """The members are these."""
        if target_of_room(asked.room) == self._target:
            self._roles = {member.name: member.role for member in page.members}

    def happen(self, event: MemberEvent) -> None:
        """Somebody came or went, or has another rank."""
        if target_of_room(event.room) != self._target:
            return
        if event.action in {"join", "role"}:
            self._roles[event.username] = event.role or "member"
        elif event.action in {"leave", "kick", "ban"}:
            self._roles.pop(event.username, None)

    def rename(self, old: str, new: str) -> None:
        """Somebody has another name."""
        if old in self._roles:
            self._roles[new] = self._roles.pop(old)

    def list(self, target: str) -> list[Person]:
        """Who is in a conversation: of the main room the first online, of a talk the two, of a room its members."""
        roles: dict[str, str] = {}
        if target == EVERYONE:
            names = self._people.first_online(MOST_LISTED)
        elif target.startswith(ROOM):
            roles = self._roles if target == self._target else {}
            names = sorted(roles)
        else:
            names = sorted({target, self._people.name})
        return [self._person(name, roles.get(name, "member")) for name in names]

    def _person(self, name: str, role: str) -> Person:
        return Person(shown_name(name), _RANKS.get(role, one_line(role)), self._people.is_online(name))
