"""Messages that have no ack yet. They outlive the connection that they were sent on. Sends nothing itself."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from client.net.connection import new_nonce
from service.wire.protocol import AnyEvent, Dm, ErrorReply, Pm

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
    is_unsure: bool = False  # the server may have stored it, and does not know: only an ack or a refusal tells
    rests: bool = False  # until it is sent again on that connection

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

    def is_unsure(self, command: Message) -> bool:
        """Whether the server did not know, at an earlier try, whether it has stored the message."""
        message = self._messages.get(command.nonce or "")
        return message is not None and message.is_unsure

    def keep_unsure(self, command: Message, reply: AnyEvent) -> bool:
        """Keeps a message whose reply leaves open whether it is stored; returns whether it does.

        Once that is open, a later try of which nothing was stored does not settle it.
        """
        message = self._messages.get(command.nonce or "")
        if message is None or not isinstance(reply, ErrorReply) or reply.code != "storage_unavailable":
            return False
        message.is_unsure = message.rests = message.is_unsure or reply.maybe is True
        return message.is_unsure

    @property
    def any_rests(self) -> bool:
        return any(message.rests for message in self._messages.values())

    def take_resting(self) -> list[PendingMessage]:
        """Those to send again, in their order."""
        resting = [message for message in self._messages.values() if message.rests]
        for message in resting:
            message.rests = False
        return resting

    def move_to(self, connection: Connection) -> list[PendingMessage]:
        """Those not sent on this connection yet; from here on they count as sent on it."""
        moved = [message for message in self._messages.values() if message.sent_on is not connection]
        for message in moved:
            message.sent_on, message.rests = connection, False
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
