"""What a script asks for by options: search, history or since, then send, then tail. Messages on stdout, else stderr.

It never asks. A message counts as seen once it is printed, and a message sent counts once the service has stored it.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO, TypeVar

import msgspec
from msgspec import UNSET

from client.chat.addressing import ROOM, target_of_room
from client.chat.receipts import Receipts
from client.chat.recent import Recent
from client.confirmer import SEEN_PACE
from client.login import log_in_unasked
from client.net.connection import CannotConnectError, ConnectionLostError
from client.net.link import OfflineError
from client.render.records import FORMAT, Message, as_event, as_json, row_of
from client.scripting.rooms import ScriptRooms
from client.scripting.streams import LEFT, LOST, NOT_LOGGED_IN, REFUSED
from client.text import one_line
from service.visible import safe
from service.wire.limits import MAX_PAGE
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BroadcastEvent,
    DirectEvent,
    Dm,
    ErrorReply,
    History,
    HistoryReply,
    LoginOkReply,
    MemberEvent,
    Pm,
    RenamedEvent,
    RoomReply,
    Search,
    SearchReply,
    StoredMessage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.session import MakeLink
    from client.text import Line
    from client.tokens import Tokens

PATIENCE: Final = 30.0  # seconds for a server that is away, and for a reply; a restart takes one, a cron job can wait
_PAGE, _END = "a page was printed", "nothing is left to print"
_REMEMBERED: Final = 10_000  # ids printed, to print none again; after a loss some hundreds are fetched again

_Kind = TypeVar("_Kind", AckReply, HistoryReply, SearchReply)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a script asks for. `to` is empty for a room; `form` is the form of a row, as `row_of` takes it.

    Without `rooms` it is about the main room and the direct messages.
    """

    send: str | None
    to: str
    search: str | None
    history: int | None
    since: int | None
    tail: bool
    as_json: bool
    form: str = FORMAT
    rooms: tuple[str, ...] = ()


class _RefusedError(Exception):
    """The server refused something, and stderr says so."""


