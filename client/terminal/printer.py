"""Lines on the screen, put there from any thread, above the line being typed, which stays whole.

Other threads only add to what waits, and wake the loop, so nothing is lost between two prompts. Nothing here decides
what a line says.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.utils import is_dumb_terminal

from client.render.layout import Size, arrange
from client.terminal.inbox import Inbox
from client.terminal.links import RAW, linked, takes_links
from client.terminal.notify import ring

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import Output
    from prompt_toolkit.styles import BaseStyle

    from client.terminal.notify import Notifier
    from client.terminal.pager import Pager
    from client.text import Line


class Printer:
    """Prints while `run` runs. It is made in the event loop; but for `show`, all is for the main thread.

    `asking` is the prompt with the line being typed, and `question` what stands before it. `pager` is told what waits
    while the screen is given away.
    """

    def __init__(self, output: Output, styles: BaseStyle, notifier: Notifier) -> None:
        self.asking: PromptSession[str] | None = None
        self.question = ""
        self.pager: Pager | None = None
        self._output = output
        self._styles = styles
        self._notifier = notifier
        self._has_links = takes_links(os.environ)
        self._is_away = False  # something else has the screen
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._inbox = Inbox(self._wake)

    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on the screen. From any thread; only the main one never waits."""
        self._inbox.put(lines)

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def size(self) -> Size:
        """The screen's."""
        size = self._output.get_size()
        return Size(size.columns, size.rows)

    async def run(self) -> None:
        """Prints what arrives, until it is cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._is_away:
                self._tell_pager()
                continue
            # The typed line is hidden meanwhile. Not by prompt_toolkit's run_in_terminal: under that the terminal would
            # echo what is typed in this very moment, and Ctrl-C would be a signal.
            if self.asking and is_dumb_terminal():
                self._print_below(self.asking)
            elif self.asking and self.asking.app.is_running:
                self.asking.app.renderer.erase()
                self.print()
                self.asking.app.invalidate()
            else:
                self.print()

    def print(self) -> None:
        """Prints what waits."""
        lines = self._inbox.take()
        columns = self.size().columns
        ring(lines, self._output, self._notifier)
        parts = [part for line in lines if not line.is_aside for part in arrange(line, columns)]
        if not parts:
            return
        if is_dumb_terminal():
            self._output.write("".join(text for _, text in parts).replace("\n", "\r\n"))
            self._output.flush()
        else:
            print_formatted_text(self._output, styled(linked(parts) if self._has_links else parts), self._styles)

    def give_away(self) -> None:
        """Prints what waits; then something else has the screen, and what arrives waits."""
        self.print()
        self._is_away = True

    def take_back(self) -> None:
        """The screen is back: prints what has arrived meanwhile."""
        self._is_away = False
        self.print()

    def close(self) -> None:
        """Prints the last lines. From here on nobody waits in `show`."""
        self.print()
        self._notifier.close()
        self._inbox.close()

    def _tell_pager(self) -> None:
        """Counts in the pager what has come, and rings for it; an editor is not disturbed."""
        lines, is_full = self._inbox.look()
        if self.pager is None:
            return
        new = f"{sum(not line.is_day and not line.is_aside for line in lines)} new"
        self.pager.tell(f"{new}: q shows them, more has to wait" if is_full else new)
        ring(lines, self._output, self._notifier)

    def _print_below(self, asking: PromptSession[str]) -> None:
        """On a dumb terminal the typed line stays where it is, and comes again below what arrives."""
        if all(line.is_aside for line in self._inbox.look()[0]):
            self.print()
            return
        self._output.write("\r\n")
        self.print()
        self._output.write(self.question + ("" if asking.is_password else asking.default_buffer.text))
        self._output.flush()


def styled(parts: Iterable[tuple[str, str]]) -> FormattedText:
    """Parts as prompt_toolkit takes them."""
    return FormattedText((f"class:{style}" if style and style != RAW else style, text) for style, text in parts)
