"""A pipe instead of a person: one operation a line from stdin, what arrives on stdout, what went wrong on stderr.

Each command's reply is awaited before the next line is read, so nothing is lost at the end of the input. It never asks
for a password, and never writes one.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from client.chat.interpreter import Dialogue
from client.chat.operations import Mistake
from client.login import log_in_unasked
from client.net.connection import ConnectionLostError
from client.session import Session
from client.text import Line, trouble
from service.wire.protocol import AnyEvent, ErrorReply, Ex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from client.net.link import Link
    from client.tokens import Tokens

LEFT: Final = 0  # exit statuses; docs/scripting.txt lists them
LOST: Final = 1
MISTAKEN: Final = 2
REFUSED: Final = 3
NOT_LOGGED_IN: Final = 4

_PATIENCE: Final = 60.0  # seconds for a reply; a login in a crowd waits some 10 s for its turn at the server
_READ_BYTES: Final = 65_536  # one read of a full Linux pipe


def run(link: Link, name: str, password: str, tokens: Tokens) -> int:
    """Does what stdin says until it ends or says EX; gives the exit status."""
    with streams() as (out, err):
        return Plain(link, sys.stdin.fileno(), out, err).run(name, password, tokens)


@contextmanager
def streams() -> Iterator[tuple[TextIO, TextIO]]:
    """The two to write to, made fit for whatever text comes, and for a reader who goes away."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that the locale lacks must not end the chat
    try:
        yield sys.stdout, sys.stderr
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # or Python tries once more while it ends, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Plain:
    """One run over a link, between a file descriptor to read from and two streams."""

    def __init__(self, link: Link, source: int, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._lock = threading.Lock()  # round each write: lines come from two threads
        self._is_read = True  # until whoever reads the output goes away
        self._lost: ConnectionLostError | None = None
        self._lines = _Lines(source)
        self._session = Session(link, self.show, self._end)
        self._status = LEFT

    def run(self, name: str, password: str, tokens: Tokens | None = None) -> int:
        """Logs in (registers a new name) and does each line; gives the exit status. No thread is left."""
        try:
            self._session.start()
            login = log_in_unasked(
                name, password, tokens, lambda command: self._reply(self._session.send(command)), self.show
            )
            if login is None:
                return NOT_LOGGED_IN
            self._session.summarize()
            self._work()
        except ConnectionLostError:  # the session has said why
            return LOST
        finally:
            self._session.leave(confirm=self._is_read)
            self._lines.close()
        return self._status if self._is_read else LOST

    def show(self, lines: Sequence[Line]) -> None:
        """Writes lines at once, troubles to stderr. From any thread. If nobody reads them any more, the run ends."""
        with self._lock:
            try:
                for line in lines:
                    print(line.text, file=self._err if line.is_trouble else self._out, flush=True)
            except BrokenPipeError:
                self._is_read = False
                self._lines.wake()

    def _work(self) -> None:
        dialogue = Dialogue(self._session.last_sender, in_pipe=True)
        while self._is_read and (line := self._lines.read()) is not None:
            action = dialogue.take(line)
            if isinstance(action, Ex):
                return  # leaving says it
            if isinstance(action, Mistake):
                self._status = max(self._status, MISTAKEN)
            reply = self._session.perform(action) if action is not None else None
            if reply is not None and isinstance(self._reply(reply), ErrorReply):
                self._status = max(self._status, REFUSED)
        if self._lost:
            raise self._lost
        if dialogue.question:
            self._status = max(self._status, MISTAKEN)
            self.show([trouble("The input ended before the operation was complete; the last one was not sent.")])

    def _reply(self, reply: Future[AnyEvent]) -> AnyEvent:
        """Waits for a reply. Raises ConnectionLostError, also for a server that does not answer."""
        try:
            return reply.result(_PATIENCE)
        except TimeoutError:
            self.show([trouble(f"The server has not answered for {_PATIENCE:g} seconds.")])
            raise ConnectionLostError("no reply") from None

    def _end(self, error: ConnectionLostError) -> None:
        self._lost = error
        self._lines.wake()


class _Lines:
    """Lines out of a file descriptor; `wake`, from any thread, ends the waiting. No reader of Python's can."""

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
        return line.decode("utf-8", "replace")  # a CR at its end goes with the other white space

    def wake(self) -> None:
        """Makes this and each later wait end."""
        os.write(self._waker, b"!")

    def close(self) -> None:
        """Closes what this object opened."""
        os.close(self._woken)
        os.close(self._waker)
