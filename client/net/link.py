"""A chat that outlives its connections: messages wait for their ack, and a lost connection is made again.

After a loss it tries again until it is back: it resumes by token, fetches what came meanwhile, in order and once each,
sends again what was not acknowledged (with the same nonce, so each is stored once), and only then is live again. It
shows nothing and knows no screen.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import tenacity
from msgspec import UNSET

from client.net.catch_up import PATIENCE, fetch_gap, fetch_token, resume
from client.net.connection import CannotConnectError, Connection, ConnectionLostError, new_nonce
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BroadcastEvent,
    DirectEvent,
    Dm,
    History,
    LoginOkReply,
    Missed,
    Password,
    Pm,
    Resume,
    Seen,
    StoredMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST_PAUSE: Final = 0.25  # seconds before the second try; a server that restarts is back in one
LONGEST_PAUSE: Final = 10.0  # seconds between two tries; doubled up to here, each shortened at random
MOST_PENDING: Final = 200  # messages that may wait for their ack; somebody types ahead, nobody piles up
MOST_HELD: Final = 2_000  # live messages kept back while older ones are fetched; beyond, they are fetched too

Message = Pm | Dm
_LIVE: Final = (BroadcastEvent, DirectEvent)


class OfflineError(Exception):
    """Nothing can be asked just now, as the connection is lost; `str()` says so."""


class Listener(Protocol):
    """Who is told what happens, on several threads."""

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        """An event, and the command that it answers, if it answers one."""

    def lose(self, error: ConnectionLostError) -> None:
        """The connection is lost; it is tried again from now on."""

    def catch_up(self, messages: Sequence[StoredMessage]) -> None:
        """Some of what came meanwhile, in order, after all that came before; some of it may have been received."""

    def come_back(self, login: LoginOkReply) -> None:
        """All that came meanwhile was given; what follows is live."""

    def end(self, error: ConnectionLostError) -> None:
        """It is over, and not tried again."""


@dataclass(slots=True)
class _Pending:
    """A message that has no ack yet."""

    command: Message
    reply: Future[AnyEvent] = field(default_factory=Future)
    sent_on: Connection | None = None  # the connection that it was last sent on


class Link:
    """Any thread may send. `start` begins, `leave` ends it; both are called once, by its owner."""

    def __init__(
        self,
        first: Connection,
        connect: Callable[[], Connection] | None,
        keep: Callable[[LoginOkReply], None] | None = None,
        *,
        follows: bool = True,
    ) -> None:
        """`first` is greeted; `connect` makes another one, or raises CannotConnectError. None: a loss is the end.

        `keep` is given each login, on any thread. Unless it `follows`, what comes is held back until `follow`.
        """
        self.hello = first.hello
        self._connect = connect
        self._keep = keep
        self._listener: Listener
        self._lock = threading.Lock()  # guards what follows
        self._follows = follows
        self._connection: Connection | None = first  # None while offline
        self._all = [first]  # to be left
        self._pending: dict[str, _Pending] = {}  # by nonce, in the order of sending
        self._login: LoginOkReply | None = None
        self._newest_public = 0  # of the room up to which all was received
        self._held: list[tuple[AnyEvent, AnyCommand | None]] | None = None  # what came while older ones are fetched
        self._overrun = 0  # too many live messages came meanwhile: those up to this id have to be fetched as well
        self._renewing = False  # the token may be dead, and another one on its way
        self._ended: ConnectionLostError | None = None  # for good
        self._dead: tuple[Connection, ConnectionLostError] | None = None  # one that ended while it caught up
        self._stopping = threading.Event()
        self._hurry = threading.Event()  # the next try is not put off any longer
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._return_until_stopped, name="chat-link")

    # -- from any thread ----------------------------------------------------------------------------------------------
    def start(self, listener: Listener) -> None:
        """Begins to listen."""
        self._listener = listener
        self._thread.start()
        self._all[0].start(self._receive, lambda error: self._end(self._all[0], error))

    @property
    def is_online(self) -> bool:
        """Whether what is sent goes out at once."""
        return self._connection is not None

    def pending(self) -> list[Message]:
        """The messages without an ack, in the order of sending."""
        with self._lock:
            return [pending.command for pending in self._pending.values()]

    def outstanding(self) -> int:
        """How many commands have no reply yet."""
        with self._lock:
            connection = self._connection
        return connection.outstanding() if connection else 0

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command; its reply comes once `receive` has returned for it.

        A message gets its reply also over a later connection. Anything else is ConnectionLostError if the connection
        ends first. Raises OfflineError, ConnectionLostError.
        """
        if isinstance(command, (Pm, Dm)) and command.message is not UNSET:
            return self._send_message(command)
        with self._lock:
            connection = self._connection
            if connection is None:
                raise self._ended or OfflineError("Not connected just now. Try again when the connection is back.")
        return connection.send(command)

    def follow(self, since: int) -> None:
        """Gives all after the id `since`, and the direct messages not seen yet, as after a loss; then it is live.

        Once, after the login, for a link that does not follow yet.
        """
        with self._lock:
            if self._ended is not None:
                return
            self._follows = True
            self._newest_public = since
        self._lost.set()

    def change_password(self, old: str, new: str) -> AnyEvent:
        """Changes the password, which ends every token, and fetches a new one. Waits for the reply, and gives it.

        Without a new token the next loss is the end. Raises OfflineError, ConnectionLostError.
        """
        self._renewing = True
        try:
            reply = self.send(Password(old=old, new=new)).result(PATIENCE)
            if isinstance(reply, AckReply) and self._connect and self._login:
                token = fetch_token(self._connect, self._login.username, new)
                self._log_in(msgspec.structs.replace(self._login, token=token or self._login.token))
        except TimeoutError:
            raise OfflineError("The server has not answered; the password may or may not be changed.") from None
        finally:
            self._renewing = False
        return reply

    def leave(self) -> None:
        """Says goodbye and closes; no thread is left. Safe after an end."""
        self._stopping.set()
        self._hurry.set()
        self._lost.set()
        with self._lock:
            trying = list(self._all) if self._connection is None else []
        for connection in trying:
            connection.cut()  # or its thread would wait for replies
        if self._thread.ident is not None:
            self._thread.join()
        for connection in self._all:
            connection.leave()

    def _send_message(self, command: Message) -> Future[AnyEvent]:
        if command.nonce is UNSET:
            command = msgspec.structs.replace(command, nonce=new_nonce())
        pending = _Pending(command)
        with self._lock:
            if self._ended is not None:
                raise self._ended
            if len(self._pending) >= MOST_PENDING:
                raise OfflineError("Too many of your messages wait to be sent. Try again when the connection is back.")
            self._pending[command.nonce or ""] = pending
            connection = self._connection
            pending.sent_on = connection
        if connection is not None:
            self._transmit(pending, connection)
        else:
            self._hurry.set()  # somebody is here, and waits
        return pending.reply

    def _transmit(self, pending: _Pending, connection: Connection) -> None:
        def finish(reply: Future[AnyEvent]) -> None:
            if reply.exception() is None:
                pending.reply.set_result(reply.result())

        with suppress(ConnectionLostError):  # then it goes with the next connection
            connection.send(pending.command, finish)

    # -- on the listener's thread of a connection ---------------------------------------------------------------------
    def _receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        if isinstance(request, (Pm, Dm)):
            with self._lock:  # before it is shown: a message is never pending and stored at once
                self._pending.pop(request.nonce or "", None)
        if self._held is not None and self._hold(event, request):
            return
        if isinstance(event, LoginOkReply):
            self._log_in(event)
            self._newest_public = max(self._newest_public, event.last_id)
        elif isinstance(event, BroadcastEvent):
            self._newest_public = max(self._newest_public, event.id)
        self._listener.receive(event, request)

    def _log_in(self, login: LoginOkReply) -> None:
        self._login = login
        if self._keep:
            self._keep(login)
        with self._lock:
            if not self._follows and self._held is None:
                self._held = []

    def _hold(self, event: AnyEvent, request: AnyCommand | None) -> bool:
        """Keeps an event back until all before it was given on; the replies to `_return` are its own business."""
        if isinstance(request, (Resume, History, Missed, Seen)):
            return True
        with self._lock:
            if self._held is None:
                return False
            self._held.append((event, request))
            if len(self._held) > MOST_HELD and isinstance(event, _LIVE):
                self._overrun = max(event.id for event, _ in self._held if isinstance(event, _LIVE))
                self._held = [held for held in self._held if not isinstance(held[0], _LIVE)]
        return True

    def _end(self, connection: Connection, error: ConnectionLostError) -> None:
        with self._lock:
            if self._connection is not connection:
                self._dead = connection, error  # `_return` learns of it by itself
                return
            self._connection = None
            is_final = error.is_final or self._login is None or self._connect is None
        if self._stopping.is_set():
            return
        if is_final:
            self._finish(error)
        else:
            self._listener.lose(error)
            self._lost.set()

    def _finish(self, error: ConnectionLostError) -> None:
        self._listener.end(error)
        with self._lock:
            self._ended = error
            left, self._pending = list(self._pending.values()), {}
        for pending in left:
            pending.reply.set_exception(error)

    # -- the thread chat-link -----------------------------------------------------------------------------------------
    def _return_until_stopped(self) -> None:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_random_exponential(FIRST_PAUSE, max=LONGEST_PAUSE),
            sleep=self._pause,
            stop=tenacity.stop_when_event_set(self._stopping),
            reraise=True,
        )
        while self._lost.wait() and not self._stopping.is_set():
            self._lost.clear()
            try:
                retrying(self._return)
            except (CannotConnectError, ConnectionLostError) as error:
                if _may_pass(error):
                    return  # stopped meanwhile
                self._finish(ConnectionLostError(str(error)))

    def _pause(self, seconds: float) -> None:
        self._hurry.wait(seconds)
        self._hurry.clear()

    def _return(self) -> None:
        """One try to come back. Raises CannotConnectError, ConnectionLostError."""
        with self._lock:
            connection, self._connection = self._connection, None  # there still, if only `follow` was asked for
            follows = self._follows
        if connection is None:
            connection = self._resume()
        assert self._login is not None  # noqa: S101
        login = self._login
        if follows:
            self._catch_up(connection, login.last_id)
            self._listener.come_back(login)
        try:
            self._go_live(connection, follows=follows)
        except ConnectionLostError as error:
            if follows and _may_pass(error):
                self._listener.lose(error)  # it was told that all is well
            raise

    def _resume(self) -> Connection:
        """A new connection, logged in; what comes on it is held back. Raises as `_return`."""
        assert self._connect is not None  # noqa: S101 (else nothing is ever tried)
        assert self._login is not None  # noqa: S101
        while self._all:
            self._all.pop().leave()
        self._all.append(connection := self._connect())
        if self._stopping.is_set():  # `leave` has not seen this connection
            raise ConnectionLostError("Left meanwhile.")
        with self._lock:
            self._held, self._overrun = [], 0
        connection.start(self._receive, lambda error: self._end(connection, error))
        self._log_in(resume(connection, self._login.token, may_be_renewed=self._renewing))
        return connection

    def _catch_up(self, connection: Connection, last_id: int) -> None:
        """Gives on what came meanwhile. `last_id` is the seam: what is later comes live, and waits."""
        while last_id:
            for messages in fetch_gap(connection, self._newest_public, last_id):
                self._listener.catch_up(messages)
                self._newest_public = max([self._newest_public, *(m.id for m in messages if m.to is UNSET)])
            with self._lock:
                last_id, self._overrun = self._overrun, 0

    def _go_live(self, connection: Connection, *, follows: bool) -> None:
        """Gives on what was held back, if it follows, and sends what waits, in its order; then it is online."""
        while True:
            with self._lock:
                if self._dead and self._dead[0] is connection:
                    raise self._dead[1]
                held: list[tuple[AnyEvent, AnyCommand | None]] = []
                if follows:
                    held, self._held = self._held or [], []
                waiting = [pending for pending in self._pending.values() if pending.sent_on is not connection]
                if not held and not waiting:
                    if follows:
                        self._held = None
                    self._connection = connection
                    return
                for pending in waiting:
                    pending.sent_on = connection
            for event, request in held:
                self._listener.receive(event, request)
            for pending in waiting:
                self._transmit(pending, connection)


def _may_pass(error: BaseException) -> bool:
    """Whether it is worth another try."""
    return isinstance(error, (CannotConnectError, ConnectionLostError)) and not error.is_final
