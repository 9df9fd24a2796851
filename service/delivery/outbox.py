"""What waits to be sent to one client, up to the closing of its stream.

An outbox MUST NOT block its caller, MUST NOT reorder, MUST be bounded in bytes, and on overflow MUST close with a last
word. All of it but the replies and what waits for space is the delivery thread's alone, so it needs no lock.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from service.delivery.send_buffer import SEND_BYTES, SendBuffer
from service.wire.protocol import ByeReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.delivery.run import Note, Piece, Run, Shown
    from service.net.transport import Stream
    from service.wire.codec import Codec
    from service.wire.protocol import Event

    Amend = Callable[[], Event | None] | None  # gives what goes in place of a reply; None: the reply holds

OUTBOX_BYTES: Final = 4 << 20  # waiting for one slow client: 30,000 short messages, then it is told `bye slow`
OUTBOX_PAUSE_BYTES: Final = 1 << 18  # a client with this much unread is not read from until it catches up

_log: Final = logging.getLogger("chat.delivery")


class Limits(NamedTuple):
    """The limits of each outbox, in bytes."""

    outbox_bytes: int = OUTBOX_BYTES
    pause_bytes: int = OUTBOX_PAUSE_BYTES
    send_bytes: int = SEND_BYTES


class Loop(Protocol):
    """What an outbox needs of the delivery thread's loop."""

    present_run: Run
    dirty: list[Outbox]

    def post(self, function: Callable[[Any], None], argument: Any = None) -> None:
        """Runs ``function(argument)`` on the delivery thread. From any thread."""

    def put_among_pieces(self, outbox: Outbox, line: bytes) -> None:
        """Adds a line for one that knows rooms, after what was said to it so far."""

    def end_run(self) -> None:
        """Puts what is for everyone, and for those in rooms, into the outboxes."""

    def flush(self, outbox: Outbox) -> None:
        """Flushes it, and survives a bug in that."""

    def watch(self, outbox: Outbox, stream: Stream, *, blocked: bool) -> None:
        """Starts or ends waiting for the kernel to take more."""

    def linger(self, outbox: Outbox) -> None:
        """Gives it up when its peer does not go in time."""

    def forget(self, outbox: Outbox) -> None:
        """Its stream is closed."""


