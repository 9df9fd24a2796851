"""Operations from stdin, one a line. What arrives goes to stdout, and what went wrong to stderr.

The next line is read once the reply to the one before it is here, so nothing is lost at the end of the input. Nothing
here asks for a password or writes one.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Final, TextIO

from client.chat.actions import Mistake
from client.chat.interpreter import Interpreter
from client.chat.operations import OPERATIONS
from client.login import log_in_unasked
from client.net.connection import ConnectionLostError
from client.scripting.streams import LEFT, LOST, MISTAKEN, NOT_LOGGED_IN, REFUSED, streams
from client.session import Session
from client.text import Line, trouble
from service.wire.protocol import AnyEvent, ErrorReply, Ex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from client.chat.actions import Operations
    from client.session import MakeLink
    from client.tokens import Tokens

PATIENCE: Final = 60.0  # seconds for a reply; a login in a crowd waits some 10 s for its turn at the server
_READ_BYTES: Final = 65_536  # one read of a full Linux pipe


def run(make_link: MakeLink, name: str, password: str, tokens: Tokens, room: str = "") -> int:
    """Does what stdin says until it ends or says EX; gives the exit status."""
    with streams() as (out, err):
        return StdinRun(make_link, sys.stdin.fileno(), out, err, room=room).run(name, password, tokens)


class StdinRun:
    """One run over a link, from a file descriptor to two streams. It waits `patience` seconds for a reply.

    With a `room` each line goes there from the start, as after TALK.
    """

    def __init__(
        self,
        make_link: MakeLink,
        source: int,
        out: TextIO,
        err: TextIO,
        *,
        patience: float = PATIENCE,
        operations: Operations = OPERATIONS,
        room: str = "",
    ) -> None:
        self._room = room
        self._patience = patience
        self._operations = operations
        self._out = out
        self._err = err
        self._lock = threading.Lock()  # held round each write: lines come from two threads
        self._is_read = True  # until the reader of the output goes away
        self._lost: ConnectionLostError | None = None
        self._lines = _LineReader(source)
        self._status = LEFT
        self._session = Session(make_link, self.show, self._end)

    def run(self, name: str, password: str, tokens: Tokens | None = None) -> int:
        """Logs in (registers a new name) and does each line; gives the exit status. No thread is left."""
        try:
            self._session.start()
            login = log_in_unasked(
                name, password, tokens, lambda command: self._reply(self._session.send(command)), self.show
            )
            if login is None:
                return NOT_LOGGED_IN
            self._session.show_summary()
            self._work()
        except ConnectionLostError:  # the session has said why
            return LOST
        finally:
            self._session.leave(confirm=self._is_read)
            self._lines.close()
        return self._status if self._is_read else LOST

    def show(self, lines: Sequence[Line]) -> None:
        """Writes lines at once, troubles to stderr. From any thread. Once nobody reads them any more, the run ends."""
        with self._lock:
            try:
                for line in lines:
                    if line.is_aside:
                        continue
                    print(line.text, file=self._err if line.is_trouble else self._out, flush=True)
            except BrokenPipeError:
                self._is_read = False
                self._lines.wake()

    def _work(self) -> None:
        interpreter = Interpreter(
            self._session.last_sender,
            self._session.hello,
            operations=self._operations,
            has_terminal=False,
            has_room=self._session.has_room,
        )
        if self._room and not self._turn_to(self._room, interpreter):
            self._status = REFUSED
            return  # what was meant for the room goes nowhere else
        while self._is_read and (line := self._lines.read()) is not None:
            action = interpreter.take(line)
            if isinstance(action, Ex):
                return  # leaving says it
            if isinstance(action, Mistake):
                self._status = max(self._status, MISTAKEN)
            reply = self._session.perform(action) if action is not None else None
            if reply is not None and isinstance(self._reply(reply), ErrorReply):
                self._status = max(self._status, REFUSED)
        if self._lost:
            raise self._lost
        if interpreter.question:
            self._status = max(self._status, MISTAKEN)
            self.show([trouble("The input ended before the operation was complete; the last one was not sent.")])

    def _turn_to(self, room: str, interpreter: Interpreter) -> bool:
        """Whether each line goes to the room from now on."""
        action = interpreter.turn_to(f"#{room}")
        if action is not None and (reply := self._session.perform(action)) is not None:
            self._reply(reply)
        return not isinstance(action, Mistake)

    def _reply(self, reply: Future[AnyEvent]) -> AnyEvent:
        """Waits for a reply. Raises ConnectionLostError, also for a server that does not answer."""
        try:
            return reply.result(self._patience)
        except TimeoutError:
            self.show([trouble(f"The server has not answered for {self._patience:g} seconds.")])
            raise ConnectionLostError("no reply") from None

    def _end(self, error: ConnectionLostError) -> None:
        self._lost = error
        self._lines.wake()


class _LineReader:
    """Lines out of a file descriptor. `wake`, from any thread, ends the waiting; no reader of Python's can do that."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._start = b""  # of lines not yet given
        self._at_end = False
        self._woken, self._waker = os.pipe()

    def read(self) -> str | None:
        """The next line without its end; None at the end of the input, and once `wake` was called."""
        while b"\n" not in self._start and not self._at_end:
            ready, _, _ = select.select([self._source, self._woken], [], [])
            if self._woken in ready:
                return None
            data = os.read(self._source, _READ_BYTES)
            self._start += data
            self._at_end = not data
        if not self._start:
            return None
        line, _, self._start = self._start.partition(b"\n")
        return line.decode("utf-8", "replace")  # a CR at its end goes away with the other white space

    def wake(self) -> None:
        """Makes this and each later wait end."""
        os.write(self._waker, b"!")

    def close(self) -> None:
        """Closes what this object opened."""
        os.close(self._woken)
        os.close(self._waker)
