"""The delivery thread: all that is said to clients goes through it, in one order. Does not know what it means.

The thread runs the actions posted to it, which append events to outboxes, then sends what the outboxes hold: one join
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

from service.delivery.outbox import Limits, Outbox
from service.delivery.rooms import Rooms
from service.delivery.run import Run
from service.delivery.send_buffer import SEND_BYTES
from service.delivery.snapshot import NEVER, SnapshotPush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.delivery.run import Note
    from service.delivery.snapshot import Snapshot
    from service.net.transport import Stream
    from service.wire.codec import Codec
    from service.wire.protocol import Event

DELIVERY_QUEUE: Final = 2_000  # actions waiting for the delivery thread, some batches; beyond it the writer waits
LINGER: Final = 1.0  # seconds for a closing client to take its last lines, and to close its side
ALIVE_CHECK: Final = 1.0  # seconds; a wait for a thread that has ended must not last for ever

_log: Final = logging.getLogger("chat.delivery")


class Delivery:
    """Owns the thread `chat-delivery`, and the streams of all outboxes once their connection threads release them."""

    def __init__(
        self,
        make_snapshot: Callable[[], Snapshot],
        last_event: Event,
        *,
        queue: int = DELIVERY_QUEUE,
        run_bytes: int = SEND_BYTES,
        linger: float = LINGER,
        alive_check: float = ALIVE_CHECK,
        limits: Limits | None = None,
        push: SnapshotPush | None = None,
    ) -> None:
        """Starts the thread. Soon after each `announce`, within the pace, everyone gets what `make_snapshot` gives.

        `last_event` is for everyone if the thread breaks down.
        """
        self.dirty: list[Outbox] = []  # outboxes with something to flush
        self._delivered = 0  # messages, but for those to rooms
        self._make_snapshot = make_snapshot
        self._last_event = last_event
        self._queue = queue
        self._run_bytes = run_bytes
        self._linger = linger
        self._alive_check = alive_check
        self._limits = limits or Limits()
        self._push = push or SnapshotPush()
        self._open: set[Outbox] = set()
        self._actions: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._lingering: deque[tuple[float, Outbox]] = deque()  # (when to cut it off, monotonic; outbox), in this order
        # Those that get what is for everyone, by codec: only codecs in use. A dict for its order.
        self._members: dict[Codec, dict[Outbox, None]] = {}
        self.present_run = Run(())  # what was said to everyone in this round
        self._rooms = Rooms()
        self._asleep = False
        self._space = threading.Event()  # in the queue
        self._stop_at: float | None = None  # monotonic; None: not stopping
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._woken = socket.socketpair()
        for end in (self._wake_up, self._woken):
            end.settimeout(0)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="chat-delivery")
        self._thread.start()

    # -- from any thread ----------------------------------------------------------------------------------------------
    @property
    def queued(self) -> int:
        """How many actions wait for the thread."""
        return len(self._actions)

    @property
    def delivered(self) -> int:
        """How many messages were given to outboxes; an ack counts that stands in a message's place."""
        return self._delivered + self._rooms.delivered

    def open_outbox(self, stream: Stream, codec: Codec) -> Outbox:
        """An outbox for a new client that speaks this codec; its connection thread posts `release` at its end."""
        outbox = Outbox(self, stream, codec, self._limits)
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
        while not done.wait(self._alive_check) and self._thread.is_alive():
            pass

    def settle(self) -> None:
        """Returns when what was posted so far is done, and what was sent by then is noted."""
        self.run(lambda _: None)

    def hand_over(self, outcomes: Iterable[tuple[Callable[[Any], None], Any]]) -> None:
        """Runs what follows from a commit, in order; waits while too much is queued. For the writer thread."""
        self._actions.extend(outcomes)
        self._wake()
        while len(self._actions) > self._queue and self._thread.is_alive():
            self._space.clear()
            if len(self._actions) > self._queue:
                self._space.wait(self._alive_check)

    def announce(self) -> None:
        """The whole has changed: everyone gets the newest snapshot of it, within the pace."""
        self._push.is_due = True
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
    def join(self, outbox: Outbox, *, presence: bool = False, rooms: bool = False) -> None:
        """From now on it gets what is for everyone.

        With `presence` it gets what has changed in place of snapshots. With `rooms` it may enter rooms; such a client
        confirms.
        """
        self.end_run()
        self._members.setdefault(outbox.codec, {})[outbox] = None
        outbox.is_member = True
        outbox.wants_changes = presence
        outbox.knows_rooms = rooms
        self.present_run = Run(self._members)

    def leave(self, outbox: Outbox) -> None:
        """From now on it no longer gets what is for everyone, nor for a room."""
        if outbox.is_member:
            self.end_run()
            for room_id in tuple(outbox.rooms):
                self._rooms.leave(room_id, outbox)
            outbox.knows_rooms = False
            sharers = self._members[outbox.codec]
            del sharers[outbox]
            if not sharers:
                del self._members[outbox.codec]
            outbox.is_member = False
            self.present_run = Run(self._members)

    def enter_room(self, room_id: int, outbox: Outbox) -> None:
        """From now on it gets what is said in that room, if it knows rooms. Idempotent."""
        if outbox.knows_rooms:
            self._rooms.enter(room_id, outbox)

    def leave_room(self, room_id: int, outbox: Outbox) -> None:
        """From now on it no longer gets what is said in that room. Idempotent."""
        self._rooms.leave(room_id, outbox)

    def broadcast(self, event: Event, public_id: int, sender: Outbox | None = None, ack: Event | None = None) -> None:
        """Sends an event to everyone but its sender, who gets the ack in its place, or nothing."""
        ack_line = b"" if sender is None or ack is None else sender.codec.encode(ack)
        run = self.present_run
        run.add(event, public_id)
        if sender is not None:
            if sender.knows_rooms:
                self._rooms.replace_in_run(sender, ack_line, run.count - 1)
            elif sender.is_member:
                run.replace_last_for(sender, ack_line)
            elif ack_line:
                sender.put(ack_line)
        if run.size >= self._run_bytes:
            self.end_run()

    def broadcast_to(self, room_id: int, event: Event, sender: Outbox | None = None, ack: Event | None = None) -> None:
        """Sends an event to those in a room but its sender, who gets the ack in its place, or nothing.

        A sender that is not in the room gets the ack, too.
        """
        ack_line = b"" if sender is None or ack is None else sender.codec.encode(ack)
        run = self.present_run
        self._rooms.say(room_id, event, run)
        if sender is not None:
            if room_id in sender.rooms:
                self._rooms.replace_last_for(sender, ack_line)
            elif ack_line:
                sender.put(ack_line)
        if run.size >= self._run_bytes:
            self.end_run()

    def send(
        self, event: Event, outboxes: Iterable[Outbox], note: Note | None = None, copies: Iterable[Outbox] = ()
    ) -> None:
        """Sends an event, which shows `note`, to these outboxes; `copies` get it as well, and show nothing new."""
        lines: dict[Codec, bytes] = {}
        for receivers, shown in ((outboxes, note), (copies, None)):
            for outbox in receivers:
                codec = outbox.codec
                line = lines.get(codec)
                if line is None:
                    line = lines[codec] = codec.encode(event)
                outbox.put(line, shown)
                self._delivered += 1

    def end_run(self) -> None:
        """Puts what is for everyone, and for those in rooms, into the outboxes; the lines that follow come after it."""
        run = self.present_run
        if run.count or not self._rooms.are_silent:
            self.present_run = Run(self._members)
            gatherers = self._rooms.end(run)
            if run.count:
                self._delivered += run.count * sum(map(len, self._members.values()))
                run.end(self._members, gatherers)

    def put_among_pieces(self, outbox: Outbox, line: bytes) -> None:
        """Adds a line for one that knows rooms, after what was said to it so far."""
        self._rooms.put(outbox, line, self.present_run.count)

    def flush(self, outbox: Outbox) -> None:
        """Sends what the kernel takes now. A bug there ends this client's connection, not the others'."""
        try:
            outbox.flush()
        except Exception:  # noqa: BLE001 (logged)
            _log.exception("a client's lines were not sent")
            outbox.abandon()

    # -- from outboxes, on the delivery thread ------------------------------------------------------------------------
    def watch(self, outbox: Outbox, stream: Stream, *, blocked: bool) -> None:
        """Starts or ends waiting for the kernel to take more."""
        if blocked:
            self._selector.register(stream, selectors.EVENT_WRITE, outbox)
        else:
            self._selector.unregister(stream)

    def linger(self, outbox: Outbox) -> None:
        """Cuts a closing outbox off when its peer does not go in time."""
        self._lingering.append((time.monotonic() + self._linger, outbox))

    def forget(self, outbox: Outbox) -> None:
        """Its stream is closed."""
        self._open.discard(outbox)

    # -- the thread ---------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            for outbox in list(self._open):
                outbox.finish(self._last_event)
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
            self._push_snapshot_if_due(now)
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
        self._space.set()

    def _push_snapshot_if_due(self, now: float) -> None:
        push = self._push
        if push.is_due and push.due_at() <= now and not push.is_under_way:
            push.is_due = False
            try:
                push.begin(self._make_snapshot(), self._members, now)
            except Exception:  # noqa: BLE001 (logged; the next one may go well)
                _log.exception("the users list was not made")
        if push.is_under_way and push.due_at() <= now:
            push.push_slice()

    def _sleep(self, now: float) -> None:
        """Waits for an action, a writable client or the next thing due; only looks when there is work at hand."""
        self._asleep = True
        ending = self._stop_at is not None and not self._open
        if self._actions or self.dirty or ending:  # looked at after _asleep is set: what comes later does wake us
            self._asleep = False
        due = min(
            self._push.due_at(),
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
            self._push.charge(time.thread_time() - began)  # nearly always for the long line of a snapshot
