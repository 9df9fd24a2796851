"""What was said before, on the whole screen, in order: older messages come above as one goes up.

It asks for a page when its user wants to see more, never before, so that what came counts as shown. It holds a bounded
text, and knows neither the session nor what stands in a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prompt_toolkit import Application
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window

from client.render.layout import WIDE, Size, cut
from client.render.scroll import Scroll
from client.text import hint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit.formatted_text import FormattedText
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output
    from prompt_toolkit.styles import BaseStyle

    from client.chat.paging import Page
    from client.text import Part

MOST: Final = 1_000_000  # characters; then the user goes on by SEARCH, or by a script's --history
_ESCAPE: Final = 0.05  # seconds after which an Esc is one, and not the beginning of a key


class Pager:
    """One look at older messages.

    `read` asks for the page behind a page, or for the first with None; the page, or the reason why there is none, comes
    by `take`. `style` makes formatted text of parts.
    """

    def __init__(
        self,
        read: Callable[[Page | None], None],
        style: Callable[[Sequence[Part]], FormattedText],
        styles: BaseStyle,
        source: Input,
        output: Output,
        *,
        most: int = MOST,
    ) -> None:
        self._read = read
        self._style = style
        self._output = output
        self._most = most
        self._scroll = Scroll(self._size())
        self._page: Page | None = None  # the oldest one
        self._is_asked = False  # a page is on its way
        self._owed = 0  # rows to go up once it is there
        self._problem = ""
        self._new = ""  # what has come meanwhile, in words
        view = FormattedTextControl(self._view, show_cursor=False)
        bar = FormattedTextControl(self._bar)
        self._application: Application[None] = Application(
            Layout(HSplit([Window(view, wrap_lines=False), Window(bar, height=1, style="class:status-bar")])),
            key_bindings=self._keys(),
            full_screen=True,
            style=styles,
            input=source,
            output=output,
        )
        self._application.ttimeoutlen = _ESCAPE

    async def run(self) -> None:
        """Shows the page before the last screenful, and what is asked for, until the user goes back."""
        self._up(self._size().rows)
        await self._application.run_async()

    def close(self) -> None:
        """Goes back."""
        if self._application.is_running and not self._application.is_done:
            self._application.exit()

    def take(self, page: Page | str) -> None:
        """The page that was asked for, or why there is none."""
        self._is_asked, owed, self._owed = False, self._owed, 0
        if isinstance(page, str):
            self._problem = page
        else:
            self._page = page
            self._scroll.add_above(page.lines)
            if page.older is None:
                self._scroll.add_above([hint("-- the beginning --")])
            elif self._scroll.length >= self._most:
                self._scroll.add_above([hint("-- there is more: SEARCH finds it, and --history in a script --")])
            self._up(owed)
        self._application.invalidate()

    def tell(self, new: str) -> None:
        """Says in the last row what has come meanwhile."""
        self._new = new
        self._application.invalidate()

    def _size(self) -> Size:
        size = self._output.get_size()
        return Size(size.columns, max(1, size.rows - 1))

    def _up(self, rows: int) -> None:
        missing = rows + self._scroll.move(-rows)
        is_more = self._page is None or (self._page.older is not None and self._scroll.length < self._most)
        if missing > 0 and is_more and not self._is_asked:
            self._is_asked, self._owed, self._problem = True, missing, ""
            self._read(self._page)

    def _view(self) -> FormattedText:
        self._scroll.resize(self._size())
        return self._style(self._scroll.shown())

    def _bar(self) -> str:
        columns = self._size().columns
        keys = "Page Up older, Page Down newer, q back to the chat" if columns >= WIDE else "q: back"
        state = self._problem or ("loading" if self._is_asked else "")
        return cut(" " + " | ".join(filter(None, (self._new, state, keys))), columns)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        def bind(names: Sequence[str], do: Callable[[], object]) -> None:
            def act(_: KeyPressEvent) -> None:
                do()

            for name in names:
                keys.add(name, eager=True)(act)

        def page() -> int:
            return max(1, self._size().rows - 1)  # a row stays, to read on from

        bind(("q", "Q", "escape", "c-c", "c-d", "<sigint>"), self.close)
        bind(("pageup",), lambda: self._up(page()))
        bind(("up",), lambda: self._up(1))
        bind(("home",), lambda: self._up(0 if self._scroll.move(-MOST) else page()))
        bind(("pagedown",), lambda: self._scroll.move(page()))
        bind(("down",), lambda: self._scroll.move(1))
        bind(("end",), self._scroll.to_end)
        return keys
