"""The log, written to stderr by a thread of its own.

A stopped terminal (Ctrl-S), or a pipe without a reader, then holds up only the log. Repeated lines are counted instead
of written: a client that is refused 30,000 times can neither fill the disk nor hide other lines.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from service.clock import format_time
from service.visible import one_line, safe

if TYPE_CHECKING:
    from typing import TextIO

LOG_QUEUE: Final = 10_000  # lines waiting to be written, some 2 MB; further lines are dropped and counted
LOG_MERGE: Final = 10.0  # seconds in which repeated lines are counted instead of written
LOG_KINDS: Final = 1_000  # different lines remembered to find repeated ones; some 500 KB
LOG_TICK: Final = 1.0  # seconds between two checks for summaries that are due
LOG_PATIENCE: Final = 1.0  # seconds to write the last lines at the end

FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"
_PORT: Final = re.compile(
    r"(?<=[0-9\]]):[0-9]{1,5}(?=[\s,]|:\s|:?$)"
)  # a client's port, which differs for each of its connections


class _Formatter(logging.Formatter):
    """Makes each record one line that cannot steer a terminal; only a traceback has several lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name in `logging`)
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return safe(super().format(record))


class _JsonFormatter(logging.Formatter):
    """Makes each record a JSON object in one line, of ASCII, so that no locale and no terminal changes it."""

    def format(self, record: logging.LogRecord) -> str:
        shown = {
            "time": format_time(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": one_line(record.getMessage()),
        }
        if record.exc_info:
            shown["exception"] = safe(self.formatException(record.exc_info))
        return json.dumps(shown)


class _Kind:
    """Lines that differ only in a port: the time of the first, and how many followed it."""

    __slots__ = ("began_at", "count", "name")

    def __init__(self, name: str) -> None:
        self.began_at = time.monotonic()
        self.count = 0
        self.name = name  # the logger's name


class Log(logging.Handler):
    """Takes lines at once, and writes them when the stream accepts them; drops and counts the surplus."""

    def __init__(
        self,
        stream: TextIO,
        *,
        as_json: bool = False,
        queue_lines: int = LOG_QUEUE,
        merge: float = LOG_MERGE,
        kinds: int = LOG_KINDS,
        tick: float = LOG_TICK,
    ) -> None:
        """Starts the thread. `as_json`: each line is a JSON object.

        The limits stand in for the constants of these names; `merge` and `tick` are seconds.
        """
        super().__init__()
        self.setFormatter(_JsonFormatter() if as_json else _Formatter(FORMAT))
        self._stream = stream
        self._queue_lines, self._most_kinds = queue_lines, kinds
        self._merge, self._tick = merge, tick
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        self._kinds: dict[tuple[int, str], _Kind] = {}  # oldest first; guarded by the handler's lock
        # The thread is a daemon, because a write that never returns must not keep the process.
        self._thread = threading.Thread(target=self._write_until_closed, name="chat-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one line. `logging` calls it on one thread at a time."""
        if self._lines.qsize() >= self._queue_lines:
            self._dropped += 1
            return
        try:
            if self._is_repeated(record):
                return
            line = self.format(record)
        except Exception:  # noqa: BLE001 (logging must not fail its caller; handleError reports it)
            self.handleError(record)
            return
        self._put(line)

    def _put(self, line: str) -> None:
        if self._dropped:
            text = f"{self._dropped} lines of the log were dropped here, as nothing read them"
            self._dropped = 0
            self._lines.put(self._format("chat.log", logging.WARNING, text))
        self._lines.put(line)

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        """Counts a line that was logged a moment ago, and remembers any other. Tracebacks are never counted."""
        if record.exc_info:
            return False
        key = (record.levelno, _PORT.sub("", record.getMessage()))
        kind = self._kinds.get(key)
        if kind is not None:
            kind.count += 1
            return True
        self._kinds[key] = _Kind(record.name)
        if len(self._kinds) > self._most_kinds:
            self._end_oldest_kind()
        return False

    def _end_oldest_kind(self) -> None:
        """Forgets the oldest kind and logs its count, if any. Under the handler's lock."""
        level, text = key = next(iter(self._kinds))
        kind = self._kinds.pop(key)
        if kind.count:
            seconds = time.monotonic() - kind.began_at
            summary = f"\u2026 {kind.count:,} more in {seconds:.0f} s: {text}"
            self._put(self._format(kind.name, level, summary))

    def _format(self, name: str, level: int, text: str) -> str:
        return self.format(logging.LogRecord(name, level, "", 0, text, None, None))

    def _end_old_kinds(self, age: float) -> None:
        """Forgets all kinds that began at least `age` seconds ago."""
        assert self.lock is not None  # noqa: S101 (a handler has one)
        with self.lock:
            end = time.monotonic() - age
            while self._kinds and next(iter(self._kinds.values())).began_at <= end:
                self._end_oldest_kind()

    def close(self) -> None:
        """Returns when all lines are written, or after LOG_PATIENCE."""
        self._end_old_kinds(0)
        self._lines.put(None)
        self._thread.join(LOG_PATIENCE)
        super().close()

    def _write_until_closed(self) -> None:
        looked_at = 0.0
        while (line := self._take()) is not None:
            if line:
                with suppress(OSError, ValueError):  # the stream's reader is gone
                    self._stream.write(f"{line}\n")
                    self._stream.flush()
            if time.monotonic() >= looked_at + self._tick:
                looked_at = time.monotonic()
                self._end_old_kinds(self._merge)

    def _take(self) -> str | None:
        """Returns the next line; empty after a second without one; None at the end."""
        try:
            return self._lines.get(timeout=self._tick if self._kinds else None)
        except queue.Empty:
            return ""
