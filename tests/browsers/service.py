"""The service with its page, as a program that a test may kill and start again. Holds no test."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Self

from tests.support.helpers import Process, enter, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.helpers import Wire


class Chat:
    """A service over the file `database`, its page at `url`, and clients at its other port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.database = folder / "chat.db"
        self._options = options
        self.port = self.web_port = free_port()
        while self.web_port == self.port:
            self.web_port = free_port()
        self._wires = ExitStack()
        self.program = self._start()

    def _start(self) -> Process:
        return Process(self.database.parent, "--web-port", str(self.web_port), *self._options, port=self.port)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.web_port}/"

    def kill(self) -> None:
        """As kill -9 does."""
        self.program.stop(signal.SIGKILL)

    def start_again(self, *options: str) -> None:
        """After its end: with the same ports and the same database, and with other options if there are any."""
        self._options = options or self._options
        self.program = self._start()

    def enter(self, name: str, **fields: Any) -> Wire:
        """Returns a client at the port for lines, logged in; it is closed at the end."""
        return self._wires.enter_context(enter(self.port, name, **fields))

    def stored(self, text: str) -> list[int]:
        """Returns the ids of the messages with this text."""
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute("SELECT id FROM history WHERE message = ?", (text,)).fetchall()
        return [row[0] for row in rows]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wires.close()
        if self.program.program.returncode is None:
            self.program.stop()
