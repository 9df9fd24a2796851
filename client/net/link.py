"""A chat that outlives its connections: messages wait for their ack, and a lost connection is made again.

After a loss the link tries again until it is back. It resumes by token, fetches what came meanwhile, each message once
and in order, and sends again what has no ack (with the same nonce, so each is stored once). Only then it is live again.
It shows nothing and knows no screen.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import tenacity
from msgspec import UNSET

from client.net.catch_up import PATIENCE, fetch_token, resume
from client.net.connection import CannotConnectError, Connection, ConnectionLostError
from client.net.cursor import Cursor, rooms_of
from client.net.holdback import Holdback
from client.net.pending import Message, Pending, PendingMessage
from service.wire.limits import MAX_PAGE
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    Dm,
    ErrorReply,
    History,
    LoginOkReply,
    Missed,
    Password,
    Pm,
    RenamedEvent,
    Resume,
    Seen,
    Since,
    StoredMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from client.net.catch_up import Room
    from client.net.connection import Greeted
    from client.net.features import Wishes

FIRST_PAUSE: Final = 0.25  # seconds before the second try; a server that restarts is back in one second


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much a link waits."""

    first_pause: float = FIRST_PAUSE
    longest_pause: float = 10.0  # seconds between two tries; doubled up to here, each shortened at random
    pending: int = 200  # messages that may wait for their ack; somebody types ahead, nobody piles up
    held: int = 2_000  # events kept back while older messages are fetched; more live messages are fetched, too
    page: int = MAX_PAGE  # messages to fetch at once
    again: float = 2.0  # seconds until a message is sent again of which the server does not know whether it is stored


class State(Enum):
    """Where a link stands. The last two are final."""

    NEW = auto()  # not started
    ONLINE = auto()  # what is sent goes out at once
    BEHIND = auto()  # online; `follow` was called, and the link's thread has not yet begun to fetch
    AWAY = auto()  # nothing goes out; the link's thread connects, catches up and goes online
    ENDED = auto()  # the connection is lost for good
    LEFT = auto()  # the owner has called `leave`


_OPEN: Final = (State.ONLINE, State.BEHIND)


class OfflineError(Exception):
    """Nothing can be asked just now, as the connection is lost; `str()` says so."""


class Listener(Protocol):
    """What hears of everything that happens, on several threads."""

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        """An event, and the command that it answers, if it answers one.

        The link itself says `renamed` of its user, if that was done while the connection was lost.
        """

    def lose(self, error: ConnectionLostError) -> None:
        """The connection is lost; from now on the link tries again."""

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:
        """Some of what came meanwhile, in order, after all that came before; part of it may have been received.

        `deleted` are ids of messages that were deleted meanwhile; None: too many to be told. Either may be of a room
        that only the login tells of, which follows.
        """

    def come_back(self, login: LoginOkReply) -> None:
        """All that came meanwhile was given; what follows is live.

        `login.missed` counts the direct messages not seen yet that were perhaps not given.
        """

    def end(self, error: ConnectionLostError) -> None:
        """It is over; the link does not try again."""