class Outbox:
    """The way to one client. It carries the client's codec."""

    def __init__(self, loop: Loop, stream: Stream, codec: Codec, limits: Limits) -> None:
        self.codec = codec
        self.is_member = False  # gets what is for everyone; the loop sets it
        self.wants_changes = False  # in place of snapshots; the loop sets it, too
        self.knows_rooms = False  # may be in rooms; a member only, and one that reports nothing as written
        self.rooms = set[int]()  # those that it is in, by their ids
        self.gathered: list[Piece] = []  # of one that knows rooms: what it gets in this run in its own way
        self.closing = False  # takes no more lines; no property, as it is asked for with each line that comes or goes
        self._loop = loop
        self._stream = stream
        self._outbox_bytes, self._pause_bytes, send_bytes = limits
        self._buffer = SendBuffer(send_bytes)
        self._snapshot = b""  # the newest; replaces an older one that was not sent
        self._on_written: Callable[[Note], None] | None = None
        self._at_close: Callable[[], None] | None = None
        self._done = False  # sends nothing more; it is closing, too
        self._released = False  # the receiving thread is done with the stream
        self._dirty = False  # the loop will flush it
        self._blocked = False  # the kernel's buffer is full; the selector says when to go on
        self._posted = self._replied = 0  # bytes of replies given to the delivery thread, and taken by it
        self._space = threading.Event()
        self._is_awaited = False  # the connection thread waits for space, or is about to: only then is the event set
        self._hurrying = False

    # -- from any thread ----------------------------------------------------------------------------------------------
    @property
    def waiting(self) -> int:
        """How many bytes wait here; those of replies that are still on their way do not count."""
        return self._buffer.waiting

    def stop_waiting(self) -> None:
        """Ends every wait of the connection thread, also later ones: the service is stopping."""
        self._hurrying = True
        self._space.set()

    # -- from the client's connection thread --------------------------------------------------------------------------
    def reply(self, event: Event, note: Note | None = None, amend: Amend = None) -> None:
        """Sends an event after all that was posted before it, or what `amend` then gives in its place."""
        line = self.codec.encode(event)
        self._posted += len(line)
        self._loop.post(self._take_reply, (line, note, amend))

    def wait_for_space(self) -> None:
        """Waits while the client leaves more unread than it should: it is slowed, not cut off, for its own replies."""
        while self.must_wait():
            self._space.clear()
            self._is_awaited = True
            if self.must_wait():  # looked at after the flag is set: what makes space from now on does tell
                self._space.wait()
            self._is_awaited = False

    def pause(self, seconds: float) -> None:
        """Waits so long; less if the service stops or the outbox closes, and sometimes for no reason."""
        self._space.clear()
        if not self._hurrying and not self.closing:
            self._space.wait(seconds)

    def must_wait(self) -> bool:
        """Whether `wait_for_space` would wait."""
        backlog = self._posted - self._replied + self._buffer.waiting
        return backlog > self._pause_bytes and not self.closing and not self._hurrying

    # -- lines, on the delivery thread --------------------------------------------------------------------------------
    def report_written(self, receiver: Callable[[Note], None], at_close: Callable[[], None] | None = None) -> None:
        """From now on the receiver gets the note of each line once the kernel has all of it.

        `at_close` is called once, when no more notes will come.
        """
        self._on_written = receiver
        self._at_close = at_close

    def append(self, event: Event, note: Note | None = None) -> None:
        """Adds an event, which shows `note`."""
        self.put(self.codec.encode(event), note)

    def _take_reply(self, reply: tuple[bytes, Note | None, Amend]) -> None:
        line, note, amend = reply
        self._replied += len(line)
        event = None if amend is None else amend()
        self.put(line if event is None else self.codec.encode(event), note)

    def put(self, line: bytes, note: Note | None = None) -> None:
        """Adds what this outbox's codec made of an event, after what was said to it or to everyone so far."""
        run = self._loop.present_run
        if self.knows_rooms:
            self._loop.put_among_pieces(self, line)
        elif self.is_member and run.count:
            run.add_for(self, line, note)
        else:
            self.take(line, note)

    def take(self, data: bytes, note: Note | None = None, shown: Shown | None = None) -> None:
        """Adds a line, or several that `shown` tells apart; the loop's present run comes after it."""
        if self.closing:
            return
        buffer = self._buffer
        # A line alone may pass the bound, so that no setting of the largest message cuts everyone off.
        if buffer.waiting and buffer.waiting + len(data) > self._outbox_bytes and not self._make_space(len(data)):
            return
        buffer.add(data, None if self._on_written is None else note, shown)
        if not self._dirty:
            self._mark_dirty()

    def take_shared(self, lines: list[bytes]) -> None:
        """Adds lines that it shares with others, and that no notes are made of. The list is the caller's."""
        buffer, size = self._buffer, sum(map(len, lines))
        if self.closing:
            return
        if buffer.waiting and buffer.waiting + size > self._outbox_bytes and not self._make_space(size):
            return
        buffer.add_shared(lines, size)
        if not self._dirty:
            self._mark_dirty()

    @property
    def takes_changes(self) -> bool:
        """Whether it gets what has changed in place of a snapshot: not while it is behind, as then changes wait."""
        return self.wants_changes and not self._blocked

    def push_changes(self, line: bytes) -> None:
        """Sends what has changed since the last snapshot, or since the last changes."""
        if not self.closing:
            self._buffer.add(line)
            self._loop.flush(self)

    def push_snapshot(self, line: bytes) -> None:
        """Sends the newest snapshot, after what waits; an older one that still waits is dropped for it."""
        if not self.closing:
            self._snapshot = line
            if not self._blocked:
                self._loop.flush(self)

    # -- closing, on the delivery thread ------------------------------------------------------------------------------
    def finish(self, *last_events: Event) -> None:
        """Takes no more: after the last events the sending side ends; a peer that does not end its own is cut off."""
        self._loop.end_run()  # may end in this outbox's overflow, and so in here
        if self.closing:
            return
        self.closing = True
        self._snapshot = b""
        self._mark_dirty()
        self._loop.linger(self)
        self._space.set()
        for event in last_events:  # at the end, so that a bug in the codec keeps nothing open
            self._buffer.add(self.codec.encode(event))

    def release(self) -> None:
        """The receiving thread is done with the stream: it is closed once all is sent, or given up."""
        self._released = True
        self.finish()
        self._close_if_done()

    def give_up(self) -> None:
        """Drops what is left and cuts the connection."""
        if self._done:
            self._stream.cut()
            return
        self.closing = self._done = True
        self._snapshot = b""
        self._buffer.drop()
        if self._on_written is not None:
            self._buffer.tell_written(self._on_written)
        self._watch_if_blocked()
        self._space.set()
        self._stream.cut()
        self._close_if_done()

    def abandon(self) -> None:
        """Gives up after a bug. What was written is not noted: that may be where the bug is."""
        self._on_written = None
        self.give_up()

    # -- sending, on the delivery thread ------------------------------------------------------------------------------
    def flush(self) -> None:
        """Sends as much as the kernel takes now; the snapshot last, so that a slow client finds only the newest."""
        buffer = self._buffer
        try:
            buffer.send(self._stream.send)
            if self._snapshot and not buffer.rest:
                buffer.add(self._snapshot)
                self._snapshot = b""
                buffer.send(self._stream.send)
        except OSError:  # the peer is gone
            self.give_up()
            return
        finally:
            self._dirty = False
        if buffer.notes and self._on_written is not None:
            buffer.tell_written(self._on_written)
        is_ending = self.closing and not self._done and not buffer.rest
        if is_ending:
            self._done = self._stream.end_sending()
        if self._blocked or buffer.rest or is_ending:
            self._watch_if_blocked()
        if self._is_awaited and buffer.waiting <= self._pause_bytes:
            self._space.set()
        if is_ending:
            self._close_if_done()

    def _make_space(self, size: int) -> bool:
        """Whether `size` more bytes may wait, after another try to send; if not, the client is too slow.

        A burst can fill an outbox before its first send: that says nothing about the client yet.
        """
        if not self._blocked:
            self.flush()
        waiting = self._buffer.waiting
        if waiting and waiting + size > self._outbox_bytes and not self.closing:
            self._overflow()
        return not self.closing

    def _overflow(self) -> None:
        """Drops what waits, as far as that is possible, and closes with the last word."""
        _log.info("slow client %s: %d bytes unread", self._stream.peer, self._buffer.waiting)
        self._buffer.cut(self._stream.sealed)
        self.finish(ByeReply(reason="slow"))

    def _mark_dirty(self) -> None:
        if not self._dirty and not self._blocked:
            self._dirty = True
            self._loop.dirty.append(self)

    def _watch_if_blocked(self) -> None:
        """Has the selector wait for the kernel while there is a rest, or no space to end, and only then."""
        if (bool(self._buffer.rest) or (self.closing and not self._done)) != self._blocked:
            self._blocked = not self._blocked
            self._loop.watch(self, self._stream, blocked=self._blocked)

    def _close_if_done(self) -> None:
        if self._done and self._released:
            self._stream.close()
            self._loop.forget(self)
            at_close, self._at_close = self._at_close, None
            if at_close is not None:
                at_close()
