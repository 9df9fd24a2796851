"""Prints what an order tells: rows and their lines to stdout, notes and progress to stderr. All made visible first."""

from __future__ import annotations

import csv
import json
import re
import sys
import time
import unicodedata
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from service.admin.desk import Note, Progress
from service.clock import to_minute
from service.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.admin.desk import Told, Work

Layout = Literal["text", "csv", "json"]  # rows as lines and tables, or each row as a line of CSV or JSON
TICK: Final = 1.0  # seconds until progress shows on a terminal
_TABLE_ROWS: Final = 100  # that are looked at for the widths of a table before its first one is printed
_GAP: Final = "  "
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def show(work: Work, layout: Layout) -> None:
    """Does the work, and prints what it tells as it comes. Raises the work's errors, after what was told before."""
    printer = _Printer(layout)
    with closing(work), suppress(StopIteration), closing(printer):
        told = next(work)
        while True:
            try:
                printer.print(told)
                told = next(work)
            except KeyboardInterrupt as interrupt:
                # The work knows what it has done by now. If it has raised this itself, it is raised again.
                told = work.throw(interrupt)


def as_json(values: Mapping[str, Any]) -> str:
    """Returns the values as one line in ASCII: nothing in it steers a terminal."""
    return json.dumps(values).replace("\x7f", "\\u007f")


class _Printer:
    """Prints one after the other of what is told."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._progress, self._table = _ProgressLine(), _Table()
        self._csv = csv.writer(sys.stdout, lineterminator="\n")

    def print(self, told: Told) -> None:
        if isinstance(told, Progress):
            self._progress.show(told.doing)
            return
        self._progress.clear()
        if isinstance(told, Note):
            sys.stderr.write(f"chat admin: {one_line(told.text)}\n")
        elif self._layout == "json":
            print(as_json(told.values))
        elif self._layout == "csv":
            self._csv.writerow(told.values.values())
            sys.stdout.flush()  # who makes a row may go on only when it is out
        elif told.lines:
            self._table.end()
            for line in told.lines:
                print(one_line(line))
        else:
            self._table.add(told.values)

    def close(self) -> None:
        """Prints what waits, and clears the progress."""
        self._progress.clear()
        self._table.end()


class _ProgressLine:
    """What is being done and since when, on a terminal only."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._doing = ""
        self._shows = False

    def show(self, doing: str) -> None:
        """Shows it; an empty one means that it is still the same."""
        self._doing = doing or self._doing
        seconds = time.monotonic() - self._begun
        if seconds >= TICK and sys.stderr.isatty():
            self._shows = True
            sys.stderr.write(f"\r{one_line(self._doing)}, {seconds:.0f} s \x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._shows:
            self._shows = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class _Table:
    """Rows below each other. The widths come from the first rows, as there may be too many to wait for all."""

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}  # by column; empty until the first rows are printed
        self._columns: list[str] = []  # of the rows so far
        self._rows: list[dict[str, str]] = []

    def add(self, values: Mapping[str, Any]) -> None:
        row = {name: _cell(value) for name, value in values.items()}
        if self._columns and self._columns != list(row):
            self.end()
        self._columns = list(row)
        self._rows.append(row)
        if len(self._rows) >= _TABLE_ROWS or self._widths:
            self._print()

    def end(self) -> None:
        """Prints what waits; the next row begins another table."""
        self._print()
        self._widths, self._columns = {}, []

    def _print(self) -> None:
        rows, self._rows = self._rows, []
        if rows and not self._widths:
            heads = {name: name.replace("_", " ").upper() for name in rows[0]}
            self._widths = {name: max(_width(row[name]) for row in (heads, *rows)) for name in heads}
            rows.insert(0, heads)
        for row in rows:
            cells = (cell + " " * (self._widths[name] - _width(cell)) for name, cell in row.items())
            print(_GAP.join(cells).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = one_line(str(value)) if value not in (None, "") else "-"
    return to_minute(text) if _TIME.fullmatch(text) else text  # so that a row of `users` fits 80 columns


def _width(text: str) -> int:
    """Returns how many columns the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
