"""A screen that the client draws as a whole, as its user sees it. Holds no test."""

from __future__ import annotations

import asyncio
import io
import threading
from functools import partial
from typing import TYPE_CHECKING

import pyte
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size

from client.full.app import FullScreen
from client.full.canvas import Settled
from client.net.connection import connect
from client.net.features import Wishes
from client.net.link import Link
from client.settings import Profile
from tests.support.fake_server import TIMEOUT, FakeServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.input import PipeInput

    from tests.support.fake_server import Peer

LEAVE = "\x03\x04"  # clears the line, and leaves
PROFILE = Profile("127.0.0.1", 1, "alice")


class Glass(Settled):
    """Columns by rows; any thread may wait until something stands on it."""

    def __init__(self, columns: int = 80, rows: int = 12) -> None:
        super().__init__(io.StringIO(), lambda: Size(rows, columns), term="xterm")
        self.columns = columns
        self.frames = 0
        self.bells = 0
        self.written = ""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._changed = threading.Condition()

    def flush(self) -> None:
        """Shows what was written."""
        with self._changed:
            text, self._buffer = "".join(self._buffer), []
            self.frames += "\x1b[?25l" in text  # a frame begins with it
            self.bells += text.count("\a")
            self.written += text
            self._stream.feed(text.replace("\u200e", ""))  # pyte drops what stands behind a mark
            self._changed.notify_all()

    def rows(self) -> list[str]:
        """All rows, without blanks at their ends."""
        return [row.rstrip() for row in self._screen.display]

    def wait_for(self, *texts: str) -> None:
        """Waits until each stands in a row."""
        self.wait_until(lambda rows: all(any(text in row for row in rows) for text in texts))

    def wait_until(self, shows: Callable[[list[str]], bool]) -> None:
        """Waits until the rows are as they should be; fails with them after a while."""
        with self._changed:
            assert self._changed.wait_for(lambda: shows(self.rows()), TIMEOUT), "\n" + "\n".join(self.rows())


class Desk:
    """A keyboard, and such a screen with the client behind it."""

    def __init__(self, keyboard: PipeInput) -> None:
        self.type = keyboard.send_text
        self.keyboard = keyboard
        self.glass = Glass()

    def chat(self, script: Callable[[Peer], object], make: Callable[..., FullScreen] = FullScreen) -> int:
        """Runs a client against `script` until it ends; gives its status. No thread is left."""
        before = set(threading.enumerate())
        wishes = Wishes(rooms=True, presence=True)

        async def run(port: int) -> int:
            return await make(partial(Link, first=connect("127.0.0.1", port), wishes=wishes), PROFILE).run()

        def play(peer: Peer) -> None:
            try:
                script(peer)
            except BaseException:
                self.type(LEAVE)  # or the client would try to come back for ever
                raise

        with FakeServer(play) as server, create_app_session(self.keyboard, self.glass):
            status = asyncio.run(run(server.port))
        assert set(threading.enumerate()) <= before
        return status

    def shows(self, *texts: str) -> None:
        """Waits until each text stands in a row."""
        self.glass.wait_for(*texts)
