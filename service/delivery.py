"""The delivery thread: all that is said to clients goes through it, in one order. Knows bytes, not what they mean.

The thread runs the actions posted to it, which append lines to outboxes, then sends what the outboxes hold: one join
and one non-blocking send for each, however many lines. What does not fit waits for a selector, and holds up nobody.

An outbox MUST NOT block its caller, MUST NOT reorder, MUST be bounded in bytes, and on overflow MUST close with a last
word. All of an outbox but `reply` and `wait_for_room` belongs to the delivery thread, so it needs no lock.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from service.config import DELIVERY_QUEUE, LINGER, OUTBOX_BYTES, OUTBOX_PAUSE_BYTES, SEND_BYTES, USERS_PACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.transport import Stream

_log: Final = logging.getLogger("chat.delivery")
_ALIVE_CHECK: Final = 1.0  # seconds; who waits for a thread that has ended must not wait for ever
_LF: Final = ord("\n")


class Outbox:
    """What waits to be sent to one client, up to the closing of its stream."""

    def __init__(self, delivery: Delivery, stream: Stream, slow_line: bytes) -> None:
        """`slow_line` is the last word to a client that does not take its lines."""
        self._delivery = delivery
        self._stream = stream
        self._slow_line = slow_line
        self.on_written: Callable[[Any], None] | None = None  # gets the note of each line that was written whole
        self.closing = False  # no more lines are taken
        self._lines: list[bytes] = []
        self._rest = memoryview(b"")  # of a send that did not fit
        self._within_line = False  # whether what was sent last ends within a line
        self._state = b""  # the newest state line; replaces an older one that was not sent
        self._waiting = 0  # bytes in _lines and _rest
        self._appended = self._sent = 0  # bytes since the start
        self._notes: deque[tuple[int, Any]] = deque()  # (position in the stream where its line ends, note)
        self._dirty = False
        self._blocked = False  # the kernel's buffer is full; the selector says when to go on
        self._done = False  # nothing more will be sent
        self._released = False  # the receiving thread is done with the stream
        self._posted = self._replied = 0  # bytes of replies given to the delivery thread, and taken by it
        self._room = threading.Event()
        self._hurrying = False

    # -- from the client's connection thread --------------------------------------------------------------------------
    def reply(self, line: bytes, note: Any = None) -> None:
        """Sends a line after all that was posted before it."""
        self._posted += len(line)
        self._delivery.post(self._append_reply, (line, note))

    def wait_for_room(self) -> None:
        """Waits while the client leaves more unread than it should: it is slowed, not cut off, for its own replies."""
        while self._must_wait():
            self._room.clear()
            if self._must_wait():
                self._room.wait()

    def stop_waiting(self) -> None:
        """Ends the wait for room, and every later one: the service is stopping. From any thread."""
        self._hurrying = True
        self._room.set()

    def _must_wait(self) -> bool:
        backlog = self._posted - self._replied + self._waiting
        return backlog > OUTBOX_PAUSE_BYTES and not self.closing and not self._hurrying

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def _append_reply(self, reply: tuple[bytes, Any]) -> None:
        line, note = reply
        self._replied += len(line)
        self.append(line, note)

    def append(self, line: bytes, note: Any = None) -> None:
        """Adds a line; `note` goes to `on_written` once the kernel has all of it."""
        if self.closing:
            return
        # One line alone may pass the bound, so that no setting of the largest message cuts everyone off.
        if self._waiting and self._waiting + len(line) > OUTBOX_BYTES and not self._make_room(len(line)):
            return
        self._add(line)
        if note is not None and self.on_written is not None:
            self._notes.append((self._appended, note))

    def replace_state(self, line: bytes) -> None:
        """Sends the newest state; an older one that still waits is dropped for it."""
        if not self.closing:
            self._state = line
            self._mark_dirty()

    def finish(self, last_line: bytes = b"") -> None:
        """Takes no more: after the last line the sending side ends; a peer that does not end its own is cut off."""
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
        self._lines.clear()
        self._rest = memoryview(b"")
        self._state = b""
        self._waiting = 0
        self._set_blocked(blocked=False)
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
        self._set_blocked(blocked=bool(self._rest))
        if self._waiting <= OUTBOX_PAUSE_BYTES:
            self._room.set()
        if self.closing and not self._rest:
            self._done = True
            self._stream.end_sending()
            self._close_if_done()

    def _send(self) -> None:
        """Sends until all is sent or the kernel takes no more; gives up if the peer is gone."""
        while self._waiting:
            data = self._rest or memoryview(self._take_lines())
            try:
                sent = self._stream.send(data)
            except OSError:
                self.give_up()
                return
            if sent:
                self._within_line = data[sent - 1] != _LF
            self._rest = data[sent:]
            self._sent += sent
            self._waiting -= sent
            if self._rest:
                break
        while self._notes and self._notes[0][0] <= self._sent:
            _, note = self._notes.popleft()
            if self.on_written is not None:
                self.on_written(note)

    def _take_lines(self) -> bytes:
        """The next lines for one send: nearly always all of them."""
        if self._waiting <= SEND_BYTES:
            lines, self._lines = self._lines, []
            return b"".join(lines)
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
        """Drops what waits, but for the rest of a line that is half sent, and closes with the last word."""
        _log.info("slow client %s: %d bytes unread", self._stream.peer, self._waiting)
        kept = bytes(self._rest).partition(b"\n")[0] + b"\n" if self._within_line else b""
        self._lines.clear()
        self._rest = memoryview(kept)
        self._appended = self._sent + len(kept)
        self._waiting = len(kept)
        while self._notes and self._notes[-1][0] > self._appended:
            self._notes.pop()
        self.finish(self._slow_line)

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._waiting += len(line)
        self._appended += len(line)
        self._mark_dirty()

    def _mark_dirty(self) -> None:
        if not self._dirty and not self._blocked:
            self._dirty = True
            self._delivery.dirty.append(self)

    def _set_blocked(self, *, blocked: bool) -> None:
        if blocked != self._blocked:
            self._blocked = blocked
            self._delivery.watch(self, self._stream, blocked=blocked)

    def _close_if_done(self) -> None:
        if self._done and self._released:
            self._stream.close()
            self._delivery.forget(self)


class Delivery:
    """Owns the thread `chat-delivery`, and the streams of all outboxes once their connection threads release them."""

    def __init__(self) -> None:
        self.dirty: list[Outbox] = []  # outboxes with something to flush
        self._open: set[Outbox] = set()
        self._actions: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._lingering: deque[tuple[float, Outbox]] = deque()  # (when to cut it off, monotonic; outbox), in this order
        self._state: Callable[[], None] | None = None
        self._state_due = False
        self._next_state_at = 0.0  # monotonic
        self._asleep = False
        self._room = threading.Event()
        self._stop_at: float | None = None  # monotonic; None: not stopping
        self._thread = threading.Thread(target=self._run, name="chat-delivery")

    # -- from any thread ----------------------------------------------------------------------------------------------
    def start(self, push_state: Callable[[], None]) -> None:
        """Starts the thread. It runs `push_state` soon after each `announce`, not more often than the pace."""
        self._state = push_state
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._woken = socket.socketpair()
        for end in (self._wake_up, self._woken):
            end.settimeout(0)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread.start()

    def open_outbox(self, stream: Stream, slow_line: bytes) -> Outbox:
        """An outbox for a new client; its connection thread posts `release` at its end."""
        outbox = Outbox(self, stream, slow_line)
        self._open.add(outbox)
        return outbox

    def post(self, function: Callable[[Any], None], argument: Any = None) -> None:
        """Runs ``function(argument)`` on the delivery thread, after all that was posted before."""
        self._actions.append((function, argument))
        self._wake()

    def run(self, function: Callable[[Any], None], argument: Any = None) -> None:
        """As `post`, but returns when it is done. Not for the delivery thread itself."""
        done = threading.Event()

        def run_and_tell(argument: Any) -> None:
            try:
                function(argument)
            finally:
                done.set()

        self.post(run_and_tell, argument)
        while not done.wait(_ALIVE_CHECK) and self._thread.is_alive():
            pass

    def settle(self) -> None:
        """Returns when what was posted so far is done, and what was sent by then is noted."""
        self.run(lambda _: None)

    def hand_over(self, outcomes: Iterable[tuple[Callable[[Any], None], Any]]) -> None:
        """Runs what follows from a commit, in order; waits while too much is queued. For the writer thread."""
        self._actions.extend(outcomes)
        self._wake()
        while len(self._actions) > DELIVERY_QUEUE and self._thread.is_alive():
            self._room.clear()
            if len(self._actions) > DELIVERY_QUEUE:
                self._room.wait(_ALIVE_CHECK)

    def announce(self) -> None:
        """The state of the whole has changed: everyone gets the newest, within the pace."""
        self._state_due = True
        self._wake()

    def stop(self, timeout: float) -> None:
        """Ends the thread once every outbox is closed, or after `timeout` seconds."""
        self._stop_at = time.monotonic() + timeout
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        if self._asleep:
            self._asleep = False
            with suppress(BlockingIOError):  # full of wake-ups already
                self._wake_up.send(b"\0")

    # -- from outboxes, on the delivery thread ------------------------------------------------------------------------
    def watch(self, outbox: Outbox, stream: Stream, *, blocked: bool) -> None:
        """Starts or ends waiting for the kernel to take more."""
        if blocked:
            self._selector.register(stream, selectors.EVENT_WRITE, outbox)
        else:
            self._selector.unregister(stream)

    def linger(self, outbox: Outbox) -> None:
        """Cuts a closing outbox off when its peer does not go in time."""
        self._lingering.append((time.monotonic() + LINGER, outbox))

    def forget(self, outbox: Outbox) -> None:
        """Its stream is closed."""
        self._open.discard(outbox)

    # -- the thread ---------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            self._run_actions()
            now = time.monotonic()
            self._push_due_state(now)
            dirty, self.dirty = self.dirty, []
            for outbox in dirty:
                outbox.flush()
            while self._lingering and self._lingering[0][0] <= now:
                self._lingering.popleft()[1].give_up()
            if self._stop_at is not None and not self._actions and (not self._open or now >= self._stop_at):
                break
            self._sleep(now)
        for outbox in list(self._open):
            outbox.give_up()
            outbox.release()
        self._selector.close()
        self._wake_up.close()
        self._woken.close()

    def _run_actions(self) -> None:
        """Runs what is queued now; what comes meanwhile waits until these lines are sent."""
        for _ in range(len(self._actions)):
            function, argument = self._actions.popleft()
            try:
                function(argument)
            except Exception:  # noqa: BLE001 (logged; one delivery's bug must not stop the others)
                _log.exception("a delivery failed: %s", function)
        self._room.set()

    def _push_due_state(self, now: float) -> None:
        if self._state is not None and self._state_due and now >= self._next_state_at:
            self._state_due = False
            self._next_state_at = now + USERS_PACE
            try:
                self._state()
            except Exception:  # noqa: BLE001 (logged; the next push may go well)
                _log.exception("the users list was not pushed")

    def _sleep(self, now: float) -> None:
        """Waits for an action, a writable client or the next thing due; only looks when there is work at hand."""
        self._asleep = True
        ending = self._stop_at is not None and not self._open
        if self._actions or self.dirty or ending:  # looked at after _asleep is set: who comes later does wake us
            self._asleep = False
        due = [at for at in (self._stop_at, self._next_state_at if self._state_due else None) if at is not None]
        if self._lingering:
            due.append(self._lingering[0][0])
        timeout = None if not due else max(0.0, min(due) - now)
        for key, _ in self._selector.select(timeout if self._asleep else 0):
            if isinstance(key.data, Outbox):
                key.data.flush()
            else:
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
        self._asleep = False
