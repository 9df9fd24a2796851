"""The log, written to stderr by a thread of its own.

A terminal that is stopped (Ctrl-S), or a pipe that nobody reads, then holds up the log and nothing else.
"""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.config import LOG_PATIENCE, LOG_QUEUE
from service.visible import one_line, safe

if TYPE_CHECKING:
    from typing import TextIO

FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


class _Formatter(logging.Formatter):
    """Whatever is logged, such as a file's name, is one line and steers no terminal; a traceback has several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (as `logging` has it)
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return safe(super().format(record))


class Log(logging.Handler):
    """Takes lines at once, and writes them when the stream does; drops and counts those that are too many."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(_Formatter(FORMAT))
        self._stream = stream
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        # A daemon, for a write that never ends must not keep the process.
        self._thread = threading.Thread(target=self._write_until_closed, name="chat-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one line. Called by `logging`, one thread at a time."""
        if self._lines.qsize() >= LOG_QUEUE:
            self._dropped += 1
            return
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 (whoever logs must not fail for that; logging says where it was)
            self.handleError(record)
            return
        if self._dropped:
            line = f"({self._dropped} lines of the log were dropped here, as nothing read them)\n{line}"
            self._dropped = 0
        self._lines.put(line)

    def close(self) -> None:
        """Returns when what was taken is written, or the stream has not taken it in time."""
        self._lines.put(None)
        self._thread.join(LOG_PATIENCE)
        super().close()

    def _write_until_closed(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError, ValueError):  # whoever read it is gone
                self._stream.write(f"{line}\n")
                self._stream.flush()
