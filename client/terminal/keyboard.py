"""The line being typed and its keys: completion, Ctrl-C, pasting, turning elsewhere. Decides no text, sends none."""

from __future__ import annotations

import os
import termios
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Always, Condition, has_focus, is_done
from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, VerticalAlign, Window
from prompt_toolkit.shortcuts import CompleteStyle

from client.render.status_bar import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prompt_toolkit.document import Document
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output
    from prompt_toolkit.styles import BaseStyle

    from client.chat.interpreter import Interpreter
    from client.deeds import Tabs
    from client.session import Session


class PagedUpError(Exception):
    """Page Up: this ends the question where it was pressed; `typed` is the line so far."""

    def __init__(self, typed: str) -> None:
        super().__init__("paged up")
        self.typed = typed


class SwitchedError(Exception):
    """A key turned to another conversation: this ends the question where it was pressed; `typed` is the line so far."""

    def __init__(self, target: str, typed: str) -> None:
        super().__init__("switched")
        self.target = target
        self.typed = typed


class Words(Completer):
    """Completion by Tab: operations, and names where a name is due."""

    def __init__(self, interpreter: Interpreter, session: Session) -> None:
        self._interpreter = interpreter
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """The words that may follow, for prompt_toolkit."""
        typed = document.text_before_cursor
        last = "" if typed[-1:].isspace() else "".join(typed.split()[-1:])
        for word in self._interpreter.completions(typed, self._session.names(), self._session.rooms()):
            yield Completion(word, start_position=-len(last))


def switching_keys(tabs: Tabs, on_switch: Callable[[KeyPressEvent, str], None]) -> KeyBindings:
    """The keys that turn to another conversation: Alt-1 to Alt-9, Alt-Left and Alt-Right, Ctrl-P and Ctrl-N, Alt-A.

    While there is nothing to turn to they are readline's, but for Alt and a number: that would have the next key count
    as so many, and a line begin with a hundred slashes.
    """
    keys = KeyBindings()
    is_on = Condition(lambda: tabs.is_on)

    def _count(event: KeyPressEvent) -> None:
        """Nothing."""

    for counted in "-0123456789":
        keys.add("escape", counted)(_count)

    def bind(find: Callable[[], str | None], *names: str) -> None:
        @keys.add(*names, filter=is_on)
        def _switch(event: KeyPressEvent) -> None:
            if (target := find()) is not None:
                on_switch(event, target)

    for number in range(1, KEYS + 1):
        bind(partial(tabs.number, number), "escape", str(number))
    for step, alt, control in ((-1, "left", "c-p"), (1, "right", "c-n")):
        bind(partial(tabs.neighbour, step), "escape", alt)
        bind(partial(tabs.neighbour, step), control)
    bind(tabs.unread, "escape", "a")
    return keys


def key_bindings(
    on_interrupt: Callable[[KeyPressEvent], None],
    on_page_up: Callable[[KeyPressEvent], None],
    on_paste: Callable[[KeyPressEvent], None],
    on_new_line: Callable[[KeyPressEvent], None],
) -> KeyBindings:
    """The keys that call these: Ctrl-C, Page Up, pasting, and Alt-Enter."""
    keys = KeyBindings()

    @keys.add("c-c", filter=has_focus(DEFAULT_BUFFER), eager=True)  # on a dumb terminal another one comes after ours
    @keys.add("<sigint>", eager=True)
    def _interrupt(event: KeyPressEvent) -> None:
        on_interrupt(event)

    @keys.add("pageup")
    def _page_up(event: KeyPressEvent) -> None:
        on_page_up(event)

    @keys.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        on_new_line(event)

    @keys.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        on_paste(event)

    return keys


def prompt_session(
    completer: Completer,
    keys: KeyBindingsBase,
    styles: BaseStyle,
    history: History,
    status_bar: Callable[[], AnyFormattedText] | None = None,
    target: Output | None = None,
) -> PromptSession[str]:
    """A prompt at the terminal of the app session, or shown on `target`, with `status_bar` below it."""
    session: PromptSession[str] = PromptSession(
        style=styles,
        output=target,
        completer=completer,
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        history=history,
        key_bindings=keys,
        enable_suspend=True,  # Ctrl-Z
        erase_when_done=True,  # what was typed comes back as a message, with its time and whom it reached
    )
    if status_bar is not None:
        # Not `bottom_toolbar`: that one waits for the terminal to say where the cursor is, after each line printed.
        below = Window(FormattedTextControl(status_bar), height=1, style="class:status-bar")
        # A line that becomes shorter leaves its rows below the bar, not between.
        session.layout.current_window.dont_extend_height = Always()
        session.layout.container = HSplit(
            [session.layout.container, ConditionalContainer(below, ~is_done)], align=VerticalAlign.TOP
        )
    return session


@contextmanager
def unechoed(source: Input) -> Iterator[None]:
    """Keeps what is typed between two questions off the screen, and for the next one. Ctrl-C is a signal still."""
    file = source.fileno()
    if not os.isatty(file):
        yield
        return
    before, mode = termios.tcgetattr(file), termios.tcgetattr(file)
    mode[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(file, termios.TCSANOW, mode)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal has vanished
            termios.tcsetattr(file, termios.TCSANOW, before)
