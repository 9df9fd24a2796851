"""The delivery thread: all that is said to clients goes through it, in one order. Knows bytes, not what they mean.

The thread runs the actions posted to it, which append lines to outboxes, then sends what the outboxes hold: one join
and one non-blocking send for each, however many lines. What does not fit waits for a selector, and holds up nobody.
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

from service.config import DELIVERY_QUEUE, LINGER, SEND_BYTES
from service.delivery.outbox import Outbox, Run
from service.delivery.snapshot import NEVER, StatePush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.net.transport import Stream

_log: Final = logging.getLogger("chat.delivery")
_ALIVE_CHECK: Final = 1.0  # seconds; who waits for a thread that has ended must not wait for ever


class Delivery:
    """Owns the thread `chat-delivery`, and the streams of all outboxes once their connection threads release them."""

    def __init__(self) -> None:
        self.dirty: list[Outbox] = []  # outboxes with something to flush
        self._open: set[Outbox] = set()
        self._actions: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._lingering: deque[tuple[float, Outbox]] = deque()  # (when to cut it off, monotonic; outbox), in this order
        self._members: dict[Outbox, None] = {}  # who gets what is for everyone; a dict for its order
        self.present_run = Run()  # what was said to everyone in this round
        self._make_state: Callable[[], bytes] | None = None
        self._state = StatePush()
        self._asleep = False
        self._room = threading.Event()
        self._stop_at: float | None = None  # monotonic; None: not stopping
        self._thread = threading.Thread(target=self._run, name="chat-delivery")

    # -- from any thread ----------------------------------------------------------------------------------------------
    def start(self, make_state: Callable[[], bytes], last_line: bytes = b"") -> None:
        """Starts the thread. Soon after each `announce`, within the pace, everyone gets what `make_state` gives.

        `last_line` is for everyone if the thread breaks down.
        """
        self._make_state = make_state
        self._last_line = last_line
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
        self._state.is_due = True
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

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def join(self, outbox: Outbox) -> None:
        """From now on it gets what is for everyone."""
        self.end_run()
        self._members[outbox] = None
        outbox.is_member = True

    def leave(self, outbox: Outbox) -> None:
        """From now on it gets no more of it."""
        self.end_run()
        self._members.pop(outbox, None)
        outbox.is_member = False

    def broadcast(self, line: bytes, public_id: int, sender: Outbox, ack: bytes) -> None:
        """Sends a line to everyone but its sender, who gets the ack in its place."""
        run = self.present_run
        sender.mark(run, (len(run.shown.lines), True, ack, None))
        run.add(line, public_id)
        if run.size >= SEND_BYTES:
            self.end_run()

    def end_run(self) -> None:
        """Puts what is for everyone into the outboxes; the lines that follow come after it."""
        if self.present_run.size:
            run, self.present_run = self.present_run, Run()
            run.end(self._members)

    def flush(self, outbox: Outbox) -> None:
        """Sends what the kernel takes now. A bug there ends this client's connection, not the others'."""
        try:
            outbox.flush()
        except Exception:  # noqa: BLE001 (logged)
            _log.exception("a client's lines were not sent")
            outbox.on_written = None
            outbox.give_up()

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
        try:
            self._work()
        except BaseException:
            for outbox in list(self._open):
                outbox.finish(self._last_line)
                self.flush(outbox)
            raise
        finally:
            self._asleep = False
            for outbox in list(self._open):
                outbox.give_up()
                outbox.release()
            self._selector.close()
            self._wake_up.close()
            self._woken.close()

    def _work(self) -> None:
        """Goes on until stopped."""
        while True:
            self._run_actions()
            now = time.monotonic()
            dirty, self.dirty = self.dirty, []
            for outbox in dirty:
                self.flush(outbox)
            self._push_due_state(now)
            while self._lingering and self._lingering[0][0] <= now:
                self._lingering.popleft()[1].give_up()
            if self._stop_at is not None and not self._actions and (not self._open or now >= self._stop_at):
                break
            self._sleep(now)

    def _run_actions(self) -> None:
        """Runs what is queued now; what comes meanwhile waits until these lines are sent."""
        for _ in range(len(self._actions)):
            function, argument = self._actions.popleft()
            try:
                function(argument)
            except Exception:  # noqa: BLE001 (logged; one delivery's bug must not stop the others)
                _log.exception("a delivery failed")  # its traceback says which; its arguments may be secret
        self.end_run()
        self._room.set()

    def _push_due_state(self, now: float) -> None:
        state = self._state
        if state.is_due and state.due_at() <= now and self._make_state is not None and not state.is_under_way:
            state.is_due = False
            try:
                state.begin(self._make_state(), self._members, now)
            except Exception:  # noqa: BLE001 (logged; the next one may go well)
                _log.exception("the users list was not made")
        if state.is_under_way and state.due_at() <= now:
            state.push_slice()

    def _sleep(self, now: float) -> None:
        """Waits for an action, a writable client or the next thing due; only looks when there is work at hand."""
        self._asleep = True
        ending = self._stop_at is not None and not self._open
        if self._actions or self.dirty or ending:  # looked at after _asleep is set: who comes later does wake us
            self._asleep = False
        due = min(
            self._state.due_at(),
            NEVER if self._stop_at is None else self._stop_at,
            self._lingering[0][0] if self._lingering else NEVER,
        )
        timeout = None if due == NEVER else max(0.0, due - now)
        ready = self._selector.select(timeout if self._asleep else 0)
        self._asleep = False
        blocked = [key.data for key, _ in ready if isinstance(key.data, Outbox)]
        if len(blocked) < len(ready):
            with suppress(BlockingIOError):
                self._woken.recv(4096)
        if blocked:
            began = time.thread_time()
            for outbox in blocked:
                self.flush(outbox)
            self._state.charge(time.thread_time() - began)  # nearly always for the long line of the state