class Link:
    """Any thread may send. The owner calls `start` and `leave`, once each."""

    def __init__(
        self,
        listener: Listener,
        first: Greeted,
        connect: Callable[[], Greeted] | None = None,
        keep: Callable[[LoginOkReply], None] | None = None,
        *,
        follows: bool = True,
        wishes: Wishes | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`connect` makes a connection after `first`, or raises CannotConnectError. None: a loss is the end.

        `keep` gets each login, on any thread. Unless the link `follows`, what comes is held back until `follow`.
        `wishes` are what each login asks for, where the server has it.
        """
        self.hello: Final = first.hello
        self._listener = listener
        self._connect = connect
        self._keep = keep
        self._wishes = wishes
        self._limits = limits or Limits()
        self._lock = threading.Lock()  # guards what follows
        self._state = State.NEW
        self._follows = follows
        self._connection: Connection | None = self._make_connection(first)  # None while another one is made
        self._pending = Pending()
        self._login: LoginOkReply | None = None
        self._cursor = Cursor()  # moved by the listener's thread, or by the link's while that holds back
        self._held: Holdback | None = None  # what came while older messages are fetched
        self._is_renewing = False  # the token may be dead, and another one is on its way
        self._reason: ConnectionLostError | None = None  # why it ended; set once the listener knows
        self._work = threading.Event()  # wakes the link's thread
        self._hurry = threading.Event()  # ends the pause before the next try
        self._thread = threading.Thread(target=self._return_until_left, name="chat-link")

    # -- from any thread ----------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begins to listen."""
        with self._lock:
            self._state = State.ONLINE
            first = self._connection
        self._thread.start()
        if first:
            first.start()

    def pending(self) -> list[Message]:
        """The messages without an ack, in the order of sending."""
        with self._lock:
            return self._pending.commands()

    def outstanding(self) -> int:
        """How many commands have no reply yet."""
        with self._lock:
            connection = self._open_connection()
        return connection.outstanding() if connection else 0

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command; its reply comes once `receive` has returned for it.

        A message gets its reply also over a later connection. Any other reply fails with ConnectionLostError if the
        connection ends first. Raises OfflineError, ConnectionLostError.
        """
        if isinstance(command, (Pm, Dm)) and command.message is not UNSET:
            return self._send_message(command)
        with self._lock:
            connection = self._open_connection()
            if connection is None:
                raise self._reason or OfflineError("Not connected. Try again later.")
        return connection.send(command)

    def follow(self, since: int, rooms: Sequence[Room] = (UNSET,), *, direct: bool = True) -> None:
        """Gives what these rooms have after the id `since`, as after a loss; then all is live.

        With `direct` also the direct messages not seen yet. Once, after the login, for a link that does not follow yet.
        """
        with self._lock:
            self._follows = True
            self._cursor.begin(since, rooms, direct=direct)
            if self._state is State.ONLINE:
                self._state = State.BEHIND
        self._work.set()

    def change_password(self, old: str, new: str) -> AnyEvent:
        """Changes the password, which ends every token, and fetches a new one. Waits for the reply, and gives it.

        Without a new token the next loss is the end. Raises OfflineError, ConnectionLostError.
        """
        self._is_renewing = True
        try:
            reply = self.send(Password(old=old, new=new)).result(PATIENCE)
            if isinstance(reply, AckReply) and self._connect and self._login:
                token = fetch_token(self._connect, self._login.username, new)
                self._log_in(msgspec.structs.replace(self._login, token=token or self._login.token))
        except TimeoutError:
            raise OfflineError("The server has not answered; the password may or may not be changed.") from None
        finally:
            self._is_renewing = False
        return reply

    def leave(self) -> None:
        """Says goodbye and closes; no thread is left. Safe before `start`, and after an end."""
        with self._lock:
            before, self._state = self._state, State.LEFT
            connection = self._connection
        self._hurry.set()
        self._work.set()
        if before is State.AWAY and connection:
            connection.cut()  # else the link's thread would wait for replies
        if before is not State.NEW:
            self._thread.join()
        if self._connection:
            self._connection.leave()

    def _open_connection(self) -> Connection | None:
        """The connection to send on, if the link is online. The caller holds the lock."""
        return self._connection if self._state in _OPEN else None

    def _send_message(self, command: Message) -> Future[AnyEvent]:
        with self._lock:
            if self._reason is not None:
                raise self._reason
            if len(self._pending) >= self._limits.pending:
                raise OfflineError("Too many of your messages wait to be sent. Try again when the connection is back.")
            connection = self._open_connection()
            message = self._pending.add(command, connection)
        if connection is not None:
            self._transmit(message, connection)
        else:
            self._hurry.set()  # the user is here, and waits
        return message.reply

    def _transmit(self, message: PendingMessage, connection: Connection) -> None:
        def finish(reply: Future[AnyEvent]) -> None:
            if reply.exception() is None and not message.rests:
                message.reply.set_result(reply.result())

        with suppress(ConnectionLostError):  # then it goes with the next connection
            connection.send(message.command, finish)

    # -- on the listener's thread of a connection ---------------------------------------------------------------------
    def _make_connection(self, greeted: Greeted) -> Connection:
        connection = Connection(greeted, self._receive, lambda error: self._end(connection, error), self._wishes)
        return connection

    def _receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        if isinstance(request, (Pm, Dm)):
            with self._lock:  # before it is shown: a message is never pending and stored at once
                was_unsure = self._pending.is_unsure(request)
                is_unsure = self._pending.keep_unsure(request, event)
                if not is_unsure:
                    self._pending.remove(request)
            if is_unsure:
                self._work.set()  # for the next try
                if was_unsure:
                    return  # that was said at the first time
        if self._held is not None and self._hold(event, request):
            return
        if isinstance(event, LoginOkReply):
            self._log_in(event)
            self._cursor.start(event)
        self._cursor.take(event)
        self._listener.receive(event, request)

    def _log_in(self, login: LoginOkReply) -> None:
        self._login = login
        if self._keep:
            self._keep(login)
        with self._lock:
            if not self._follows and self._held is None:
                self._held = Holdback(self._limits.held)

    def _hold(self, event: AnyEvent, request: AnyCommand | None) -> bool:
        """Keeps an event back until all before it was given on; the replies to `_return` concern only that."""
        if isinstance(request, (Resume, Since, History, Missed, Seen)):
            return True
        with self._lock:
            if self._held is None:
                return False
            self._held.add(event, request)
        return True

    def _end(self, connection: Connection, error: ConnectionLostError) -> None:
        with self._lock:
            if connection is not self._connection or self._state not in _OPEN:
                return  # `_return` looks at `connection.lost` itself, and `leave` expects the end
            is_final = error.is_final or self._login is None or self._connect is None
            self._state = State.ENDED if is_final else State.AWAY
        if is_final:
            self._finish(error)
        else:
            self._listener.lose(error)
            self._work.set()

    def _finish(self, error: ConnectionLostError) -> None:
        self._listener.end(error)
        with self._lock:
            self._reason = error
            messages = self._pending.take_all()
        for message in messages:
            message.reply.set_exception(error)

    # -- the thread chat-link -----------------------------------------------------------------------------------------
    def _return_until_left(self) -> None:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_random_exponential(self._limits.first_pause, max=self._limits.longest_pause),
            sleep=self._pause,
            stop=lambda _: self._state is State.LEFT,
            reraise=True,
        )
        while self._wait_for_work():
            try:
                retrying(self._return)
            except (CannotConnectError, ConnectionLostError) as error:
                if _may_pass(error):
                    return  # left meanwhile
                with self._lock:
                    if self._state is not State.LEFT:
                        self._state = State.ENDED
                self._finish(ConnectionLostError(str(error)))

    def _wait_for_work(self) -> bool:
        """Waits for a loss or `follow`; False once the owner has left. Meanwhile sends again what rests."""
        while not self._work.wait(self._limits.again if self._pending.any_rests else None):
            self._send_again()
        self._work.clear()  # before the look at the state, which `leave` changes first
        return self._state is not State.LEFT

    def _send_again(self) -> None:
        with self._lock:
            connection = self._open_connection()
            if connection is None:
                return  # they go with the next one
            resting = self._pending.take_resting()
        for message in resting:
            self._transmit(message, connection)

    def _pause(self, seconds: float) -> None:
        self._hurry.wait(seconds)
        self._hurry.clear()

    def _return(self) -> None:
        """One try to come back. Raises CannotConnectError, ConnectionLostError."""
        with self._lock:
            if self._state not in {State.BEHIND, State.AWAY}:
                return
            connection = self._open_connection()
            self._state = State.AWAY
            follows = self._follows
        if connection is None:
            connection = self._resume()
        assert self._login is not None  # noqa: S101  # nothing is tried again before a login
        login = self._login
        if follows:
            self._catch_up(connection, login)
        self._give_up_stray(login)
        try:
            self._go_live(connection, follows=follows)
        except ConnectionLostError as error:
            if follows and _may_pass(error):
                self._listener.lose(error)  # it has just heard that all is well
            raise

    def _resume(self) -> Connection:
        """A new connection, logged in; what comes on it is held back. Raises as `_return`."""
        assert self._connect is not None  # noqa: S101  # without it, a loss is the end
        assert self._login is not None  # noqa: S101
        with self._lock:
            old, self._connection = self._connection, None
        if old:
            old.leave()
        connection = self._make_connection(self._connect())
        with self._lock:
            self._connection = connection
            self._held = Holdback(self._limits.held)
            if self._state is State.LEFT:  # `leave` has not seen this connection
                raise ConnectionLostError("Left meanwhile.")
        connection.start()
        before = self._login.username
        login = resume(connection, self._login.token or "", may_be_renewed=self._is_renewing)
        self._log_in(login)
        if login.username != before:  # what is fetched now has the new name already
            self._listener.receive(RenamedEvent(before, login.username, login.time), None)
        return connection

    def _catch_up(self, connection: Connection, login: LoginOkReply) -> None:
        """Gives on what came meanwhile. `login.last_id` is the seam: what is later comes live, and waits."""
        if self._cursor.gives_all_missed(connection):
            login = msgspec.structs.replace(login, missed=0)
        last_id = login.last_id
        while last_id:
            for messages, deleted in self._cursor.fetch(connection, login, last_id, self._limits.page):
                self._listener.catch_up(messages, deleted)
            with self._lock:
                last_id = self._held.take_overrun() if self._held else 0
        self._listener.come_back(login)

    def _give_up_stray(self, login: LoginOkReply) -> None:
        """Answers messages for rooms that the user is in no more. They do not go to another one of the same name."""
        if login.rooms is UNSET:  # the server judges, or knows no rooms: then the connection refuses them
            return
        rooms = rooms_of(login) | {self.hello.main_room or "": ""}  # a script may name the main room
        with self._lock:
            messages = self._pending.take_stray(rooms)
        for message in messages:
            is_other = message.room in rooms
            why = "this is another room of that name now." if is_other else "you are no longer in this room."
            error = ErrorReply(code="unknown_room", message=f"{message.room}: {why}", command="pm")
            self._listener.receive(error, message.command)
            message.reply.set_result(error)

    def _go_live(self, connection: Connection, *, follows: bool) -> None:
        """Gives on what was held back, if it follows, and sends what waits, in its order; then it is online."""
        while True:
            with self._lock:
                if connection.lost:
                    raise connection.lost
                held = self._held.take() if follows and self._held else []
                waiting = self._pending.move_to(connection)
                if not held and not waiting:
                    if follows:
                        self._held = None
                    if self._state is State.AWAY:
                        self._state = State.ONLINE if follows is self._follows else State.BEHIND
                    return
            for event, request in held:
                self._cursor.take(event)
                self._listener.receive(event, request)
            for message in waiting:
                self._transmit(message, connection)


def _may_pass(error: BaseException) -> bool:
    """Whether it is worth another try."""
    return isinstance(error, (CannotConnectError, ConnectionLostError)) and not error.is_final