class Script:
    """One run over a link that does not follow yet; it is the listener of that link."""

    def __init__(self, make_link: MakeLink, wanted: Wanted, out: TextIO, err: TextIO) -> None:
        self._wanted = wanted
        self._row = row_of(wanted.form)
        self._out = out
        self._err = err
        self._name = ""
        self._rooms = ScriptRooms(wanted.rooms)
        self._progress: queue.SimpleQueue[str] = queue.SimpleQueue()  # of coming back
        self._woken, self._waker = os.pipe()
        self._lock = threading.Lock()  # guards what follows, and is held round each write to stdout
        self._receipts = Receipts()
        self._printed: Recent[int] = Recent(_REMEMBERED)  # ids
        self._seam = 0
        self._read: Counter[str] = Counter()  # by room: messages by others up to the seam that `--since` has printed
        self._is_gone = False  # the reader of stdout
        self._lost: ConnectionLostError | None = None
        self._told: Exception | None = None  # the last loss that stderr tells of
        self._was_lost = False
        self._is_shut_out = False  # of all rooms that were named
        self._link = make_link(self)

    def run(self, name: str, password: str, tokens: Tokens | None = None) -> int:
        """Logs in and does what is wanted; gives the exit status. No thread is left.

        Raises CannotConnectError if the connection is lost before the login: nothing was done, another try may do it.
        """
        try:
            self._link.start()
            login = log_in_unasked(name, password, tokens, self._ask, self._complain)
            if login is None:
                return NOT_LOGGED_IN
            with self._lock:
                self._name, self._seam = login.username, login.last_id
                self._receipts.start(login)
                self._rooms.meet(login, self._link.hello)
                self._rooms.start(login, self._receipts)
            self._work(login)
        except ConnectionLostError as error:
            if not self._name:
                raise CannotConnectError(str(error)) from (error if error.is_final else None)
            self._tell(error)
            return LOST
        except OfflineError as error:
            self._say(str(error))
            return LOST
        except _RefusedError:
            return REFUSED
        except BrokenPipeError:
            return LEFT if self._wanted.tail else LOST
        finally:
            self._confirm()
            self._link.leave()
            os.close(self._woken)
            os.close(self._waker)
        return LEFT

    def wake(self) -> None:
        """Ends `--tail`. From any thread, and from a signal's handler."""
        os.write(self._waker, b"!")

    def _work(self, login: LoginOkReply) -> None:
        wanted = self._wanted
        if wanted.search is not None:
            self._print_found(wanted.search)
        elif wanted.history:
            self._print_history(wanted.history)
        if wanted.tail or wanted.since is not None:
            self._find_rooms(login)
            since = login.last_id if wanted.since is None else min(wanted.since, login.last_id)
            self._link.follow(since, self._rooms.names(), direct=not self._rooms.are_named)
            if not wanted.tail or wanted.send is not None:
                self._wait_until_back()
        if wanted.send is not None:
            self._send(wanted.send)
        if wanted.tail:
            self._wait_until_stopped()

    # -- asking and sending -------------------------------------------------------------------------------------------
    def _ask(self, command: AnyCommand) -> AnyEvent:
        """The reply to a command. Raises OfflineError, ConnectionLostError, also if none comes."""
        try:
            return self._link.send(command).result(PATIENCE)
        except TimeoutError:
            raise ConnectionLostError(f"The server has not answered for {PATIENCE:g} seconds.") from None

    def _ask_for(self, command: AnyCommand, kind: type[_Kind]) -> _Kind:
        """A reply of that kind. Raises _RefusedError."""
        reply = self._ask(command)
        if isinstance(reply, ErrorReply):
            self._say(f"The server refused it: {one_line(reply.message)}")
            raise _RefusedError
        if not isinstance(reply, kind):
            raise ConnectionLostError("The server answered with something else. This is no chat to trust.")
        return reply

    def _find_rooms(self, login: LoginOkReply) -> None:
        """Of what it does not know as a room the server says what it is. Raises _RefusedError."""
        for room in self._rooms.unknown():
            page = self._ask_for(History(room=room, limit=1), HistoryReply)
            with self._lock:
                self._rooms.forget(room)
                self._rooms.know(page.room, login)

    def _send(self, text: str) -> None:
        to = self._wanted.to
        room, created = self._rooms.first()
        pm = Pm(room=room, created=created or UNSET, message=text)
        ack = self._ask_for(Dm(to=to, message=text) if to else pm, AckReply)
        with self._lock:
            if ack.id is not UNSET:
                self._printed.add(ack.id)
            if self._wanted.as_json:
                self._write(as_json(msgspec.structs.replace(ack, ref=UNSET)))

    def _print_history(self, most: int) -> None:
        pages: list[list[StoredMessage]] = []
        with_ = self._wanted.to or UNSET
        room, _ = self._rooms.first()
        asked = History(room=room, with_=with_, limit=min(most, MAX_PAGE))
        while True:
            page = self._ask_for(asked, HistoryReply)
            pages.append(page.messages)
            most -= len(page.messages)
            with self._lock:
                if with_ is UNSET:
                    where = target_of_room(page.room)
                    self._receipts.room_page(asked, page.messages, more=page.more, conversation=where)
            if not page.more or not page.messages or most <= 0:
                break
            asked = History(room=room, with_=with_, before=page.messages[0].id, limit=min(most, MAX_PAGE))
        for messages in reversed(pages):
            self._print(messages)

    def _print_found(self, words: str) -> None:
        pages: list[list[StoredMessage]] = []
        with_ = self._wanted.to or UNSET
        room, _ = self._rooms.first()
        asked = Search(query=words, room=room, with_=with_, limit=MAX_PAGE)
        while True:
            page = self._ask_for(asked, SearchReply)
            pages.append(page.messages[::-1])  # the newest stands last, as everywhere else
            if not page.more or not page.messages:
                break
            asked = Search(query=words, room=room, with_=with_, before=page.messages[-1].id, limit=MAX_PAGE)
        for messages in reversed(pages):
            self._print(messages)

    # -- waiting ------------------------------------------------------------------------------------------------------
    def _wait_until_back(self) -> None:
        """Returns once all that came before now is printed. Raises ConnectionLostError if it stops before."""
        try:
            while self._progress.get(timeout=PATIENCE) != _END:
                pass
        except queue.Empty:
            raise ConnectionLostError(f"The server has not answered for {PATIENCE:g} seconds.") from None
        if self._lost:
            raise self._lost
        if self._is_gone:
            raise BrokenPipeError
        if self._is_shut_out:
            raise _RefusedError

    def _wait_until_stopped(self) -> None:
        """Waits for a signal, or the end of stdout's reader; meanwhile it confirms what was printed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(self._out.fileno(), 0)  # says so when its reader goes away, also while nothing comes
        while not poll.poll(SEEN_PACE * 1_000):
            self._confirm()
        if self._lost:
            raise self._lost
        if self._is_shut_out:
            raise _RefusedError

    def _stop(self, number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # once more, and it ends at once
        self.wake()

    def _confirm(self) -> None:
        with self._lock:
            receipts = self._receipts.take() if self._name and not self._is_gone else []
        try:
            for command in receipts:
                self._link.send(command)
        except (ConnectionLostError, OfflineError):
            return  # then they stay unseen, and are offered again

    # -- for the link, on its threads ---------------------------------------------------------------------------------
    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:  # noqa: ARG002  # `_ask` waits for replies
        """Prints a message."""
        if isinstance(event, RenamedEvent) and event.from_ == self._name:
            with self._lock:
                self._name = self._receipts.name = event.to
        elif isinstance(event, (MemberEvent, RoomReply)):
            self._leave(self._rooms.lost(event, self._name))
        elif isinstance(event, (BroadcastEvent, DirectEvent)) and self._rooms.have(event):
            room = event.room if isinstance(event, BroadcastEvent) else UNSET
            with self._lock:
                self._receipts.of(target_of_room(room)).live(event.id)
            try:
                self._print([event], is_news=True)
            except BrokenPipeError:
                self.wake()

    def lose(self, error: ConnectionLostError) -> None:
        """Says that the connection is lost and that the link tries again."""
        self._was_lost = True
        self._tell(error, " Trying again.")

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:  # noqa: ARG002
        """Prints what came meanwhile. Raises ConnectionLostError if nobody reads it: then it must not count as seen."""
        messages = [message for message in messages if self._rooms.have(message)]
        with self._lock:
            fresh = [message for message in messages if message.id not in self._printed and message.to is UNSET]
            old = [message for message in fresh if message.id <= self._seam and message.from_ != self._name]
            self._read.update(target_of_room(message.room) for message in old)
        try:
            self._print(messages, is_news=True)
        except BrokenPipeError:
            self._progress.put(_END)
            self.wake()
            raise ConnectionLostError("Nobody reads the output any more.") from None
        self._progress.put(_PAGE)

    def come_back(self, login: LoginOkReply) -> None:
        """Says that the connection is back."""
        with self._lock:
            for where, number in self._read.items():
                marker = self._receipts.of(where)
                marker.lower(max(0, marker.unread - number))
            self._read.clear()
            self._receipts.come_back(login)
            self._rooms.come_back(login, self._receipts)
        if self._was_lost:
            self._was_lost = False
            self._say("Connected again.")
        self._leave(self._rooms.lost_meanwhile(login))
        self._progress.put(_END)

    def end(self, error: ConnectionLostError) -> None:
        """Says that it is over."""
        self._lost = error
        if self._name:
            self._tell(error)
        self._progress.put(_END)
        self.wake()

    def _leave(self, rooms: Sequence[str]) -> None:
        """The user is in these rooms no longer; without any that is left the script ends."""
        for room in rooms:
            self._say(f"You are no longer in {one_line(ROOM + room)}.")
            with self._lock:
                self._rooms.forget(room)
        if rooms and not self._rooms.names():
            self._is_shut_out = True
            self._progress.put(_END)
            self.wake()

    # -- printing -----------------------------------------------------------------------------------------------------
    def _print(self, messages: Sequence[Message], *, is_news: bool = False) -> None:
        """Prints messages; of news, those not printed yet. Raises BrokenPipeError."""
        with self._lock:
            for message in messages:
                if not is_news or message.id not in self._printed:
                    event = as_event(message)
                    self._write(as_json(event) if self._wanted.as_json else self._row(event))
                    self._printed.add(message.id)
                    if isinstance(event, DirectEvent) and event.to == self._name:
                        self._receipts.direct(message.id)

    def _write(self, record: str) -> None:
        if self._is_gone:
            raise BrokenPipeError
        try:
            print(record, file=self._out, flush=True)
        except BrokenPipeError:
            self._is_gone = True
            raise

    def _complain(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._say(line.text)

    def _tell(self, error: Exception, more: str = "") -> None:
        with self._lock:
            if self._told is error:
                return
            self._told = error
        self._say(f"{error}{more}")

    def _say(self, text: str) -> None:
        try:
            print(safe(text), file=self._err, flush=True)
        except BrokenPipeError:
            return  # nobody listens
