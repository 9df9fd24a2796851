"""Messages as they arrive, and which conversation is held: what belongs to it becomes lines, the rest is counted.

Pure, and not safe for two threads at once, as the model that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.chat.addressing import EVERYONE, is_person, shown_target
from client.chat.backlog import CONTEXT, asked_of, tagged
from client.render.status_bar import KEYS
from client.text import Line, hint, shown_name
from service.wire.protocol import DirectEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.chat.backlog import Backlog
    from client.chat.conversations import Conversations, Opening
    from client.chat.deletions import Deletions
    from client.chat.people import People
    from client.chat.presence import Presence
    from client.chat.receipts import Receipts
    from client.chat.rooms import Rooms
    from client.render.formatting import Formatter
    from service.wire.protocol import AnyCommand, BroadcastEvent, HistoryReply, ReadEvent, StoredMessage

    Message = BroadcastEvent | DirectEvent | StoredMessage


class Arrivals:
    """What came live, or while the connection was lost."""

    def __init__(
        self,
        conversations: Conversations,
        people: People,
        presence: Presence,
        receipts: Receipts,
        deletions: Deletions,
        backlog: Backlog,
        rooms: Rooms,
        formatter: Formatter,
    ) -> None:
        self._conversations = conversations
        self._people = people
        self._presence = presence
        self._receipts = receipts
        self._deletions = deletions
        self._backlog = backlog
        self._rooms = rooms
        self._formatter = formatter

    # -- which one is held --------------------------------------------------------------------------------------------
    def hold(self, target: str, context: int = CONTEXT) -> tuple[list[Line], Opening | None]:
        """Holds a conversation: gives what to show at once, and what to ask for: the unread, with so many before it.

        Where all stand together nothing needs to be shown.
        """
        before = self._conversations.held
        self._conversations.hold(target)
        lines = []
        if target != before:
            self._presence.turn_away()
            lines = self._release(before)
        if not self._conversations.is_divided:
            return lines, None
        command = self._backlog.opening(target, context)
        self._conversations[target].opening = command
        if self._conversations.tells:
            lines.append(self._rooms.topic(target))
        if note := self._rooms.mute_note(self._conversations[target]):
            lines.append(hint(note))
        return lines, command

    def opened(self, page: HistoryReply, asked: Opening) -> list[Line]:
        """The page that a conversation is shown with; it is not, if another one is held meanwhile."""
        target = asked_of(asked)
        if self._conversations.held != target or self._conversations[target].opening != replace(asked, ref=UNSET):
            return []
        return [*self._backlog.opened(page, asked), *self._release(target)]

    def give_up(self, asked: AnyCommand | None = None) -> list[Line]:
        """The page does not come: gives what has waited for it. Without `asked`: no page comes."""
        held = self._conversations.held
        if asked is not None and self._conversations[held].opening != replace(asked, ref=UNSET):
            return []
        return self._release(held)

    def _release(self, target: str) -> list[Line]:
        return [line for message in self._conversations.open(target) for line in self.live(message)]

    # -- what came ----------------------------------------------------------------------------------------------------
    def live(self, message: BroadcastEvent | DirectEvent) -> list[Line]:
        """The lines for a message that came live."""
        target = self._conversations.target_of(message, self._people.name)
        if message.id in self._backlog.shown:
            if self._conversations.is_shown(target):
                self._see(message, target)
                if isinstance(message, DirectEvent) and message.to == self._people.name:
                    self._receipts.direct(message.id)  # a page showed it before it came
            return []
        if self._conversations.wait(message, target):
            return []
        is_shown = self._take_in(message, target)
        if self._people.is_muted(message.from_):
            return []
        self._people.know(message.from_)
        self._presence.speak(message.from_)
        if not is_shown:
            return self._aside(message, target)
        self._deletions.show(message.id, message.time)
        return tagged(self._formatter.on_its_day(message.time, [self._line(message, target)], target), target)

    def caught_up(self, messages: Sequence[StoredMessage]) -> list[Line]:
        """The lines for messages that came while the connection was lost, and were not shown yet."""
        fresh, lines = [], []
        for message in messages:
            target = self._conversations.target_of(message, self._people.name)
            if self._take_in(message, target):
                fresh.append(message)
            elif not self._people.is_muted(message.from_):
                lines += self._aside(message, target)
        return [*self._backlog.lines(fresh, is_news=True), *lines]

    def _line(self, message: Message, target: str) -> Line:
        to: str | UnsetType = getattr(message, "to", UNSET)
        where = self.where(target)
        line = self._formatter.line(message.time, message.from_, to, message.message, where=where, kind=message.kind)
        line.number = message.id
        return line

    def _take_in(self, message: Message, target: str) -> bool:
        """Whether a message is to be shown; else it is counted, unless the user needs not to see it."""
        self._backlog.shown.add(message.id)
        self._conversations[target]  # from now on it is in the list
        to: str | UnsetType = getattr(message, "to", UNSET)
        is_direct = to == self._people.name
        if not self._people.is_muted(message.from_):
            self._people.note_direct(message.id, message.from_, to)
        is_own = message.from_ == self._people.name
        if self._conversations.is_shown(target):
            self._see(message, target)
        elif is_own or self._people.is_muted(message.from_):
            self._receipts.of(target).live(message.id, is_own=is_own)
        else:
            is_mention = is_direct or self._formatter.is_called(message.message)
            self._receipts.of(target).miss(message.id, is_mention=is_mention)
            self._receipts.missed += is_direct
            return False
        if is_direct:
            self._receipts.direct(message.id)
        return self._conversations.is_shown(target)

    def _see(self, message: Message, target: str) -> None:
        self._receipts.of(target).live(message.id, is_own=message.from_ == self._people.name)
        if not self._receipts.main_room and is_person(target):
            self._receipts.main.live(message.id, is_own=True)  # its marker takes direct messages along

    def _aside(self, message: Message, target: str) -> list[Line]:
        """What to say of a message to another conversation: once that there is one, and to who looks elsewhere."""
        lines, line = [], self._line(message, target)
        conversation = self._conversations[target]
        if not conversation.is_told and self._conversations.tells and message.from_ != self._people.name:
            conversation.is_told = True
            # A room that the user has joined elsewhere meanwhile is in the list only once the login tells of it.
            keys = [tab.number for tab in self._conversations.tabs()[:KEYS] if tab.target == target]
            how = f"Alt-{keys[0]}" if keys else f"TALK {conversation.title}"
            place = "the main room" if target == EVERYONE else conversation.title
            whom = "to you" if getattr(message, "to", UNSET) is not UNSET else f"in {place}"
            text = f"-- {shown_name(message.from_)} writes {whom}; {how} shows it"
            told = Line(self._formatter.time(message.time), ("presence", text), head=1)
            lines += self._formatter.on_its_day(message.time, [told], self._conversations.held)
        if line.calls:
            line.is_aside = True
            lines += tagged([line], target)
        return lines

    def where(self, target: str) -> str:
        """What stands before a message to a room that is not held; a direct one says by itself whose it is."""
        if is_person(target) or (self._conversations.is_divided and target == self._conversations.held):
            return ""
        return shown_target(target) if self._conversations.is_divided or target != EVERYONE else ""

    # -- what was seen elsewhere --------------------------------------------------------------------------------------
    def count_missed(self, messages: Sequence[StoredMessage]) -> None:
        """These direct messages are missed, and not shown yet."""
        for message in messages:
            if message.to == self._people.name and not self._people.is_muted(message.from_):
                self._conversations[message.from_]  # from now on it is in the list
                self._receipts.of(message.from_).miss(message.id, is_mention=True)

    def read_elsewhere(self, event: ReadEvent) -> None:
        """Another session of the user has shown these."""
        talks = list(filter(is_person, self._receipts.markers))
        before = sum(self._receipts.of(talk).unread for talk in talks)
        if event.room is not UNSET:
            room = self._rooms.target(event.room)
            if room in self._conversations and event.id is not UNSET:
                self._receipts.of(room).read(event.id)
        elif event.ids is not UNSET:
            for talk in talks:
                for message_id in event.ids:
                    self._receipts.of(talk).read_one(message_id)
        elif event.id is not UNSET:
            for talk in talks:
                if event.with_ in {UNSET, talk}:
                    self._receipts.of(talk).read(event.id)
            if event.with_ is UNSET:
                self._receipts.main.read(event.id)
        self._receipts.missed -= before - sum(self._receipts.of(talk).unread for talk in talks)
        self._receipts.missed = max(0, self._receipts.missed)
        self._conversations.forget_told()
