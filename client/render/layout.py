"""A line as it stands on a screen of some width: wrapped under its text, or its names in columns. Pure.

Widths are in columns of the terminal: a wide character or an emoji takes two, a mark none. Nothing here filters text,
because a `Line` has done that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wcwidth import iter_graphemes, width

from client.text import CONTINUATION, INDENT, Style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.text import Line, Part


class Size(NamedTuple):
    """A screen's, in characters."""

    columns: int
    rows: int


WIDE: Final = 60  # columns; a narrower screen is a phone's, or a part of one
_TAB: Final = "    "
_LEAST: Final = 16  # columns for a text; behind a longer name it is wrapped further left
_GAP: Final = "  "  # between two columns of names
_WORDS: Final = re.compile(r"( +|[^ ]+)")
# The address of a page, up to a blank or the first character beyond ASCII: those may be blank to the eye, and a row
# that the terminal itself begins, at the left edge, must not look like another message.
URL: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)


def columns_of(text: str) -> int:
    """The columns that a text without newlines takes."""
    return len(text) if text.isascii() else max(0, width(text))


def cut(text: str, columns: int) -> str:
    """As much of `text` as fits, with an ellipsis if some was cut off."""
    if columns_of(text) <= columns:
        return text
    kept = ""
    for cluster in iter_graphemes(text):
        if columns_of(kept + cluster) > columns - 1:
            break
        kept += cluster
    return f"{kept}…" if columns > 0 else ""


def arrange(line: Line, columns: int) -> list[Part]:
    """The parts of a line, with newlines between its rows; the last is ended.

    No row is wider than `columns`, but one with a longer URL: the terminal wraps that, and gives it whole when copied.
    """
    if line.names:
        return [*_in_columns(line, columns), ("", "\n")]
    if columns_of(line.text) <= columns and "\n" not in line.text and "\t" not in line.text:
        return [*line.parts, ("", "\n")]
    return [*_Wrapping(line, columns).parts, ("", "\n")]


def rows_of(line: Line, columns: int) -> int:
    """How many rows of a screen a line takes, with those that the terminal begins in a URL."""
    rows = "".join(text for _, text in arrange(line, columns)).split("\n")[:-1]
    return sum(max(1, -(-columns_of(row) // columns)) for row in rows)


class _Wrapping:
    """Puts word behind word, and begins a row where one does not fit."""

    def __init__(self, line: Line, columns: int) -> None:
        self.parts: list[Part] = []
        self._columns = max(columns, 1)
        self._column = 0
        head = columns_of("".join(text for _, text in line.parts[: line.head]))
        self._hang = min(head, max(0, columns - _LEAST), columns // 2 if columns >= WIDE else columns * 2 // 5)
        self._word: list[Part] = []  # what is not put down yet; of several parts if some of it is set off
        for style, text in line.parts:
            for number, part in enumerate(text.replace("\t", _TAB).split(CONTINUATION)):
                if number:  # a further line of the message: from here on no row can pass for a message of its own
                    self._put_word()
                    self._hang = max(self._hang, min(len(INDENT), self._columns // 4))
                    self._begin_row()
                for piece in _WORDS.findall(part.replace("\n", " ")):
                    self._add(style, piece)
        self._put_word()

    def _begin_row(self, hang: int | None = None) -> None:
        self._column = self._hang if hang is None else hang
        self.parts += [("", "\n"), ("", " " * self._column)]

    def _add(self, style: Style, piece: str) -> None:
        if not piece.isspace():
            self._word.append((style, piece))
            return
        self._put_word()
        if self._column + columns_of(piece) <= self._columns:
            self._put(style, piece)
        else:
            self._begin_row()

    def _put_word(self) -> None:
        word, self._word = self._word, []
        text = "".join(text for _, text in word)
        urls = list(URL.finditer(text)) if self._hang + columns_of(text) > self._columns else []
        if not urls:
            self._make_space(columns_of(text))
        end = 0
        for url in urls:
            self._put_broken(_part_of(word, end, url.start()))
            self._make_space_for_url(len(url.group()))
            self._put_whole(_part_of(word, url.start(), url.end()))
            end = url.end()
        self._put_broken(_part_of(word, end, len(text)))

    def _put_whole(self, word: list[Part]) -> None:
        for style, text in word:
            self._put(style, text)
        if self._column > self._columns:  # the terminal has wrapped it
            self._column = (self._column - 1) % self._columns + 1

    def _put_broken(self, word: list[Part]) -> None:
        for style, text in word:
            fits = self._column + columns_of(text) <= self._columns
            for cluster in [text] if fits else iter_graphemes(text):
                self._make_space(columns_of(cluster))
                self._put(style, cluster)

    def _make_space(self, wide: int) -> None:
        """Begins a row if this one has no space for as many columns, unless a new one would have no more."""
        if self._column + wide > self._columns and self._column > self._hang:
            self._begin_row()

    def _make_space_for_url(self, wide: int) -> None:
        """As for a word, but one that has no space under the text begins further left, if that is enough."""
        if self._column + wide > self._columns:
            if self._hang + wide > self._columns > wide:
                self._begin_row(self._columns - wide)
            else:
                self._make_space(wide)

    def _put(self, style: Style, text: str) -> None:
        self.parts.append((style, text))
        self._column += columns_of(text)


def _part_of(word: list[Part], start: int, end: int) -> list[Part]:
    """What stands in a word of several parts from one character to another."""
    cut_out, at = [], 0
    for style, text in word:
        if piece := text[max(0, start - at) : max(0, end - at)]:
            cut_out.append((style, piece))
        at += len(text)
    return cut_out


def _in_columns(line: Line, columns: int) -> Iterator[Part]:
    """The line's own parts, then its names below one another, in columns of one width, read downward."""
    yield from line.parts
    widest = max(map(columns_of, line.names)) + len(_GAP)
    across = max(1, (columns - len(_GAP)) // widest)
    down = -(-len(line.names) // across)
    for row in range(down):
        cells = line.names[row::down]
        padded = (cell + " " * (widest - columns_of(cell)) for cell in cells[:-1])
        yield "", "\n" + _GAP + "".join(padded) + cut(cells[-1], columns - len(_GAP))
