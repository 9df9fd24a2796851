"""A long text on a screen: lines of which a part is shown, older ones added above, newer ones below. Pure.

The place is kept by the line at the foot: what is added elsewhere moves nothing that is shown. Only what is shown, or
gone through, is wrapped: nothing here costs what is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wcwidth import iter_graphemes

from client.render.layout import Size, arrange, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from client.text import Line, Part

Row = list["Part"]


class _Wrapped:
    """A line, with its rows for the width that they were last asked for."""

    __slots__ = ("columns", "line", "rows")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.columns = 0  # no rows yet
        self.rows: list[Row] = []


class Scroll:
    """Lines, and which rows of them are shown on a screen of `size`; at first the last ones.

    While those are shown it stays at the end, whatever is added. Of more than `most` lines the oldest are dropped; only
    of twice as many while one reads above.
    """

    def __init__(self, size: Size, most: int | None = None) -> None:
        self.length = 0  # characters in all lines
        self.new = 0  # lines added below, but for days, since the end was last shown
        self._size = size
        self._most = most
        self._lines: list[_Wrapped] = []
        self._foot = -1  # the line of the last row that is shown
        self._hidden = 0  # rows of that line below the screen

    @property
    def is_at_end(self) -> bool:
        """Whether the last row is shown."""
        return self._foot == len(self._lines) - 1 and self._hidden == 0

    def lines(self) -> Iterator[Line]:
        """All lines, the oldest first."""
        return (wrapped.line for wrapped in self._lines)

    def add_above(self, lines: Sequence[Line]) -> None:
        """Puts older lines above; a day that they end in is not named twice."""
        day = next((line.text for line in reversed(lines) if line.is_day), "")
        if self._lines and self._lines[0].line.is_day and self._lines[0].line.text == day:
            self._drop(1)
        self._lines[:0] = map(_Wrapped, lines)
        self._foot += len(lines)
        self.length += sum(len(line.text) for line in lines)

    def add_below(self, lines: Sequence[Line]) -> None:
        """Puts newer lines below."""
        was_at_end = self.is_at_end
        self._lines += map(_Wrapped, lines)
        self.length += sum(len(line.text) for line in lines)
        if was_at_end:
            self._foot = len(self._lines) - 1
        else:
            self.new += sum(not line.is_day for line in lines)
        if self._most is not None and len(self._lines) > (self._most if self.is_at_end else 2 * self._most):
            self._drop(len(self._lines) - self._most)

    def replace(self, number: int, make: Callable[[Line], Line]) -> None:
        """Has in place of each line of the message with this number what `make` makes of it."""
        replaced = [wrapped for wrapped in self._lines if wrapped.line.number == number]
        for wrapped in replaced:
            wrapped.line, wrapped.columns = make(wrapped.line), 0
        if replaced:
            self._hidden = min(self._hidden, len(self._wrap(self._foot)) - 1)
            self._fill()

    def bring_up(self, line: Line) -> None:
        """Goes up until this line is shown, if it is above what is shown: at the top then."""
        rows, number = -self._hidden, self._foot
        while number >= 0:
            rows += len(self._wrap(number))
            if self._lines[number].line is line:
                self.move(min(0, self._size.rows - rows))
                break
            number -= 1

    def resize(self, size: Size) -> None:
        """The screen is of this size now; the line at its foot stays there."""
        if size != self._size:
            self._size, self._hidden = size, 0
            self._fill()

    def move(self, rows: int) -> int:
        """Goes down so many rows, or up if it is negative; gives by how many it went."""
        if rows > 0:
            went = self._down(rows)
        else:
            went = -self._up(max(0, min(-rows, self._count(self._size.rows - rows) - self._size.rows)))
        if self.is_at_end:
            self.new = 0
        return went

    def to_end(self) -> None:
        """Goes to the last row."""
        self._foot, self._hidden, self.new = len(self._lines) - 1, 0, 0

    def rows(self) -> list[Row]:
        """The rows that are shown, none wider than the screen; fewer than it has, if there are no more."""
        rows: list[Row] = []
        for number in range(self._foot, -1, -1):
            wrapped = self._wrap(number)
            rows[:0] = wrapped[: len(wrapped) - self._hidden] if number == self._foot else wrapped
            if len(rows) >= self._size.rows:
                break
        return rows[max(0, len(rows) - self._size.rows) :]

    def shown(self) -> list[Part]:
        """The same, with newlines between them."""
        parts: list[Part] = []
        for row in self.rows():
            parts += [*row, ("", "\n")]
        return parts[:-1]

    def _drop(self, count: int) -> None:
        """Forgets the oldest lines."""
        self.length -= sum(len(wrapped.line.text) for wrapped in self._lines[:count])
        del self._lines[:count]
        self._foot = max(self._foot - count, min(0, len(self._lines) - 1))
        if self._foot < self._size.rows:  # else each line above has a row: nothing needs to be wrapped
            self._fill()

    def _fill(self) -> None:
        """Goes down if there are too few rows above for a whole screen."""
        self._down(max(0, self._size.rows - self._count(self._size.rows)))

    def _count(self, enough: int) -> int:
        """How many rows there are from the screen's foot up; it stops counting where there are enough."""
        count = -self._hidden
        for number in range(self._foot, -1, -1):
            count += len(self._wrap(number))
            if count >= enough:
                break
        return count

    def _up(self, rows: int) -> int:
        self._hidden += rows
        while self._foot > 0 and self._hidden >= len(self._wrap(self._foot)):
            self._hidden -= len(self._wrap(self._foot))
            self._foot -= 1
        return rows

    def _down(self, rows: int) -> int:
        left = rows
        while left:
            if not self._hidden:
                if self._foot >= len(self._lines) - 1:
                    break
                self._foot += 1
                self._hidden = len(self._wrap(self._foot))
            step = min(left, self._hidden)
            self._hidden -= step
            left -= step
        return rows - left

    def _wrap(self, number: int) -> list[Row]:
        wrapped = self._lines[number]
        if wrapped.columns != self._size.columns:
            wrapped.columns = self._size.columns
            wrapped.rows = list(_rows(arrange(wrapped.line, self._size.columns), self._size.columns))
        return wrapped.rows


def _rows(parts: Sequence[Part], columns: int) -> Iterator[Row]:
    """The rows of a line, none wider than `columns`: here no terminal wraps a URL."""
    row: Row = []
    column = 0
    for style, text in parts:
        for number, piece in enumerate(text.split("\n")):
            if number:
                yield row
                row, column = [], 0
            if column + columns_of(piece) <= columns:
                row += [(style, piece)] if piece else []
                column += columns_of(piece)
                continue
            for cluster in iter_graphemes(piece):
                if column and column + columns_of(cluster) > columns:
                    yield row
                    row, column = [], 0
                row.append((style, cluster))
                column += columns_of(cluster)
