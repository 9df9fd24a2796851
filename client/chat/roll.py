"""Who is in the room that is held, for a face that lists them: a page of members, kept as events say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from client.chat.addressing import EVERYONE, ROOM, target_of_room
from client.text import shown_name
from service.wire.protocol import Members, MembersReply

if TYPE_CHECKING:
    from client.chat.people import People
    from service.wire.protocol import MemberEvent

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

    def call(self, target: str) -> RollCall | None:
        """What to ask to list who is in a conversation, once; None: nothing."""
        if not target.startswith(ROOM) or target == self._target:
            return None
        self._target, self._roles = target, {}
        return RollCall(room=target.removeprefix(ROOM))

    def forget(self) -> None:
        """What is known may be of yesterday: `call` gives its command again."""
        self._target = ""

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
        """Who is in a conversation: of the main room who is online, of a talk the two, of a room its members."""
        online = self._people.everyone()
        if target == EVERYONE:
            names, roles = sorted(online), {}
        elif target.startswith(ROOM):
            names, roles = sorted(self._roles if target == self._target else ()), self._roles
        else:
            names, roles = sorted({target, self._people.name}), {}
        return [
            Person(shown_name(name), _RANKS.get(role := roles.get(name, "member"), role), name in online)
            for name in names
        ]
