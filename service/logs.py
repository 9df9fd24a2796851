"""The log, written to stderr by a thread of its own.

A terminal that is stopped (Ctrl-S), or a pipe that nobody reads, then holds up the log and nothing else. A line that
repeats is counted: whoever has the service refuse him 30,000 times fills no disk with that, and hides nothing by it.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.visible import one_line, safe

if TYPE_CHECKING:
    from typing import TextIO

LOG_QUEUE: Final = 10_000  # lines waiting to be written, some 2 MB; beyond it they are dropped, and counted
LOG_MERGE: Final = 10.0  # seconds in which lines that are the same but for a port are counted, not written
LOG_KINDS: Final = 1_000  # different lines remembered for that; some 500 KB
LOG_PATIENCE: Final = 1.0  # seconds, at the end, for the last of them

FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"
_TICK: Final = 1.0  # seconds between two looks at what repeats
_PORT: Final = re.compile(
    r"(?<=[0-9\]]):[0-9]{1,5}(?=[\s,]|:\s|:?$)"
)  # of a client: another one for each of its connections


class _Formatter(logging.Formatter):
    """Whatever is logged, such as a file's name, is one line and steers no terminal; a traceback has several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (as `logging` has it)
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return safe(super().format(record))


class _Kind:
    """Lines that are the same but for a port: since when, and how many came after the first."""

    __slots__ = ("began_at", "count", "name")

    def __init__(self, name: str) -> None:
        self.began_at = time.monotonic()
        self.count = 0
        self.name = name  # of the logger


class Log(logging.Handler):
    """Takes lines at once, and writes them when the stream does; drops and counts those that are too many."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(_Formatter(FORMAT))
        self._stream = stream
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        self._kinds: dict[tuple[int, str], _Kind] = {}  # in the order in which they began; under the handler's lock
        # A daemon, for a write that never ends must not keep the process.
        self._thread = threading.Thread(target=self._write_until_closed, name="chat-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one line. Called by `logging`, one thread at a time."""
        if self._lines.qsize() >= LOG_QUEUE:
            self._dropped += 1
            return
        try:
            if self._is_repeated(record):
                return
            line = self.format(record)
        except Exception:  # noqa: BLE001 (whoever logs must not fail for that; logging says where it was)
            self.handleError(record)
            return
        self._put(line)

    def _put(self, line: str) -> None:
        if self._dropped:
            line = f"({self._dropped} lines of the log were dropped here, as nothing read them)\n{line}"
            self._dropped = 0
        self._lines.put(line)

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        """Counts a line that stood in the log a moment ago, and notes any other. Tracebacks are never counted."""
        if record.exc_info:
            return False
        key = (record.levelno, _PORT.sub("", record.getMessage()))
        kind = self._kinds.get(key)
        if kind is not None:
            kind.count += 1
            return True
        self._kinds[key] = _Kind(record.name)
        if len(self._kinds) > LOG_KINDS:
            self._end_oldest_kind()
        return False

    def _end_oldest_kind(self) -> None:
        """Forgets it; the log gets how many lines there were of it after the first. Under the handler's lock."""
        level, text = key = next(iter(self._kinds))
        kind = self._kinds.pop(key)
        if kind.count:
            seconds = time.monotonic() - kind.began_at
            summary = f"\u2026 {kind.count:,} more in {seconds:.0f} s: {text}"
            self._put(self.format(logging.LogRecord(kind.name, level, "", 0, summary, None, None)))

    def _end_old_kinds(self, age: float) -> None:
        """Forgets those that began so many seconds ago, or before."""
        assert self.lock is not None  # noqa: S101 (a handler has one)
        with self.lock:
            end = time.monotonic() - age
            while self._kinds and next(iter(self._kinds.values())).began_at <= end:
                self._end_oldest_kind()

    def close(self) -> None:
        """Returns when what was taken is written, or the stream has not taken it in time."""
        self._end_old_kinds(0)
        self._lines.put(None)
        self._thread.join(LOG_PATIENCE)
        super().close()

    def _write_until_closed(self) -> None:
        looked_at = 0.0
        while (line := self._take()) is not None:
            if line:
                with suppress(OSError, ValueError):  # whoever read it is gone
                    self._stream.write(f"{line}\n")
                    self._stream.flush()
            if time.monotonic() >= looked_at + _TICK:
                looked_at = time.monotonic()
                self._end_old_kinds(LOG_MERGE)

    def _take(self) -> str | None:
        """The next line; empty after a while without one; None at the end."""
        try:
            return self._lines.get(timeout=_TICK if self._kinds else None)
        except queue.Empty:
            return ""
