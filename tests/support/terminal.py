"""A client on a real terminal, and the screen that its user sees. Holds no test."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pexpect
import pyte
import pytest

from tests.support.helpers import PASSWORD, PATIENCE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.server import Server
    from tests.support.helpers import Process

WIDTH, HEIGHT = 80, 24
ALTERNATE = 1049  # xterm's private mode
ENVIRONMENT = os.environ | {"TERM": "xterm", "TZ": "UTC"}


class Screen(pyte.Screen):
    """One that has the alternate screen, too, which pyte does not know."""

    _kept: tuple[Any, Any] | None = None

    def set_mode(self, *modes: int, **keywords: Any) -> None:
        if ALTERNATE in modes:
            self._kept = deepcopy((self.buffer, self.cursor))
            self.erase_in_display(2)
        super().set_mode(*modes, **keywords)

    def reset_mode(self, *modes: int, **keywords: Any) -> None:
        if ALTERNATE in modes and self._kept:
            (self.buffer, self.cursor), self._kept = self._kept, None
            self.dirty.update(range(self.lines))
        super().reset_mode(*modes, **keywords)


class Terminal:
    """A client on a terminal of 80 by 24, and the screen that its user sees."""

    def __init__(self, port: int, *name: str, under: tuple[str, ...] = (), server: str = "127.0.0.1") -> None:
        """Starts it, by the program `under` if there is one. An empty `server` is left to the profile."""
        self._screen = Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self._screen)
        place = [server, str(port)] if server else []
        command = [*under, sys.executable, "-m", "client", *place, *name]
        self.program = pexpect.spawn(
            command[0],
            command[1:],
            cwd=str(ROOT),
            env=ENVIRONMENT,
            dimensions=(HEIGHT, WIDTH),
            encoding="utf-8",
            timeout=PATIENCE,
        )

    def type(self, text: str) -> None:
        """Types without Enter."""
        self.program.send(text)

    def enter(self, text: str) -> None:
        """Types a line."""
        self.program.send(f"{text}\r")

    def lines(self) -> list[str]:
        """The screen's lines that are not empty."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def wait_for(self, *texts: str) -> None:
        """Reads until each text stands on the screen; fails with the screen after a while."""
        self.wait_until(lambda lines: all(any(text in line for line in lines) for text in texts), *texts)

    def wait_until(self, shows: Callable[[list[str]], bool], *texts: str) -> None:
        """Reads until the screen is as it should be."""
        while not shows(self.lines()):
            try:
                self._stream.feed(self.program.read_nonblocking(4096, timeout=PATIENCE))
            except (pexpect.TIMEOUT, pexpect.EOF):
                if shows(self.lines()):  # such as a terminal restored after the last word
                    return
                shown = "\n".join(self.lines())
                pytest.fail(f"{texts} did not appear on:\n{shown}")

    def wait_for_end(self) -> int:
        """Reads to the end; gives the exit status."""
        while True:
            try:
                self._stream.feed(self.program.read_nonblocking(4096, timeout=PATIENCE))
            except pexpect.EOF:
                break
        self.program.close()
        assert self.program.exitstatus is not None
        return self.program.exitstatus

    def register(self, name: str) -> None:
        """Goes from the first question to the prompt as a new user."""
        self.wait_for("Your name:")
        self.enter(name)
        self.wait_for(f'"{name}" is a new name.', "New password:")
        self.enter(PASSWORD)
        self.wait_for("The same again:")
        self.enter(PASSWORD)
        self.wait_for(f"You are {name}.", "PM/DM/EX>")


@contextmanager
def terminal(
    service: Process | Server, *name: str, under: tuple[str, ...] = (), server: str = "127.0.0.1"
) -> Iterator[Terminal]:
    """A client, ended at the end."""
    opened = Terminal(service.port, *name, under=under, server=server)
    try:
        yield opened
    finally:
        opened.program.close(force=True)
