"""One user's session: joins the link and the model, so that each event becomes lines on show, in wire order.

What was shown is confirmed by client/confirmer.py. It knows neither a terminal nor stdin: `show` is given to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from client.chat.actions import Action, AtTerminal, InChat, Mistake, Notice
from client.chat.addressing import ALL
from client.chat.backlog import CONTEXT
from client.chat.model import Model
from client.chat.people import Recount, inquiry, is_inquiry
from client.confirmer import SEEN_PACE, Confirmer
from client.deeds import Deeds, Reading, Tabs
from client.net.connection import ConnectionLostError
from client.net.link import Link, Listener, OfflineError
from client.render.status_bar import Status
from client.text import hint, trouble
from client.view import View
from service.wire.protocol import (
    AnyCommand,
    AnyEvent,
    Dm,
    LoginOkReply,
    Missed,
    Pm,
    PresenceEvent,
    RenamedEvent,
    StoredMessage,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from client.chat.conversations import Divides
    from client.chat.presence import Mode
    from client.render.layout import Size
    from client.view import Later, Show

MakeLink = Callable[[Listener], Link]


class Session:
    """A chat over a link. `show` and `on_end` run on any thread; `on_end` once, if the connection is lost for good.

    The owner calls `start` and `leave`, once each.
    """

    def __init__(
        self,
        make_link: MakeLink,
        show: Show,
        on_end: Callable[[ConnectionLostError], None],
        *,
        presence: Mode = "all",
        divides: Divides = "never",
        later: Later | None = None,
        size: Callable[[], Size] | None = None,
        context: Callable[[], int] = lambda: CONTEXT,
        seen_pace: float = SEEN_PACE,
    ) -> None:
        """`presence` "folded" needs `later`. `size` gives the screen's, if there is one: HISTORY fills it.

        `divides` says when only the conversation that is held is shown, `context` how many messages before the unread.
        """
        self._on_end = on_end
        self._is_leaving = False
        self.view: Final = View(Model(presence=presence, divides=divides), show, later)
        self.link: Final = make_link(self)
        self.hello: Final = self.link.hello
        self.view.model.conversations.main_room = self.hello.main_room or ALL
        self._confirmer = Confirmer(self.link, self.view.model, self.view.lock, seen_pace)
        self.view.stir = self._confirmer.stir
        self.deeds: Final = Deeds(self.view, self.send, self.hello, size, context)
        self.tabs: Final = Tabs(self.view)
        self.reading: Final = Reading(self.view, self.send)

    def start(self) -> None:
        """Begins to listen."""
        self._confirmer.start()
        self.link.start()

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command; its reply comes once it is shown. Raises OfflineError, ConnectionLostError."""
        if isinstance(command, Missed):
            self._confirmer.confirm()  # or the service would give the same page again
        return self.link.send(self.view.look(lambda model: model.addressed(command)))

    def perform(self, action: Action) -> Future[AnyEvent] | None:
        """Does what was typed; gives the reply to come if something was sent. Raises ConnectionLostError.

        What a terminal does is left to the caller, if it has one.
        """
        try:
            return self._perform(action)
        except OfflineError as error:
            if isinstance(action, (Pm, Dm)):
                self.keep_unsent(action)
            self.view.show([trouble(str(error))])
            return None

    def _perform(self, action: Action) -> Future[AnyEvent] | None:
        if isinstance(action, Mistake):
            if action.unsent:
                self.keep_unsent(action.unsent)
            self.view.show([trouble(action.text)])
        elif isinstance(action, Notice):
            self.view.show([hint(text) for text in action.lines])
            return self.deeds.hold(action.held) if action.held else None
        elif isinstance(action, InChat):
            return action.do(self.deeds)
        elif isinstance(action, AtTerminal):
            return action.otherwise.do(self.deeds) if action.otherwise else None
        else:
            return self.send(action)
        return None

    # -- for a terminal and for stdin ---------------------------------------------------------------------------------
    def ask_for_summary(self) -> None:
        """Right after the login: the summary of what was missed is shown soon. Raises ConnectionLostError."""
        commands = self.view.look(lambda model: model.ask_for_summary())
        with suppress(OfflineError):
            for command in commands:
                self.link.send(command)

    def show_summary(self) -> None:
        """Shows how much was missed, by what the login said."""
        self.view.tell(lambda model: model.summarize())

    def has_news(self) -> bool:
        """Whether something is missed or unread."""
        return self.view.look(lambda model: model.backlog.has_news())

    def names(self) -> list[str]:
        """Names of people for completion; all of them safe to show."""
        return self.view.look(lambda model: model.people.names())

    def rooms(self) -> list[str]:
        """Names of rooms for completion; all of them safe to show."""
        return self.view.look(lambda model: model.conversations.room_names())

    def knows(self, name: str) -> bool:
        """Whether there is such a user, as far as it is known without asking."""
        return self.view.look(lambda model: model.people.knows(name))

    def has_room(self, name: str) -> bool:
        """Whether the user is in this room."""
        return self.view.look(lambda model: model.conversations.has_room(name))

    def find(self, name: str) -> Future[AnyEvent]:
        """Asks the server whether there is such a user; shows nothing. Raises OfflineError, ConnectionLostError."""
        return self.link.send(inquiry(name))

    def status(self) -> Status:
        """How the chat is just now."""
        pending = self.link.pending()
        return self.view.look(
            lambda model: Status(
                model.name,
                model.is_connected,
                model.people.online,
                model.missed,
                pending,
                model.conversations.unread_tabs(),
            )
        )

    def last_sender(self) -> str:
        """The name that REPLY answers; empty if there is none."""
        return self.view.look(lambda model: model.people.last_sender)

    def take_unsent(self) -> Pm | Dm | None:
        """The last message that could not be sent, once."""
        with self.view.lock:
            message, self.view.model.unsent = self.view.model.unsent, None
        return message

    def keep_unsent(self, message: Pm | Dm) -> None:
        """Keeps a message that could not be sent, for EDIT."""
        with self.view.lock:
            self.view.model.unsent = message

    def hide(self, *, is_hidden: bool) -> None:
        """While something else has the screen, nothing is confirmed; what is shown meanwhile is confirmed later."""
        self._confirmer.hide(is_hidden=is_hidden)

    def change_password(self, old: str, new: str) -> AnyEvent:
        """Changes the password; a lost connection still comes back. Waits for the reply, which is shown.

        Raises OfflineError, ConnectionLostError.
        """
        return self.link.change_password(old, new)

    def leave(self, *, confirm: bool = True) -> None:
        """Says goodbye and closes; `confirm`: after confirming what was shown. No thread is left. Safe after a loss."""
        self._is_leaving = True
        self._confirmer.stop(confirm=confirm)
        self.link.leave()
        self._confirmer.join()
        pending = self.link.pending()  # none after `end`, which has said it
        self.view.tell(lambda model: model.unconfirmed(pending))

    # -- for the link, on its threads ---------------------------------------------------------------------------------
    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        """Shows an event, or gives it to who reads it elsewhere."""
        if is_inquiry(request) or self.reading.take(event, request):
            return
        if isinstance(event, RenamedEvent):
            # A muted one stays muted, also after the next start.
            self.deeds.change_muted(lambda model: model.receive(event))
            return
        self.view.tell(lambda model: model.receive(event, request))
        if isinstance(event, PresenceEvent) and self.view.look(lambda model: model.takes_recount()):
            with suppress(OfflineError, ConnectionLostError):
                self.link.send(Recount())

    def lose(self, error: ConnectionLostError) -> None:
        """Says that the connection is lost and that the link tries again."""
        if not self._is_leaving:
            self.view.tell(lambda model: model.lose(str(error)))

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:
        """Shows what came meanwhile."""
        self.view.tell(lambda model: model.catch_up(messages, deleted))

    def come_back(self, login: LoginOkReply) -> None:
        """Says that the connection is back."""
        self.view.tell(lambda model: model.come_back(login))

    def end(self, error: ConnectionLostError) -> None:
        """Says that it is over."""
        if not self._is_leaving:
            pending = self.link.pending()
            self.view.tell(lambda model: [*model.unconfirmed(pending), trouble(str(error))])
            self._on_end(error)
