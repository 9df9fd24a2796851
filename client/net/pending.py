"""Messages that have no ack yet. They outlive the connection that they were sent on. Sends nothing itself."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from client.net.connection import new_nonce
from service.wire.protocol import AnyEvent, Dm, Pm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from client.net.connection import Connection

Message = Pm | Dm


@dataclass(slots=True)
class PendingMessage:
    """A message with its nonce, and the reply to come."""

    command: Message
    reply: Future[AnyEvent] = field(default_factory=Future)
    sent_on: Connection | None = None  # the connection that it was last sent on

    @property
    def room(self) -> str:
        """The room that it is for; empty for the main room and a direct one."""
        return (self.command.room or "") if isinstance(self.command, Pm) else ""

    def is_stray(self, rooms: Mapping[str, str]) -> bool:
        """Whether it was never sent, and the room that it is for is not among these."""
        if not isinstance(self.command, Pm) or not self.room or self.sent_on is not None:
            return False
        return self.room not in rooms or self.command.created not in (UNSET, rooms[self.room])


class Pending:
    """All of one link, in the order of sending. Not safe for two threads at once."""

    def __init__(self) -> None:
        self._messages: dict[str, PendingMessage] = {}  # by nonce

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, command: Message, connection: Connection | None) -> PendingMessage:
        """Takes a message, which gets a nonce if it has none; `connection` is where it goes now, if anywhere."""
        if command.nonce is UNSET:
            command = msgspec.structs.replace(command, nonce=new_nonce())
        message = PendingMessage(command, sent_on=connection)
        self._messages[command.nonce or ""] = message
        return message

    def commands(self) -> list[Message]:
        """The messages as commands."""
        return [message.command for message in self._messages.values()]

    def remove(self, command: Message) -> None:
        """Lets a message go: its reply is here."""
        self._messages.pop(command.nonce or "", None)

    def move_to(self, connection: Connection) -> list[PendingMessage]:
        """Those not sent on this connection yet; from here on they count as sent on it."""
        moved = [message for message in self._messages.values() if message.sent_on is not connection]
        for message in moved:
            message.sent_on = connection
        return moved

    def take_stray(self, rooms: Mapping[str, str]) -> list[PendingMessage]:
        """Lets those go that wait for a room that is not among `rooms` (times of creation by name), or is another one.

        What was sent before stays: a retry alone tells whether it was stored, and its `created` keeps it from the
        other room.
        """
        stray = [message for message in self._messages.values() if message.is_stray(rooms)]
        for message in stray:
            self.remove(message.command)
        return stray

    def take_all(self) -> list[PendingMessage]:
        """Lets all go."""
        messages, self._messages = list(self._messages.values()), {}
        return messages
