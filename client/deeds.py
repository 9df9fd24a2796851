"""What a session does for operations that are no single command: it looks at the model, shows, asks, switches.

Nothing here is parsed, and no terminal is known. What is asked for is sent by a function that is given to it.
"""

from __future__ import annotations

from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

from msgspec import UNSET
from msgspec.structs import replace

from client.chat.addressing import EVERYONE, ROOM
from client.chat.backlog import CONTEXT, asking
from client.chat.help import help_texts, room_help_texts, whom_to_ask
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from client.text import hint, sentence, trouble
from service.wire.protocol import Delete, ErrorReply, History, HistoryReply, Leave, Search, SearchReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from client.chat.actions import Operations
    from client.chat.model import Model
    from client.chat.paging import Page
    from client.render.layout import Size
    from client.render.status_bar import Tab
    from client.text import Line
    from client.view import View
    from service.wire.protocol import AnyCommand, AnyEvent, HelloEvent

    Send = Callable[[AnyCommand], Future[AnyEvent]]
    Give = Callable[[Page | str], None]

_NOTHING_OLDER: Final = "Nothing older."


class Deeds:
    """For one session. What asks gives the reply to come, and raises OfflineError, ConnectionLostError."""

    def __init__(
        self,
        view: View,
        send: Send,
        hello: HelloEvent,
        size: Callable[[], Size] | None = None,
        context: Callable[[], int] = lambda: CONTEXT,
    ) -> None:
        """`size` gives the screen's, if there is one; `context` how many messages stand before the unread ones."""
        self._view = view
        self._context = context
        self._send = send
        self._hello = hello
        self._size = size
        self._keep_muted: Callable[[str, bool], None] = lambda _name, _is_muted: None

    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on show."""
        self._view.show(lines)

    def show_help(self, operations: Operations, *, about_rooms: bool) -> None:
        """Shows HELP, or what it says about rooms, for the width of this moment."""
        width = self._size().columns if self._size else get_terminal_size().columns
        if about_rooms:
            texts = room_help_texts(width, operations)
        else:
            texts = help_texts(width, whom_to_ask(self._hello), operations)
        self.show([hint(text) for text in texts])

    def show_online(self) -> None:
        """Shows who is online."""
        self._view.tell(lambda model: [model.people.list_online()])

    # -- what was said ------------------------------------------------------------------------------------------------
    def show_history(self, target: str | None, count: int | None) -> Future[AnyEvent] | None:
        """Asks for the newest messages of a conversation; None: of the one that is held, if they stand apart.

        Without a count at a terminal for as many as fit.
        """

        def make(model: Model) -> History:
            held = model.conversations.held if model.conversations.is_divided else EVERYONE
            command = asking(target or held)
            if count is not None:
                return replace(command, limit=count)
            return command if self._size is None else model.backlog.fill(command, self._size())

        return self._send(self._view.look(make))

    def show_older(self) -> Future[AnyEvent] | None:
        """Asks for the page before the last one."""
        older = self._view.look(lambda model: model.backlog.older())
        return self._ask_all([] if older is None else [older], _NOTHING_OLDER)

    def show_news(self) -> Future[AnyEvent] | None:
        """Asks for what is missed and unread; where conversations stand apart, in the one that is held."""
        commands = self._view.look(lambda model: model.backlog.news())
        if not commands and self._view.look(lambda model: model.backlog.has_news()):
            self.list_conversations()
            return None
        return self._ask_all(commands, "Nothing new.")

    def show_around(self, message_id: int) -> Future[AnyEvent] | None:
        """Asks for the talk around a match of SEARCH."""
        commands = self._view.look(lambda model: model.backlog.around(message_id))
        return self._ask_all(commands, "This is no match on show. SEARCH shows them, with their numbers.")

    def delete(self, message_id: int) -> Future[AnyEvent] | None:
        """Deletes a message; at a terminal only one that is on show, as a number is soon mistyped."""
        if self._size is not None and not self._view.look(lambda model: model.deletions.is_on_show(message_id)):
            self.show([trouble(f"Message {message_id} is not on show. HISTORY and SEARCH show the numbers.")])
            return None
        return self._send(Delete(id=message_id))

    def offer_deletion(self) -> None:
        """Says how to delete the user's last message."""
        self._view.tell(lambda model: [model.deletions.offer()])

    # -- people -------------------------------------------------------------------------------------------------------
    def mute(self, name: str | None) -> None:
        """Hides what this person writes, or shows it again; None: says who is muted."""
        self.change_muted(lambda model: model.people.mute(name))

    def recall_muted(self, names: Iterable[str], keep: Callable[[str, bool], None]) -> None:
        """These are muted from an earlier start; `keep` gets each change, and whether the name is muted now."""
        self._view.look(lambda model: model.people.recall_muted(names))
        self._keep_muted = keep

    def change_muted(self, change: Callable[[Model], list[Line]]) -> None:
        """Shows what `change` gives; who is muted by it, or no longer, is kept so."""
        before = self._view.look(lambda model: model.people.muted)
        self._view.tell(change)
        now = self._view.look(lambda model: model.people.muted)
        for one in before ^ now:
            self._keep_muted(one, one in now)

    # -- conversations ------------------------------------------------------------------------------------------------
    def ask(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command."""
        return self._send(command)

    def hold(self, target: str) -> Future[AnyEvent] | None:
        """Holds a conversation, and shows what is unread in it, with some messages before that."""
        command: list[AnyCommand | None] = []

        def make(model: Model) -> list[Line]:
            lines, asked = model.arrivals.hold(model.people.present_name(target), self._context())
            command.append(asked)
            return lines

        self._view.tell(make)
        if command[0] is None:
            return None
        try:
            return self._send(command[0])
        except OfflineError:
            self._view.tell(lambda model: [*model.arrivals.give_up(), *_later(model)])
            return None

    def leave(self, room: str) -> Future[AnyEvent]:
        """Leaves a room; if it is held, the main room is held from then on."""
        reply = self._send(Leave(room=room))
        if self._view.look(lambda model: model.conversations.held) == ROOM + room:
            reply.add_done_callback(self._hold_main)
        return reply

    def _hold_main(self, _: Future[AnyEvent]) -> None:
        with suppress(OfflineError, ConnectionLostError):
            self.hold(EVERYONE)

    def list_conversations(self, where: str = "") -> None:
        """Shows all conversations, with what is unread in each, if they stand apart; and where lines go."""

        def make(model: Model) -> list[Line]:
            lines = model.rooms.list_conversations() if model.conversations.is_divided else []
            return [*lines, *([hint(where)] if where else [])]

        self._view.tell(make)

    def show_topic(self, room: str) -> None:
        """Shows what a room is about."""
        self._view.tell(lambda model: [model.rooms.topic(model.rooms.target(room))])

    def _ask_all(self, commands: Sequence[AnyCommand], otherwise: str) -> Future[AnyEvent] | None:
        """The reply to the last command; without a command, shows `otherwise`."""
        replies = [self._send(command) for command in commands]
        if replies:
            return replies[-1]
        self.show([hint(otherwise)])
        return None


def _later(model: Model) -> list[Line]:
    """What to say where the page of what is unread cannot be asked for; nothing if nothing is."""
    unread = model.receipts.of(model.conversations.held).unread
    return [trouble(f"{unread:,} unread: NEW shows them once the connection is back.")] if unread else []


class Tabs:
    """Where keys turn to, while conversations stand apart."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def is_on(self) -> bool:
        """Whether conversations stand apart."""
        return self._view.look(lambda model: model.conversations.is_divided)

    def all(self) -> list[Tab]:
        """All that can be held, in their order."""
        return self._view.look(lambda model: model.conversations.tabs())

    def number(self, number: int) -> str | None:
        """The one with this number, if there is one and it is not held."""
        return next((tab.target for tab in self.all() if tab.number == number and not tab.is_held), None)

    def neighbour(self, step: int) -> str | None:
        """The one so many places further on, in a circle; None if there is no other one."""
        return self._view.look(lambda model: model.conversations.neighbour(step))

    def unread(self) -> str | None:
        """The next one with something new, if there is one."""
        return self._view.look(lambda model: model.conversations.next_unread())


class Reading:
    """Pages that are read elsewhere than in the talk: who asks for one gets it, and it counts as shown."""

    def __init__(self, view: View, send: Send) -> None:
        self._view = view
        self._send = send
        self._awaited: tuple[History | Search, Give] | None = None

    def begin(self, limit: int) -> History | Search | None:
        """The command to begin reading with; without older messages it shows so, and gives None."""
        command = self._view.look(lambda model: model.backlog.reading(limit))
        if command is None:
            self._view.show([hint(_NOTHING_OLDER)])
        return command

    def ask(self, command: History | Search, give: Give) -> None:
        """Asks for a page to read: `give` gets it, or why there is none, on any thread."""
        self._awaited = command, give
        try:
            reply = self._send(command)
        except (OfflineError, ConnectionLostError) as error:
            self._awaited = None
            give(str(error))
            return

        def look(reply: Future[AnyEvent]) -> None:
            if error := reply.exception():
                self._awaited = None
                give(str(error))

        reply.add_done_callback(look)

    def take(self, event: AnyEvent, request: AnyCommand | None) -> bool:
        """Whether this was the page that is awaited; it is given on."""
        if self._awaited is None or not isinstance(request, (History, Search)):
            return False
        command, give = self._awaited
        if replace(request, ref=UNSET) != command:
            return False
        self._awaited = None
        if isinstance(event, (HistoryReply, SearchReply)):
            give(self._view.look(lambda model: model.backlog.read(event, request)))
            self._view.stir()
        else:
            give(sentence(event.message) if isinstance(event, ErrorReply) else "The server answered something else.")
        return True
