"""Which messages may be confirmed as seen: those that were really shown, and no other. Pure.

Direct messages are confirmed one by one (`seen` with `ids`), rooms by their read markers (`seen` with `id`). Where the
conversations stand together the marker of the main room takes along every direct message up to it. So it moves only
while no missed direct message is left, and no unread public one. The caller sends what `take` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from client.chat.addressing import EVERYONE, is_person, room_of, target_of_room
from client.chat.marker import Marker
from service.wire.limits import MAX_PAGE
from service.wire.protocol import History, LoginOkReply, Seen, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

# Ids not yet confirmed, when the server takes no `seen`; further messages stay unseen there, and are offered again.
_MOST_UNCONFIRMED: Final = 100_000


class Receipts:
    """What was shown and not yet confirmed, and what is still unshown."""

    def __init__(self) -> None:
        self.missed = 0  # direct messages that may be unshown; not fewer than there are
        self.name = ""  # the user's
        self.main_room = ""  # its name, where each conversation is confirmed by itself
        self.markers: dict[str, Marker] = {EVERYONE: Marker()}  # by conversation
        self._directs: list[int] = []  # shown and not yet confirmed

    @property
    def main(self) -> Marker:
        """The main room's marker."""
        return self.markers[EVERYONE]

    def of(self, conversation: str) -> Marker:
        """The marker of a conversation."""
        if conversation not in self.markers:  # no setdefault: a frame looks at each, and would make one for each
            self.markers[conversation] = Marker()
        return self.markers[conversation]

    def start(self, login: LoginOkReply) -> None:
        """A session begins at the seam `login.last_id`: what is above comes live, what is below is asked for."""
        self.missed, self.name = login.missed, login.username
        self.main.start(login.unread, login.last_id)

    def come_back(self, login: LoginOkReply) -> None:
        """The connection is back, and what came meanwhile was given: by the login it is known how much is unseen."""
        self.missed = min(self.missed, login.missed)
        self.main.forget(login.read_id or 0)  # the last one may have been lost on the way
        self.main.lower(login.unread)
        if not self.main_room:
            self.main.newest = max(self.main.newest, login.last_id)

    def direct(self, message_id: int) -> None:
        """A direct message to this user was shown, live or out of a page."""
        if len(self._directs) < _MOST_UNCONFIRMED:
            self._directs.append(message_id)

    def missed_page(self, messages: Sequence[StoredMessage], *, more: bool) -> None:
        """A page of missed messages was shown; the last one says that none is left."""
        self._directs += [message.id for message in messages]
        self.missed = max(1, self.missed - len(messages)) if more else 0

    def page(self, messages: Sequence[StoredMessage]) -> None:
        """Any other page was shown; the direct messages in it may be missed ones."""
        if self.missed:
            self._directs += [message.id for message in messages if message.to == self.name]

    def room_page(
        self, asked: History, messages: Sequence[StoredMessage], *, more: bool, conversation: str = EVERYONE
    ) -> None:
        """A page of a room was shown. If it joins what was shown before, the unread ones in it are read."""
        self.of(conversation).page(asked, messages, self.name, more=more)

    def take(self) -> list[Seen]:
        """The `seen` commands to send now, each of at most 200 ids; what they hold counts as confirmed from here on."""
        directs, self._directs = list(dict.fromkeys(self._directs)), []  # a page may hold what also came live
        commands: list[Seen] = []
        for conversation, marker in self.markers.items():
            is_main = conversation == EVERYONE
            if is_person(conversation):
                continue
            if is_main and not self.main_room and (self.missed or marker.unread):
                continue
            if (message_id := marker.take()) is None:
                continue
            if not is_main:
                commands.append(Seen(room=room_of(conversation), id=message_id))
            elif self.main_room:
                commands.append(Seen(room=self.main_room, id=message_id))
            else:
                commands.append(Seen(id=message_id))
                directs = [direct for direct in directs if direct > message_id]
        return commands + [Seen(ids=directs[start : start + MAX_PAGE]) for start in range(0, len(directs), MAX_PAGE)]

    def put_back(self, commands: Sequence[Seen]) -> None:
        """These were not sent: `take` gives them again."""
        for command in commands:
            if command.ids:
                self._directs += command.ids
            else:
                is_main = command.room is UNSET or command.room == self.main_room
                self.of(EVERYONE if is_main else target_of_room(command.room)).forget()
