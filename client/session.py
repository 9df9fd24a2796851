"""One user's session: joins the link and the model, so that each event becomes lines on show, in wire order.

What was shown is confirmed by client/confirmer.py. It knows neither a terminal nor stdin: `show` is given to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final, cast

from msgspec import UNSET
from msgspec.structs import replace

from client.chat.actions import Action, AtTerminal, InChat, Mistake, Notice, Operations
from client.chat.help import help_texts, whom_to_ask
from client.chat.model import Model
from client.chat.paging import Page
from client.chat.people import inquiry, is_inquiry
from client.confirmer import SEEN_PACE, Confirmer
from client.net.connection import ConnectionLostError
from client.net.link import Link, Listener, OfflineError
from client.render.status_bar import Status
from client.text import Line, hint, sentence, trouble
from service.wire.protocol import (
    AnyCommand,
    AnyEvent,
    Delete,
    Dm,
    ErrorReply,
    History,
    HistoryReply,
    LoginOkReply,
    Missed,
    Pm,
    RenamedEvent,
    Search,
    SearchReply,
    StoredMessage,
    UsersReply,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from client.chat.presence import Mode
    from client.render.layout import Size

_NOTHING_OLDER: Final = "Nothing older."

Show = Callable[[Sequence[Line]], None]
Later = Callable[[float, Callable[[], None]], None]  # calls a function after so many seconds, unless it ends before
Give = Callable[[Page | str], None]
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
        later: Later | None = None,
        size: Callable[[], Size] | None = None,
        seen_pace: float = SEEN_PACE,
    ) -> None:
        """`presence` "folded" needs `later`. `size` gives the screen's, if there is one: HISTORY fills it."""
        self._show = show
        self._on_end = on_end
        self._model = Model(presence=presence)
        self._later = later
        self._size = size
        self._lock = threading.Lock()  # guards _model; nothing is shown or sent under it
        self._is_leaving = False
        self._keep_muted: Callable[[str, bool], None] = lambda _name, _is_muted: None
        self._reading: tuple[History | Search, Give] | None = None  # whose reply is read elsewhere
        self.link: Final = make_link(self)
        self.hello: Final = self.link.hello
        self._confirmer = Confirmer(self.link, self._model, self._lock, seen_pace)

    def start(self) -> None:
        """Begins to listen."""
        self._confirmer.start()
        self.link.start()

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command; its reply comes once it is shown. Raises OfflineError, ConnectionLostError."""
        if isinstance(command, Missed):
            self._confirmer.confirm()  # or the service would give the same page again
        return self.link.send(self._address(command))

    def _address(self, command: AnyCommand) -> AnyCommand:
        """The command for the present name of who was renamed since the user saw, or typed, the one in it."""
        with self._lock:
            if isinstance(command, Dm) and command.to:
                return replace(command, to=self._model.people.present_name(command.to))
            if isinstance(command, (History, Search)) and command.with_:
                return replace(command, with_=self._model.people.present_name(command.with_))
        return command

    def perform(self, action: Action) -> Future[AnyEvent] | None:
        """Does what was typed; gives the reply to come if something was sent. Raises ConnectionLostError.

        What a terminal does is left to the caller, if it has one.
        """
        try:
            return self._perform(action)
        except OfflineError as error:
            if isinstance(action, (Pm, Dm)):
                self.keep_unsent(action)
            self._show([trouble(str(error))])
            return None

    def _perform(self, action: Action) -> Future[AnyEvent] | None:
        if isinstance(action, Mistake):
            if action.unsent:
                self.keep_unsent(action.unsent)
            self._show([trouble(action.text)])
        elif isinstance(action, Notice):
            self._show([hint(text) for text in action.lines])
        elif isinstance(action, InChat):
            return action.do(self)
        elif isinstance(action, AtTerminal):
            return action.otherwise.do(self) if action.otherwise else None
        else:
            return self.send(action)
        return None

    # -- for operations -----------------------------------------------------------------------------------------------
    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on show."""
        self._show(lines)

    def show_help(self, operations: Operations) -> None:
        """Shows HELP, for the width of this moment."""
        texts = help_texts(get_terminal_size().columns, whom_to_ask(self.hello), operations)
        self._show([hint(text) for text in texts])

    def show_history(self, name: str | None) -> Future[AnyEvent] | None:
        """Asks for the newest messages of the room, or with one person; at a terminal for as many as fit.

        Raises OfflineError, ConnectionLostError, as all that ask.
        """
        command = History(with_=UNSET if name is None else name)
        if self._size is not None:
            with self._lock:
                command = self._model.backlog.fill(command, self._size())
        return self.send(command)

    def show_online(self) -> None:
        """Shows who is online."""
        self._show_all(lambda: [self._model.people.list_online()])

    def show_older(self) -> Future[AnyEvent] | None:
        """Asks for the page before the last one."""
        with self._lock:
            older = self._model.backlog.older()
        return self._send_all([] if older is None else [older], _NOTHING_OLDER)

    def reading(self, limit: int) -> History | Search | None:
        """The command to begin reading with; without older messages it shows so, and gives None."""
        with self._lock:
            command = self._model.backlog.reading(limit)
        if command is None:
            self._show([hint(_NOTHING_OLDER)])
        return command

    def read(self, command: History | Search, give: Give) -> None:
        """Asks for a page to read: `give` gets it, or why there is none, on any thread."""
        command = cast("History | Search", self._address(command))
        self._reading = command, give
        try:
            reply = self.send(command)
        except (OfflineError, ConnectionLostError) as error:
            self._reading = None
            give(str(error))
            return

        def look(reply: Future[AnyEvent]) -> None:
            if error := reply.exception():
                self._reading = None
                give(str(error))

        reply.add_done_callback(look)

    def show_news(self) -> Future[AnyEvent] | None:
        """Asks for what is missed and unread."""
        with self._lock:
            commands = self._model.backlog.news()
        return self._send_all(commands, "Nothing new.")

    def show_around(self, message_id: int) -> Future[AnyEvent] | None:
        """Asks for the talk around a match of SEARCH."""
        with self._lock:
            commands = self._model.backlog.around(message_id)
        return self._send_all(commands, "This is no match on show. SEARCH shows them, with their numbers.")

    def delete(self, message_id: int) -> Future[AnyEvent] | None:
        """Deletes a message; at a terminal only one that is on show, as a number is soon mistyped."""
        if self._size is not None:
            with self._lock:
                is_on_show = self._model.deletions.is_on_show(message_id)
            if not is_on_show:
                self._show([trouble(f"Message {message_id} is not on show. HISTORY and SEARCH show the numbers.")])
                return None
        return self.send(Delete(id=message_id))

    def offer_deletion(self) -> None:
        """Says how to delete the user's last message."""
        self._show_all(lambda: [self._model.deletions.offer()])

    def mute(self, name: str | None) -> None:
        """Hides what this person writes, or shows it again; None: says who is muted."""
        self._change_muted(lambda: self._model.people.mute(name))

    def _change_muted(self, change: Callable[[], list[Line]]) -> None:
        with self._lock:
            before = self._model.people.muted
        self._show_all(change)
        with self._lock:
            now = self._model.people.muted
        for one in before ^ now:
            self._keep_muted(one, one in now)

    def _send_all(self, commands: Sequence[AnyCommand], otherwise: str) -> Future[AnyEvent] | None:
        """The reply to the last command; without a command, shows `otherwise`."""
        replies = [self.send(command) for command in commands]
        if replies:
            return replies[-1]
        self._show([hint(otherwise)])
        return None

    # -- for a terminal and for stdin ---------------------------------------------------------------------------------
    def ask_for_summary(self) -> None:
        """Right after the login: the summary of what was missed is shown soon. Raises ConnectionLostError."""
        with self._lock:
            commands = self._model.ask_for_summary()
        with suppress(OfflineError):
            for command in commands:
                self.link.send(command)

    def show_summary(self) -> None:
        """Shows how much was missed, by what the login said."""
        self._show_all(self._model.summarize)

    def has_news(self) -> bool:
        """Whether something is missed or unread."""
        with self._lock:
            return bool(self._model.backlog.news())

    def names(self) -> list[str]:
        """Names for completion; all of them safe to show."""
        with self._lock:
            return self._model.people.names()

    def recall_muted(self, names: Iterable[str], keep: Callable[[str, bool], None]) -> None:
        """These are muted from an earlier start; `keep` gets each change, and whether the name is muted now."""
        with self._lock:
            self._model.people.recall_muted(names)
        self._keep_muted = keep

    def knows(self, name: str) -> bool:
        """Whether there is such a user, as far as it is known without asking."""
        with self._lock:
            return self._model.people.knows(name)

    def find(self, name: str) -> Future[AnyEvent]:
        """Asks the server whether there is such a user; shows nothing. Raises OfflineError, ConnectionLostError."""
        return self.link.send(inquiry(name))

    def status(self) -> Status:
        """How the chat is just now."""
        pending = self.link.pending()
        with self._lock:
            model = self._model
            return Status(model.name, model.is_connected, model.people.online, model.receipts.missed, pending)

    def last_sender(self) -> str:
        """The name that REPLY answers; empty if there is none."""
        with self._lock:
            return self._model.people.last_sender

    def take_unsent(self) -> Pm | Dm | None:
        """The last message that could not be sent, once."""
        with self._lock:
            message, self._model.unsent = self._model.unsent, None
        return message

    def keep_unsent(self, message: Pm | Dm) -> None:
        """Keeps a message that could not be sent, for EDIT."""
        with self._lock:
            self._model.unsent = message

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
        self._show_all(lambda: self._model.unconfirmed(pending))

    # -- for the link, on its threads ---------------------------------------------------------------------------------
    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        """Shows an event, or gives it to who reads it elsewhere."""
        if is_inquiry(request):
            return
        if isinstance(request, (History, Search)) and self._reading:
            command, give = self._reading
            if replace(request, ref=UNSET) == command:
                self._reading = None
                give(self._read(event, request))
                return
        if isinstance(event, RenamedEvent):
            self._change_muted(lambda: self._model.receive(event))  # a muted one stays muted, also after the next start
            return
        self._show_all(lambda: self._model.receive(event, request))
        if isinstance(event, UsersReply):
            self._show(())  # the bar counts at once; the line about who came waits for others

    def lose(self, error: ConnectionLostError) -> None:
        """Says that the connection is lost and that the link tries again."""
        if not self._is_leaving:
            self._show_all(lambda: self._model.lose(str(error)))

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:
        """Shows what came meanwhile."""
        self._show_all(lambda: self._model.catch_up(messages, deleted))

    def come_back(self, login: LoginOkReply) -> None:
        """Says that the connection is back."""
        self._show_all(lambda: self._model.come_back(login))

    def end(self, error: ConnectionLostError) -> None:
        """Says that it is over."""
        if not self._is_leaving:
            pending = self.link.pending()
            self._show_all(lambda: [*self._model.unconfirmed(pending), trouble(str(error))])
            self._on_end(error)

    def _read(self, event: AnyEvent, request: History | Search) -> Page | str:
        if not isinstance(event, (HistoryReply, SearchReply)):
            return sentence(event.message) if isinstance(event, ErrorReply) else "The server answered something else."
        with self._lock:
            page = self._model.backlog.read(event, request)
        self._confirmer.stir()
        return page

    def _show_all(self, make: Callable[[], list[Line]]) -> None:
        with self._lock:
            lines = make()
            wait = self._model.presence.take_wait()
        if wait and self._later:
            self._later(wait.seconds, lambda: self._show_all(lambda: self._model.tell_presence(wait.number)))
        if lines:
            self._show(lines)
            self._confirmer.stir()
