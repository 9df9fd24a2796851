"""A long text on a screen: lines of which a part is shown, and to which older ones are added above. Pure.

Rows are counted from the end: what is added above moves nothing that is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wcwidth import iter_graphemes

from client.render.layout import Size, arrange, columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from client.text import Line, Part

_Row = list["Part"]


class Scroll:
    """Lines, and which rows of them are shown on a screen of `size`; at first the last ones."""

    def __init__(self, size: Size) -> None:
        self.length = 0  # characters in all lines
        self._size = size
        self._lines: list[Line] = []
        self._rows: list[_Row] = []
        self._numbers: list[int] = []  # of each row the line that it belongs to, counted from the last line, which is 0
        self._below = 0  # rows below those that are shown

    def add_above(self, lines: Sequence[Line]) -> None:
        """Puts older lines above; a day that they end in is not named twice."""
        day = next((line.text for line in reversed(lines) if line.is_day), "")
        if self._lines and self._lines[0].is_day and self._lines[0].text == day:
            first = self._numbers.count(len(self._lines) - 1)
            del self._lines[0], self._rows[:first], self._numbers[:first]
        rows, numbers = self._arrange(lines, len(self._lines))
        self._lines, self._rows, self._numbers = [*lines, *self._lines], rows + self._rows, numbers + self._numbers
        self.length += sum(len(line.text) for line in lines)

    def resize(self, size: Size) -> None:
        """The screen is of this size now; the line at its foot stays there."""
        if size == self._size:
            return
        number = self._numbers[len(self._rows) - 1 - self._below] if self._rows else 0
        self._size = size
        self._rows, self._numbers = self._arrange(self._lines, 0)
        self._below = sum(other < number for other in self._numbers)
        self.move(0)

    def move(self, rows: int) -> int:
        """Goes down so many rows, or up if it is negative; gives by how many it went."""
        most = max(0, len(self._rows) - self._size.rows)
        before, self._below = self._below, min(max(self._below - rows, 0), most)
        return before - self._below

    @property
    def above(self) -> int:
        """How many rows are above those that are shown."""
        return max(0, len(self._rows) - self._below - self._size.rows)

    @property
    def below(self) -> int:
        """How many rows are below those that are shown."""
        return self._below

    def shown(self) -> list[Part]:
        """The rows that are shown, with newlines between them."""
        end = len(self._rows) - self._below
        parts: list[Part] = []
        for row in self._rows[max(0, end - self._size.rows) : end]:
            parts += [*row, ("", "\n")]
        return parts[:-1]

    def _arrange(self, lines: Sequence[Line], below: int) -> tuple[list[_Row], list[int]]:
        rows: list[_Row] = []
        numbers: list[int] = []
        for number, line in enumerate(lines):
            arranged = list(_rows(arrange(line, self._size.columns), self._size.columns))
            rows += arranged
            numbers += [below + len(lines) - 1 - number] * len(arranged)
        return rows, numbers


def _rows(parts: Sequence[Part], columns: int) -> Iterator[_Row]:
    """The rows of a line, none wider than `columns`: here no terminal wraps a URL."""
    row: _Row = []
    column = 0
    for style, text in parts:
        if text == "\n":
            yield row
            row, column = [], 0
        elif column + columns_of(text) <= columns:
            row.append((style, text))
            column += columns_of(text)
        else:
            for cluster in iter_graphemes(text):
                if column and column + columns_of(cluster) > columns:
                    yield row
                    row, column = [], 0
                row.append((style, cluster))
                column += columns_of(cluster)
