"""The screen: a terminal that may vanish, or one that takes only text."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final, Protocol

from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.plain_text import PlainTextOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import is_dumb_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.output import Output

_MONOCHROME: Final = (("vt1", "vt2", "vt52"), ("-mono", "-m"))  # what TERM begins or ends with where there is no colour


class Screen(Vt100_Output):
    """A terminal that may vanish."""

    def flush(self) -> None:
        """Writes what is buffered."""
        _flush(super().flush, self.fileno())


class DumbScreen(PlainTextOutput):
    """A terminal that only takes text, and may vanish."""

    def flush(self) -> None:
        """Writes what is buffered."""
        _flush(super().flush, self.fileno())

    def bell(self) -> None:
        """Rings: even a dumb one may."""
        self.write_raw("\a")

    def get_size(self) -> Size:
        """The size of the terminal; 80 columns if it does not say."""
        columns, rows = shutil.get_terminal_size()
        return Size(rows, columns)


def _flush(flush: Callable[[], None], file: int) -> None:
    try:
        flush()
    except OSError:  # the terminal is gone; SIGHUP is on its way and ends the chat
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file)
        os.close(nowhere)


def screen(kind: type[Screen] = Screen) -> Output:
    """The terminal, never asked where its cursor is: some do not answer. A dumb one is of another kind."""
    if is_dumb_terminal():
        return DumbScreen(sys.stdout)
    term = os.environ.get("TERM", "")
    made = kind.from_pty(sys.stdout, term=term, default_color_depth=ColorDepth.from_env() or _depth(term))
    made.enable_cpr = False
    return made


def _depth(term: str) -> ColorDepth | None:
    """None leaves it to prompt_toolkit, which takes each terminal for one with 256 colours."""
    is_monochrome = term.startswith(_MONOCHROME[0]) or term.endswith(_MONOCHROME[1])
    return ColorDepth.DEPTH_1_BIT if is_monochrome else None


class Chat(Protocol):
    """One chat, in lines or on the full screen."""

    async def run(self) -> int:
        """Chats to the end; gives the exit status."""


def chat_on(output: Output, make: Callable[[], Chat]) -> int:
    """Makes a chat in an event loop of its own and has it on that screen to its end; gives the exit status."""

    async def chat() -> int:
        return await make().run()

    try:
        with create_app_session(output=output):
            return asyncio.run(chat())
    except KeyboardInterrupt:  # Ctrl-C while no question was open, or before the screen was there
        return 0
