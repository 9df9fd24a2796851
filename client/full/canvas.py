"""Rows of styled text put on the screen as they are, a cell for each cluster of characters. Knows no text.

Terminals do not agree how wide a heart, a flag or a family of emoji is. Here each takes the columns that it was laid
out with: what stands right of it stays where it is, whatever the terminal makes of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zlib import crc32

from prompt_toolkit.layout import Container, Dimension
from prompt_toolkit.layout.screen import Char
from wcwidth import iter_graphemes, wcwidth

from client.render.layout import columns_of
from client.terminal.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prompt_toolkit.key_binding import KeyBindingsBase
    from prompt_toolkit.layout.mouse_handlers import MouseHandler, MouseHandlers
    from prompt_toolkit.layout.screen import Screen as Cells
    from prompt_toolkit.layout.screen import WritePosition

    Row = Sequence[tuple[str, str]]  # parts, each a style and a text

_KEPT: Final = 4_096  # cells; those of a screen, with some before
_TAGS: Final = 64  # of the cells behind a cluster; few, as each style is kept


class Settled(Screen):
    """A terminal in which a cluster takes the columns that it was laid out with."""

    def write(self, data: str) -> None:
        """Writes a text; for prompt_toolkit, which gives each cell by itself."""
        if data.isascii() or len(data) == 1 or not is_disputed(data):
            super().write(data)
            return
        columns = columns_of(data)
        # The columns are blanked, for a terminal that makes it narrower; and the cursor is set behind them.
        super().write_raw(f"\x1b7{' ' * columns}\x1b8\x1b7")
        super().write(data)
        super().write_raw(f"\x1b8\x1b[{columns}C")


@lru_cache(_KEPT)
def is_disputed(cluster: str) -> bool:
    """Whether terminals may differ in how wide a cluster is."""
    return sum(max(0, wcwidth(character)) for character in cluster) != columns_of(cluster)


class Canvas(Container):
    """A part of the screen; `draw` gives its rows for so many columns and rows. None is wider."""

    def __init__(self, draw: Callable[[int, int], Sequence[Row]], mouse: MouseHandler | None = None) -> None:
        self._draw = draw
        self._mouse = mouse

    def reset(self) -> None:
        """Nothing is kept between two frames; for prompt_toolkit."""

    def preferred_width(self, max_available_width: int) -> Dimension:  # noqa: ARG002
        """All there is; for prompt_toolkit."""
        return Dimension()

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:  # noqa: ARG002
        """All there is; for prompt_toolkit."""
        return Dimension()

    def get_children(self) -> list[Container]:
        """None; for prompt_toolkit."""
        return []

    def get_key_bindings(self) -> KeyBindingsBase | None:
        """None; for prompt_toolkit."""
        return None

    def write_to_screen(
        self,
        screen: Cells,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,  # noqa: ARG002
        erase_bg: bool,  # noqa: ARG002, FBT001
        z_index: int | None,  # noqa: ARG002
    ) -> None:
        """Puts the rows there; for prompt_toolkit."""
        left, top = write_position.xpos, write_position.ypos
        width, height = write_position.width, write_position.height
        if self._mouse:
            mouse_handlers.set_mouse_handler_for_range(left, left + width, top, top + height, self._mouse)
        for number, row in enumerate(self._draw(width, height)[:height]):
            cells = screen.data_buffer[top + number]
            for column, cell in enumerate(cells_of(row, width)):
                cells[left + column] = cell


def cells_of(row: Row, columns: int) -> list[Char]:
    """The cells of a row, as many as there are columns; behind a wide one stands an empty one.

    A disputed cluster may be drawn over what stands behind it. So those cells are other ones than without it, and
    written anew.
    """
    cells: list[Char] = []
    tag, tagged = "", 0  # for the cells up to this column
    for style, cluster in _clusters(row):
        width = 1 if cluster.isascii() else columns_of(cluster)
        if len(cells) + width > columns:
            break
        if width == 0:  # a mark by itself
            _add_mark(cells, cluster)
            continue
        cells.append(_cell(cluster, style + tag if len(cells) < tagged else style, width))
        cells += [_cell("", "", 0)] * (width - 1)
        if len(cluster) > 1 and is_disputed(cluster):
            tag = f" class:behind{crc32(cluster.encode()) % _TAGS}"
            tagged = len(cells) + sum(max(0, wcwidth(character)) for character in cluster)
    while len(cells) < columns:
        cells.append(_cell(" ", tag if len(cells) < tagged else "", 1))
    return cells


def _clusters(row: Row) -> Iterator[tuple[str, str]]:
    for style, text in row:
        shown = f"class:{style}" if style else ""
        for cluster in text if text.isascii() else iter_graphemes(text):
            yield shown, cluster


def _add_mark(cells: list[Char], mark: str) -> None:
    """Puts a mark on the last character, if there is one."""
    for number in range(len(cells) - 1, -1, -1):
        if cells[number].char:
            cells[number] = _cell(cells[number].char + mark, cells[number].style, cells[number].width)
            break


@lru_cache(_KEPT)
def _cell(cluster: str, style: str, width: int) -> Char:
    cell = Char(cluster, style)
    cell.width = width  # the cluster's, not the sum of its characters'
    return cell
