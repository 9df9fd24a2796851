"""The whole screen and the keyboard: a picture above, the line being typed below, which never moves by what arrives.

Decides no text. What arrives is drawn ten times a second at most, what is typed at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prompt_toolkit import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.layout import (
    BufferControl,
    CompletionsMenu,
    Dimension,
    Float,
    FloatContainer,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.processors import ConditionalProcessor, PasswordProcessor

from client.full.canvas import Canvas
from client.render.layout import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit.completion import Completer
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindingsBase
    from prompt_toolkit.layout.mouse_handlers import MouseHandler
    from prompt_toolkit.output import Output
    from prompt_toolkit.styles import BaseStyle

    from client.full.canvas import Row

PACE: Final = 0.1  # seconds between two frames of what arrives; nobody reads faster, and a slow line carries no more
_TALLEST: Final = 6  # rows of the line being typed
_MENU: Final = 8  # rows of the words to complete with


class Face:
    """One screen. It is made in the event loop, and for the main thread. The owner awaits `run`, once."""

    def __init__(
        self,
        draw: Callable[[Size], Sequence[Row]],
        keys: KeyBindingsBase,
        completer: Completer,
        styles: BaseStyle,
        source: Input,
        output: Output,
        *,
        mouse: MouseHandler | None = None,
    ) -> None:
        """`draw` gives the rows above the line being typed. Without `mouse` the terminal keeps its own."""
        self.frames = 0
        self._output = output
        self._completer = completer
        self._loop = asyncio.get_running_loop()
        self._frame: asyncio.TimerHandle | None = None  # the next one for what arrives
        self._last_frame = 0.0  # seconds of the loop
        self._question = ""
        self._is_secret = False
        self._asked: asyncio.Future[str] | None = None
        self._entered: list[str] = []  # lines that no question has taken yet
        self._failure: Exception | None = None
        self._buffers: dict[History, Buffer] = {}
        self._line = BufferControl(
            self._buffer_of(DummyHistory()),
            input_processors=[ConditionalProcessor(PasswordProcessor(), Condition(lambda: self._is_secret))],
        )
        line = Window(
            self._line,
            height=lambda: Dimension(min=1, max=max(1, min(_TALLEST, self.size().rows // 3))),
            dont_extend_height=True,
            wrap_lines=True,
            get_line_prefix=self._prefix,
        )
        menu = Float(CompletionsMenu(max_height=_MENU, scroll_offset=1), xcursor=True, ycursor=True)
        picture = Canvas(lambda columns, rows: draw(Size(columns, rows)), mouse)
        self._application: Application[None] = Application(
            Layout(FloatContainer(HSplit([picture, line]), [menu]), focused_element=line),
            key_bindings=keys,
            full_screen=True,
            style=styles,
            mouse_support=mouse is not None,
            input=source,
            output=output,
        )
        self._application.after_render += self._count

    async def run(self) -> None:
        """Has the screen until `exit`. Raises EOFError if the keyboard is gone."""
        await self._application.run_async()

    def exit(self) -> None:
        """Gives the screen back as it was."""
        if self._frame is not None:
            self._frame.cancel()
        if self._application.is_running and not self._application.is_done:
            self._application.exit()

    def size(self) -> Size:
        """The screen's."""
        size = self._output.get_size()
        return Size(size.columns, size.rows)

    # -- the line being typed ------------------------------------------------------------------------------------------
    @property
    def text(self) -> str:
        """What is being typed; nothing of a password."""
        return "" if self._is_secret else self._line.buffer.text

    async def ask(self, question: str, history: History, *, default: str = "", is_secret: bool = False) -> str:
        """What the user answers. Raises what `fail` is given."""
        typed, buffer = self._line.buffer.text, self._buffer_of(history)
        self._line.buffer.reset()
        self._question, self._is_secret = question, is_secret
        self._line.buffer = buffer
        self.type(default or typed)  # what was typed between two questions is for this one
        self._asked = self._loop.create_future()
        self._answer()
        try:
            answer = await self._asked
        finally:
            self._asked = None
        if answer and not is_secret and history.get_strings()[-1:] != [answer]:
            history.append_string(answer)
        return answer

    def type(self, text: str) -> None:
        """The line is this, with the cursor behind it."""
        self._line.buffer.reset(Document(text))
        self._application.invalidate()

    def enter(self, text: str | None = None) -> None:
        """Enter was pressed; `text` in place of what is being typed."""
        self._entered.append(self._line.buffer.text if text is None else text)
        self._line.buffer.reset()
        self._answer()

    def ask_otherwise(self, question: str, text: str) -> None:
        """Another question takes the place of this one, and this text that of what is being typed."""
        self._question = question
        self.type(text)

    def fail(self, error: Exception) -> None:
        """The question is answered by an exception; without one, the next question is."""
        self._failure = error
        self._answer()

    def _answer(self) -> None:
        if self._asked is None or self._asked.done():
            return
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._asked.set_exception(failure)
        elif self._entered:
            self._asked.set_result(self._entered.pop(0))

    def _buffer_of(self, history: History) -> Buffer:
        if history not in self._buffers:
            self._buffers[history] = Buffer(
                history=history, completer=self._completer, complete_while_typing=False, multiline=True
            )
        return self._buffers[history]

    def _prefix(self, line: int, wrapped: int) -> AnyFormattedText:
        return self._question if line == wrapped == 0 else ""

    # -- frames -------------------------------------------------------------------------------------------------------
    def changed(self) -> None:
        """Something arrived: it is drawn soon."""
        if self._frame is None:
            wait = max(0.0, self._last_frame + PACE - self._loop.time())
            self._frame = self._loop.call_later(wait, self._draw)

    def _draw(self) -> None:
        self._frame = None
        self._application.invalidate()

    def _count(self, _: object) -> None:
        self.frames += 1
        self._last_frame = self._loop.time()
