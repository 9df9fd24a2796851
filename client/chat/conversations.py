"""The conversations of one user: the main room, other rooms, talks with one person; which one is held. Pure.

A conversation is named as messages to it are addressed: EVERYONE, `#` and a room's name, or a person's name. Nothing
here makes lines, and it knows no face: a face holds one, and shows what the model gives for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from msgspec import UNSET

from client.chat.addressing import ALL, EVERYONE, ROOM, is_person, shown_target, target_of_room
from client.render.status_bar import Tab
from client.text import one_line
from service.wire.protocol import History

if TYPE_CHECKING:
    from msgspec import UnsetType

    from client.chat.receipts import Receipts
    from service.wire.protocol import (
        BroadcastEvent,
        DirectEvent,
        LoginOkReply,
        RoomInfo,
        RoomReply,
        StoredMessage,
    )

Divides = Literal["always", "rooms", "never"]  # what stands apart: each conversation, or only if there are other rooms
_MOST_TALKS: Final = 1_000  # talks with one person; of more those go that were met first, and have nothing unread
_MOST_ROOMS: Final = 10_000  # a server that tells of more is not believed
_MOST_WAITING: Final = 1_000  # messages that wait for a page; what comes then is unread


class Opening(History, tag="history"):
    """Asks for what a conversation is shown with once it is held."""


@dataclass(slots=True)
class Conversation:
    """What is known of one. From `created` on only of rooms, as far as the server told."""

    target: str
    opening: Opening | None = None  # the page that is awaited to show it with
    waiting: list[BroadcastEvent | DirectEvent] = field(default_factory=list)  # what came meanwhile
    is_told: bool = False  # that something is unread in it
    created: str = ""
    topic: str = ""
    is_private: bool = False
    members: int = 0
    role: str = ""  # the user's; empty: no member
    is_invited: bool = False
    muted_until: str | None = None  # None: may write; empty: may not, until a moderator allows it

    @property
    def title(self) -> str:
        """What it is called, safe to show."""
        return shown_target(self.target)

    def learn(self, room: RoomInfo | RoomReply) -> None:
        """Takes what the server says of a room; what it leaves out stays."""
        self.created = room.created or self.created
        self.topic = self.topic if room.topic is UNSET else room.topic
        self.is_private = self.is_private if room.private is UNSET else room.private
        self.members = self.members if room.members is UNSET else room.members
        if room.role is not UNSET:
            self.role, self.is_invited = room.role, False
            self.muted_until = (room.muted_until or "") if room.muted else None
        elif room.invited:
            self.is_invited = True


class Conversations:
    """All conversations, by target; the main room is always there. Not safe for two threads at once."""

    def __init__(self, receipts: Receipts, divides: Divides = "rooms") -> None:
        """Unless they are divided, all messages are shown as they come, whichever conversation is held."""
        self.held = EVERYONE
        self.main_room = ALL  # its name
        self._divides = divides
        self._receipts = receipts
        self._has_rooms = False  # the server
        self._all: dict[str, Conversation] = {EVERYONE: Conversation(EVERYONE)}

    def __getitem__(self, target: str) -> Conversation:
        """A conversation; one that was not there begins."""
        if target not in self._all:
            self._make_space(target)
            self._all[target] = Conversation(target)
        return self._all[target]

    def __contains__(self, target: object) -> bool:
        return target in self._all

    @property
    def is_divided(self) -> bool:
        """Whether only what is held is shown."""
        if self._divides != "rooms":
            return self._divides == "always"
        return any(each.role for target, each in self._all.items() if target != EVERYONE)

    @property
    def tells(self) -> bool:
        """Whether lines say which one is held, and what came to others: a face that divides always has a list."""
        return self._divides == "rooms"

    def divide(self) -> None:
        """Has what is shown confirmed as the conversations are now: together, or each by itself."""
        self._receipts.main_room = self.main_room if self._has_rooms and self.is_divided else ""

    def is_shown(self, target: str) -> bool:
        """Whether a message to it is shown as it comes."""
        return not self.is_divided or (target == self.held and self[target].opening is None)

    def forget_told(self) -> None:
        """Where nothing is unread any more, the next message is news again."""
        for target, conversation in self._all.items():
            conversation.is_told = conversation.is_told and self._receipts.of(target).unread > 0

    def hold(self, target: str) -> Conversation:
        """From now on this one is held."""
        self.held = target
        held = self[target]
        held.is_told = False
        return held

    def wait(self, message: BroadcastEvent | DirectEvent, target: str) -> bool:
        """Keeps a message to the conversation that is being opened, until its page is there; False: there is none."""
        if target != self.held:
            return False
        conversation = self[target]
        if conversation.opening is None or len(conversation.waiting) >= _MOST_WAITING:
            return False
        conversation.waiting.append(message)
        return True

    def open(self, target: str) -> list[BroadcastEvent | DirectEvent]:
        """The page is there, or does not come: gives what waited for it."""
        conversation = self[target]
        conversation.opening = None
        waiting, conversation.waiting = conversation.waiting, []
        return waiting

    # -- which there are ----------------------------------------------------------------------------------------------
    def target_of(self, message: BroadcastEvent | DirectEvent | StoredMessage, name: str) -> str:
        """The conversation of a message, for the user of that name."""
        to: str | UnsetType = getattr(message, "to", UNSET)
        if to is not UNSET:
            return message.from_ if to == name else to
        return target_of_room(getattr(message, "room", UNSET))

    def tabs(self) -> list[Tab]:
        """Those that can be held: the main room, rooms by name, talks by name."""
        return [self._tab(number, target) for number, target in enumerate(self._order(), 1)]

    def _order(self) -> list[str]:
        rooms = sorted(target for target, each in self._all.items() if each.role and target.startswith(ROOM))
        if self.held.startswith(ROOM) and self.held not in rooms:  # it is lost, and held until the user turns away
            rooms = sorted([*rooms, self.held])
        return [EVERYONE, *rooms, *sorted(self._talks())]

    def _talks(self) -> list[str]:
        return list(filter(is_person, self._all))

    def _tab(self, number: int, target: str) -> Tab:
        marker = self._receipts.of(target)
        is_talk = is_person(target)
        mentions = marker.unread if is_talk else marker.mentions
        title = one_line(f"@{target}") if is_talk else shown_target(target)
        return Tab(number, target, title, marker.unread, mentions, target == self.held, is_talk)

    def unread_tabs(self) -> list[Tab]:
        """Those with something unread that is not shown as it comes."""
        if not self.is_divided:
            return []
        order = enumerate(self._order(), 1)
        unread = (each for each in order if each[1] != self.held and self._receipts.of(each[1]).unread)
        return [self._tab(number, target) for number, target in unread]

    def unread_direct(self) -> int:
        """How many messages are unread in talks with one person."""
        return sum(self._receipts.of(talk).unread for talk in self._talks())

    def neighbour(self, step: int) -> str | None:
        """The conversation so many places behind the held one, in a circle; None if there is no other one."""
        tabs = self.tabs()
        place = next((tab.number - 1 for tab in tabs if tab.is_held), 0)
        other = tabs[(place + step) % len(tabs)]
        return None if other.is_held else other.target

    def next_unread(self) -> str | None:
        """Another conversation with something unread: one with a mention first, then in their order from here on."""
        tabs = self.tabs()
        place = next((tab.number for tab in tabs if tab.is_held), 0)
        others = [tab for tab in [*tabs[place:], *tabs[:place]] if tab.unread and not tab.is_held]
        others.sort(key=lambda tab: not tab.mentions)
        return others[0].target if others else None

    def room_names(self) -> list[str]:
        """The rooms that the user is in or invited to, for completion; all of them safe to show."""
        names = [target.removeprefix(ROOM) for target in self._all if target.startswith(ROOM)]
        return sorted(name for name in names if one_line(name) == name)

    def has_room(self, room: str) -> bool:
        """Whether the user is in this room."""
        conversation = self._all.get(ROOM + room)
        return conversation is not None and bool(conversation.role)

    # -- what the server says -----------------------------------------------------------------------------------------
    def start(self, login: LoginOkReply, *, is_back: bool = False) -> list[Conversation]:
        """The rooms that the user is in and is invited to; `is_back`: after a loss. Gives those that are no more."""
        self._has_rooms = login.rooms is not UNSET
        main = self._all[EVERYONE]
        main.topic, main.role = login.topic or "", login.role or ""
        main.muted_until = (login.muted_until or "") if login.muted else None
        told = {ROOM + info.room: info for info in (login.rooms or [])[:_MOST_ROOMS]}
        rooms = [each for target, each in self._all.items() if target.startswith(ROOM)]
        lost = [room for room in rooms if room.target not in told or told[room.target].created != room.created]
        for room in lost:
            self.drop(room.target)
        for target, info in told.items():
            is_known = target in self._all
            self[target].learn(info)
            marker = self._receipts.of(target)
            if is_back and is_known:
                marker.forget(info.read_id or 0)
                marker.lower(info.unread or 0)
            else:
                marker.start(info.unread or 0, login.last_id)
        if is_back and self._has_rooms and not login.missed:  # what was missed was seen elsewhere
            for talk in self._talks():
                self._receipts.of(talk).lower(0)
        self.divide()
        return lost

    def enter(self, room: RoomReply) -> Conversation:
        """The user is in this room from now on, or was already."""
        target = target_of_room(room.room)
        if target in self._all and self._all[target].created not in {"", room.created}:
            self.drop(target)
        conversation = self[target]
        if not conversation.role:
            self._receipts.of(target).start(room.unread or 0, room.last_id or 0)
        conversation.learn(room)
        self.divide()
        return conversation

    def drop(self, target: str) -> None:
        """The user is no member any more, or the room is gone: nothing is kept of it. One that is held stays held.

        The main room stays whatever a server says.
        """
        if target == EVERYONE:
            return
        self._all.pop(target, None)
        self._receipts.markers.pop(target, None)
        self.divide()

    def rename(self, old: str, new: str) -> None:
        """A person has another name: the talk with them goes over."""
        if old not in self._all or new in self._all or not is_person(old):
            return
        conversation = self._all.pop(old)
        conversation.target = new
        self._all[new] = conversation
        if old in self._receipts.markers:
            self._receipts.markers[new] = self._receipts.markers.pop(old)
        if self.held == old:
            self.held = new

    def _make_space(self, target: str) -> None:
        """So that no server can fill the memory."""
        is_room = target.startswith(ROOM)
        same = [each for each in self._all if each != EVERYONE and each.startswith(ROOM) == is_room]
        if len(same) < (_MOST_ROOMS if is_room else _MOST_TALKS):
            return
        others = [each for each in same if each != self.held]
        idle = [each for each in others if not self._receipts.of(each).unread]
        self.drop((idle or others)[0])
