"""What waits to be sent to one client, and the runs of lines that all of them share. Knows bytes, not their meaning.

An outbox MUST NOT block its caller, MUST NOT reorder, MUST be bounded in bytes, and on overflow MUST close with a last
word. All of it but the replies and what waits for room is the delivery thread's alone, so it needs no lock.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from service.config import OUTBOX_BYTES, OUTBOX_PAUSE_BYTES, SEND_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.delivery.loop import Delivery
    from service.net.transport import Stream

_log: Final = logging.getLogger("chat.delivery")
_LF: Final = ord("\n")

Note = tuple[int, Sequence[int]]  # what a line shows: a public id or 0, and direct ids
# A line for one client in a run: before the line at that position or, if the second is true, in its stead.
Mark = tuple[int, bool, bytes, Note | None]


class Shown(NamedTuple):
    """Lines that stand together in an outbox, and the note of each."""

    lines: list[bytes]
    notes: list[Note | None]

    def within(self, size: int) -> Note | None:
        """What those of the lines show that are whole within the first `size` bytes."""
        count = bisect_right(list(accumulate(map(len, self.lines))), size)
        notes = [note for note in self.notes[:count] if note is not None]
        return (max(note[0] for note in notes), [id_ for note in notes for id_ in note[1]]) if notes else None


class Run:
    """Lines for everyone, one after the other. They are joined once for all clients, whatever their number."""

    def __init__(self) -> None:
        self.shown = Shown([], [])
        self.size = 0  # bytes
        self.marked: list[Outbox] = []  # who gets other lines within it as well, or instead

    def add(self, line: bytes, public_id: int) -> None:
        """Adds a line."""
        self.shown.lines.append(line)
        self.shown.notes.append((public_id, ()))
        self.size += len(line)

    def end(self, members: Iterable[Outbox]) -> None:
        """Puts it into the outboxes."""
        for outbox in self.marked:
            outbox.take_marked(self)
        joined, last = b"".join(self.shown.lines), self.shown.notes[-1]
        skipped = set(self.marked)
        for outbox in members:
            if outbox not in skipped:
                outbox.take(joined, last, self.shown)


class Outbox:
    """What waits to be sent to one client, up to the closing of its stream."""

    def __init__(self, delivery: Delivery, stream: Stream, slow_line: bytes) -> None:
        """`slow_line` is the last word to a client that does not take its lines."""
        self._delivery = delivery
        self._stream = stream
        self._slow_line = slow_line
        self.on_written: Callable[[Note], None] | None = None  # gets the notes of lines that were written whole
        self.closing = False  # no more lines are taken
        self._lines: list[bytes] = []
        self._rest: bytes | memoryview = b""  # of a send that did not fit
        self._within_line = False  # whether what was sent last ends within a line
        self._state = b""  # the newest state line; replaces an older one that was not sent
        self._waiting = 0  # bytes in _lines and _rest
        self._sent = 0  # bytes since the start
        self._notes: deque[tuple[int, int, Note, Shown | None]] = deque()  # (where it ends in the stream, size, …)
        self._marks: list[Mark] = []  # in the delivery's present run
        self.is_member = False  # gets what is for everyone
        self._dirty = False
        self._blocked = False  # the kernel's buffer is full; the selector says when to go on
        self._done = False  # nothing more will be sent
        self._released = False  # the receiving thread is done with the stream
        self._posted = self._replied = 0  # bytes of replies given to the delivery thread, and taken by it
        self._room = threading.Event()
        self._is_awaited = False  # the connection thread waits for room, or is about to: only then is the event set
        self._hurrying = False

    # -- from the client's connection thread --------------------------------------------------------------------------
    def reply(self, line: bytes, note: Note | None = None) -> None:
        """Sends a line after all that was posted before it."""
        self._posted += len(line)
        self._delivery.post(self._append_reply, (line, note))

    def wait_for_room(self) -> None:
        """Waits while the client leaves more unread than it should: it is slowed, not cut off, for its own replies."""
        while self.must_wait():
            self._room.clear()
            self._is_awaited = True
            if self.must_wait():  # looked at after the flag is set: who makes room from now on does tell
                self._room.wait()
            self._is_awaited = False

    def pause(self, seconds: float) -> None:
        """Waits so long; less if the service stops or the outbox closes, and sometimes for no reason."""
        self._room.clear()
        if not self._hurrying and not self.closing:
            self._room.wait(seconds)

    def must_wait(self) -> bool:
        """Whether `wait_for_room` would wait."""
        backlog = self._posted - self._replied + self._waiting
        return backlog > OUTBOX_PAUSE_BYTES and not self.closing and not self._hurrying

    def stop_waiting(self) -> None:
        """Ends every wait, also later ones: the service is stopping. From any thread."""
        self._hurrying = True
        self._room.set()

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def _append_reply(self, reply: tuple[bytes, Note | None]) -> None:
        line, note = reply
        self._replied += len(line)
        self.append(line, note)

    def append(self, line: bytes, note: Note | None = None) -> None:
        """Adds a line; `note` goes to `on_written` once the kernel has all of it."""
        run = self._delivery.present_run
        if self.is_member and run.size:
            self.mark(run, (len(run.shown.lines), False, line, note))
        else:
            self.take(line, note)

    def mark(self, run: Run, mark: Mark) -> None:
        """Puts a line for this client alone into a run."""
        if not self._marks:
            run.marked.append(self)
        self._marks.append(mark)

    def take_marked(self, run: Run) -> None:
        """Takes a run with the lines for this client alone, and without the lines that they replace."""
        marks, self._marks = self._marks, []
        lines, notes = run.shown.lines.copy(), run.shown.notes.copy()
        for position, replaces, line, note in reversed(marks):
            if replaces:
                lines[position], notes[position] = line, note
            else:
                lines.insert(position, line)
                notes.insert(position, note)
        directs = [id_ for *_, note in marks if note is not None for id_ in note[1]]
        # Its own messages are not among these: writing does not mean that one has read what came before.
        public_id = next((note[0] for note in reversed(notes) if note is not None and note[0]), 0)
        self.take(b"".join(lines), (public_id, directs), Shown(lines, notes))

    def take(self, data: bytes, note: Note | None = None, shown: Shown | None = None) -> None:
        """Adds a line, or several whose notes make up `note`."""
        if self.closing:
            return
        # A line alone may pass the bound, so that no setting of the largest message cuts everyone off.
        if self._waiting and self._waiting + len(data) > OUTBOX_BYTES and not self._make_room(len(data)):
            return
        self._add(data)
        if note is not None and self.on_written is not None:
            self._notes.append((self._sent + self._waiting, len(data), note, shown))

    def push_state(self, line: bytes) -> None:
        """Sends the newest state, after what waits; an older one that still waits is dropped for it."""
        if not self.closing:
            self._state = line
            if not self._blocked:
                self._delivery.flush(self)

    def finish(self, last_line: bytes = b"") -> None:
        """Takes no more: after the last line the sending side ends; a peer that does not end its own is cut off."""
        self._delivery.end_run()  # may end in this outbox's overflow, and so in here
        if self.closing:
            return
        self.closing = True
        self._state = b""
        if last_line:
            self._add(last_line)
        self._mark_dirty()
        self._delivery.linger(self)
        self._room.set()

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
        self._cut_notes(self._sent)
        self._tell_written()
        self._lines.clear()
        self._rest = b""
        self._state = b""
        self._waiting = 0
        self._watch_if_blocked()
        self._room.set()
        self._stream.cut()
        self._close_if_done()

    def flush(self) -> None:
        """Sends as much as the kernel takes now; the state last, so that a slow client finds only the newest."""
        self._dirty = True  # what is added below needs no further flush
        if not self._done:
            self._send()
            if self._state and not self._rest and not self._done:
                self._add(self._state)
                self._state = b""
                self._send()
        self._dirty = False
        if self._done:
            return
        if self._blocked or self._rest:
            self._watch_if_blocked()
        if self._is_awaited and self._waiting <= OUTBOX_PAUSE_BYTES:
            self._room.set()
        if self.closing and not self._rest:
            self._done = True
            self._stream.end_sending()
            self._close_if_done()

    def _send(self) -> None:
        """Sends until all is sent or the kernel takes no more; gives up if the peer is gone."""
        while self._waiting:
            data = self._rest or self._take_lines()
            try:
                sent = self._stream.send(data)
            except OSError:
                self.give_up()
                return
            self._sent += sent
            self._waiting -= sent
            if sent < len(data):
                if sent:
                    self._within_line = data[sent - 1] != _LF
                self._rest = memoryview(data)[sent:]
                break
            self._rest = b""
            self._within_line = False
        if self._notes:
            self._tell_written()

    def _tell_written(self) -> None:
        while self._notes and self._notes[0][0] <= self._sent:
            note = self._notes.popleft()[2]
            if self.on_written is not None:
                self.on_written(note)

    def _cut_notes(self, position: int) -> None:
        """Drops the notes of what comes after that position in the stream; of several lines some may come before it."""
        while self._notes and self._notes[-1][0] > position:
            end, size, _, shown = self._notes.pop()
            if shown is not None and (note := shown.within(position - (end - size))) is not None:
                self._notes.append((position, 0, note, None))

    def _take_lines(self) -> bytes:
        """The next lines for one send: nearly always all of them."""
        if self._waiting <= SEND_BYTES:
            data = b"".join(self._lines)
            self._lines.clear()
            return data
        size = count = 0
        while count < len(self._lines) and size < SEND_BYTES:
            size += len(self._lines[count])
            count += 1
        data = b"".join(self._lines[:count])
        del self._lines[:count]
        return data

    def _make_room(self, size: int) -> bool:
        """Whether `size` more bytes may wait, after another try to send; if not, the client is too slow.

        A burst can fill an outbox before its first send: that says nothing about the client yet.
        """
        if not self._blocked:
            self.flush()
        if self._waiting and self._waiting + size > OUTBOX_BYTES and not self.closing:
            self._overflow()
        return not self.closing

    def _overflow(self) -> None:
        """Drops what waits, but for what is encrypted and the rest of a line half sent; closes with the last word."""
        _log.info("slow client %s: %d bytes unread", self._stream.peer, self._waiting)
        rest, sealed = bytes(self._rest), self._stream.sealed
        kept = rest[:sealed]
        is_within_line = kept[-1] != _LF if kept else self._within_line
        if is_within_line:
            kept += rest[sealed:].partition(b"\n")[0] + b"\n"
        self._lines.clear()
        self._rest = kept
        self._waiting = len(kept)
        self._cut_notes(self._sent + self._waiting)
        self.finish(self._slow_line)

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._waiting += len(line)
        self._mark_dirty()

    def _mark_dirty(self) -> None:
        if not self._dirty and not self._blocked:
            self._dirty = True
            self._delivery.dirty.append(self)

    def _watch_if_blocked(self) -> None:
        """Has the selector wait for the kernel while there is a rest, and only then."""
        if bool(self._rest) != self._blocked:
            self._blocked = not self._blocked
            self._delivery.watch(self, self._stream, blocked=self._blocked)

    def _close_if_done(self) -> None:
        if self._done and self._released:
            self._stream.close()
            self._delivery.forget(self)
