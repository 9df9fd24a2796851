"""The bell, and a desktop notification, if the user asked for one: by the terminal (OSC 9 or 777), or by a command.

A command gets the text as one more argument; no shell sees it. Nothing waits for it: while one runs no other starts.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from client.render.layout import cut
from client.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit.output import Output

    from client.text import Line

_LONGEST: Final = 160  # columns; what a desktop shows of it
_BY_TERMINAL: Final = {"osc": "\x1b]9;{}\x1b\\", "osc777": "\x1b]777;notify;Chat;{}\x1b\\"}


class Notifier:
    """Tells the desktop. `how` is `osc`, `osc777`, a command with arguments, or empty: then nothing is told."""

    def __init__(self, how: str, write: Callable[[str], None], stuck: float = 10.0) -> None:
        """`write` sends a sequence to the terminal as it is. Raises ValueError if `how` is no command line.

        A command that still runs after `stuck` seconds is killed for the next one.
        """
        self._sequence = _BY_TERMINAL.get(how, "")
        self._command = [] if self._sequence else shlex.split(how)
        self._write = write
        self._stuck = stuck
        self._running: subprocess.Popen[bytes] | None = None
        self._since = 0.0

    def notify(self, text: str) -> None:
        """Tells `text`, which may be hostile; never waits."""
        text = cut(f"Chat: {one_line(text)}", _LONGEST)  # with this beginning no command can take it for an option
        if self._sequence:
            self._write(_through_tmux(self._sequence.format(text)))
        elif self._command and self._is_free():
            self._since = time.monotonic()
            with suppress(OSError):  # the command was there when the client started
                self._running = subprocess.Popen(  # noqa: S603  # the user's own command
                    [*self._command, text],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def close(self) -> None:
        """Ends a command that still runs."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def _is_free(self) -> bool:
        is_running = self._running is not None and self._running.poll() is None
        if is_running and time.monotonic() - self._since < self._stuck:
            return False
        self.close()
        return True


def ring(lines: Sequence[Line], output: Output, notifier: Notifier) -> None:
    """Rings the bell, and tells the desktop, if some of these lines call the user; each does so once."""
    called = [line for line in lines if line.calls]
    if called:
        output.bell()
        notifier.notify(called[-1].text)
    for line in called:
        line.calls = False


def _through_tmux(sequence: str) -> str:
    """The sequence as tmux (with `allow-passthrough on`) hands it to the terminal that it runs in."""
    if "TMUX" not in os.environ:
        return sequence
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
