"""One user's session: joins the connection and the model, so that each event becomes lines on show, in wire order.

It also confirms what was shown, at most once a second. It knows neither a terminal nor a pipe: `show` is given to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from client.commands import Action, Local, Mistake, help_texts
from client.connection import LEAVE_TIMEOUT, Connection, ConnectionLostError
from client.model import Model
from client.text import Line, hint, trouble
from service.protocol import AnyCommand, AnyEvent, Missed

if TYPE_CHECKING:
    from concurrent.futures import Future

SEEN_PACE: Final = 1.0  # seconds between what came to be shown and its `seen`; one command then covers a burst

_MOST_OUTSTANDING: Final = 1_000  # commands without a reply; a server that leaves more is asked for no more by itself

Show = Callable[[Sequence[Line]], None]


class Session:
    """A chat over a greeted connection. `show` and `on_end` are called on any thread; `on_end` once, if it is lost."""

    def __init__(
        self,
        connection: Connection,
        show: Show,
        on_end: Callable[[ConnectionLostError], None],
        *,
        model: Model | None = None,
        seen_pace: float = SEEN_PACE,
    ) -> None:
        self.hello: Final = connection.hello
        self._connection = connection
        self._show = show
        self._on_end = on_end
        self._pace = seen_pace
        self._model = model or Model()
        self._lock = threading.Lock()  # guards _model; nothing is shown or sent under it
        self._shown_something = threading.Event()
        self._stopping = threading.Event()
        self._may_confirm = True
        self._confirmer = threading.Thread(target=self._confirm_until_stopped, name="chat-seen")

    def start(self) -> None:
        """Begins to listen."""
        self._confirmer.start()
        self._connection.start(self._receive, self._end)

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command; its reply is shown, and then given. Raises ConnectionLostError, as the reply may."""
        if isinstance(command, Missed):
            self._confirm()  # or the service would give the same page again
        return self._connection.send(command)

    def perform(self, action: Action) -> Future[AnyEvent] | None:
        """Does what was typed; gives the reply to come if something was sent. Raises ConnectionLostError."""
        if isinstance(action, Mistake):
            self._show([trouble(action.text)])
        elif action is Local.HELP:
            self._show([hint(text) for text in help_texts()])
        elif action is Local.OLDER:
            with self._lock:
                older = self._model.older()
            if older is not None:
                return self.send(older)
            self._show([hint("Nothing older. First HISTORY or SEARCH, then OLDER while there is more.")])
        else:
            return self.send(action)
        return None

    def names(self) -> list[str]:
        """Names for completion; all of them safe to show."""
        with self._lock:
            return self._model.names()

    def leave(self, *, confirm: bool = True) -> None:
        """Confirms what was shown (if it was), says goodbye and closes. No thread is left. Safe after a loss."""
        self._may_confirm = confirm
        self._stopping.set()
        self._shown_something.set()
        if self._confirmer.ident is not None:
            self._confirmer.join(LEAVE_TIMEOUT)  # it may be stuck in a send; closing the connection frees it
        self._connection.leave()
        if self._confirmer.ident is not None:
            self._confirmer.join()

    # -- the listener's thread ----------------------------------------------------------------------------------------
    def _receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        with self._lock:
            lines = self._model.receive(event, request)
        if lines:
            self._show(lines)
            self._shown_something.set()

    def _end(self, error: ConnectionLostError) -> None:
        with self._lock:
            lines = self._model.unconfirmed(self._connection.outstanding())
        if self._stopping.is_set():
            return
        self._show([*lines, trouble(str(error))])
        self._on_end(error)

    # -- the confirmer's thread ---------------------------------------------------------------------------------------
    def _confirm_until_stopped(self) -> None:
        is_last = False
        while not is_last:
            self._shown_something.wait()
            is_last = self._stopping.wait(self._pace)
            self._shown_something.clear()
            self._confirm()

    def _confirm(self) -> None:
        if not self._may_confirm or len(self._connection.outstanding()) > _MOST_OUTSTANDING:
            return
        with self._lock:
            receipts = self._model.receipts.take()
        with suppress(ConnectionLostError):  # then they stay unseen, and are offered again
            for command in receipts:
                self._connection.send(command)
