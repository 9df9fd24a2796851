"""What operations ask about where lines go: to turn there, to look back, to act in a room. Pure.

`Interpreter` is one of these; it knows what the user is at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.chat.actions import Action, AtTerminal, InChat, Mistake, Notice, Operations
from client.chat.addressing import EVERYONE, ROOM, compose, is_person
from client.chat.talk import OFF, Talk

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from client.chat.actions import ChatActions
    from client.chat.targets import Targets
    from service.wire.protocol import AnyEvent


class Turns:
    """Does what needs no answer of the user."""

    def __init__(self, talking: Talk, targets: Targets, operations: Operations, *, has_terminal: bool) -> None:
        self.talking = talking  # where lines go
        self._targets = targets
        self._operations = operations
        self._has_terminal = has_terminal

    @property
    def talk(self) -> str:
        """Where a line of talk goes: a target, or empty if nowhere."""
        return self.talking.target

    def _if_user(
        self, name: str, then: Callable[[str], Action | None], otherwise: Callable[[], None] = lambda: None
    ) -> Action | None:
        """Does `then` if there is such a user, which takes asking the server where the name is unknown."""
        if self._targets.knows(name):
            return then(name)
        return AtTerminal(lambda terminal: terminal.if_user(name, then, otherwise))

    def turn_to(self, to: str | None) -> Action | None:
        """Has each line go to a name, a room, or EVERYONE, or with `off` nowhere; None: says where it goes."""
        if to is None and self._has_terminal:
            where = self.talking.where()
            return InChat(lambda chat: chat.list_conversations(where))
        if to is None or to.casefold() == OFF:
            return self.talking.end()
        target = self._targets.find(to)
        if isinstance(target, Mistake):
            return target
        if target == EVERYONE and self._has_terminal:
            self.talking.turn_to_everyone()
            words = "What is no operation goes to everyone now, after a restart too. TALK off ends that."
            return Notice((words,), held=EVERYONE)
        return self._if_user(target, self.talking.begin) if is_person(target) else self.talking.begin(target)

    def look_back(self, name: str | None, count: int | None) -> Action:
        """Shows the newest messages of a conversation, or of the one that is held."""
        target = None if name is None else self._targets.find(name)
        return target if isinstance(target, Mistake) else InChat(lambda chat: chat.show_history(target, count))

    def in_room(self, room: str | None, operation: str, make: Callable[[str], Action]) -> Action:
        """Does what `make` makes of a room's name: the one named, or the one that is held."""
        name = self._targets.room(room, self.talk, operation)
        return name if isinstance(name, Mistake) else make(name)

    def leave(self, room: str | None) -> Action:
        """Leaves a room; if it is held, the main room is held from then on."""
        name = self._targets.room(room, self.talk, "LEAVE")
        if isinstance(name, Mistake):
            return name
        if name == self._targets.main_room:
            return Mistake("The main room cannot be left. MUTE hides somebody; EX leaves the chat.")

        def leave(chat: ChatActions) -> Future[AnyEvent]:
            reply = chat.leave(name)  # without a connection it raises, and lines go there still
            if self.talking.partner == ROOM + name:
                self.talking.partner = ""
            return reply

        return InChat(leave)

    def mute(self, name: str | None) -> Action | None:
        """Hides what this person writes, or shows it again; None: says who is muted."""
        if name is None:
            return InChat(lambda chat: chat.mute(None))
        return self._if_user(name, lambda known: InChat(lambda chat: chat.mute(known)))

    def act(self, text: str) -> Action:
        """Tells those whom a line of talk would go to what the user does; without a talk, everyone."""
        return compose(self.talk or EVERYONE, text, "action")

    def help(self, *, about_rooms: bool) -> Action:
        """Shows the operations, or those about rooms."""
        return InChat(lambda chat: chat.show_help(self._operations, about_rooms=about_rooms))
