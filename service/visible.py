"""Makes text visible, so that it cannot steer a terminal: for all that the service and the client print or log.

A file's name, an option, a message or a name may hold escape sequences, invisible characters, false line ends, or bytes
that are no text.
"""

from __future__ import annotations

import argparse
import unicodedata
from typing import Final, NoReturn

from service.exits import told

_MARKS: Final = 8  # marks on one character; real scripts use five at most
_MARK_KINDS: Final = frozenset({"Mn", "Me", "Cf"})  # Cf: joiners between marks do not end a pile


def _code(point: int) -> str:
    return f"<U+{point:04X}>"


# One table for every text. C0 and DEL have pictures one column wide; the others are shown by their code point.
_TEXT: Final[dict[int, str | None]] = {
    **{point: chr(0x2400 + point) for point in range(0x20) if chr(point) not in "\n\t"},
    0x7F: "\u2421",
    **{point: _code(point) for point in range(0x80, 0xA0)},  # C1: some terminals take 0x9B for ESC [
    **{point: _code(point) for point in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},  # reorder a line
    **{point: _code(point) for point in (0x2028, 0x2029)},  # line ends other than LF
    **{point: _code(point) for point in range(0xD800, 0xE000)},  # half characters, which cannot be encoded
    **dict.fromkeys(range(0xE0000, 0xE0080)),  # tags: invisible, used to hide text
}
# Joiners, direction marks and fillers: they show nothing.
_INVISIBLE: Final = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x2060, 0x2066), *range(0x206A, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF9, 0xFFFC), *range(0xE0100, 0xE01F0)),
)
# A name or a one-line text may hold nothing invisible. A message may: emoji and scripts need the joiners.
_ONE_LINE: Final[dict[int, str | None]] = {
    **_TEXT,
    **{point: chr(0x2400 + point) for point in (0x09, 0x0A)},
    **{point: _code(point) for point in _INVISIBLE},
}


def safe(text: str) -> str:
    """Returns `text` with every character made visible that steers a terminal, except newlines and tabs.

    Surplus marks on one character are replaced by their count.
    """
    if text.isascii() and text.isprintable():  # true for nearly all texts, and takes a tenth of the time
        return text
    text = text.translate(_TEXT)
    return text if text.isascii() else _thin_out(text)


def _thin_out(text: str) -> str:
    """Cuts each run of more than _MARKS combining marks: they would cover the lines above and below."""
    marks = [unicodedata.category(char) in _MARK_KINDS for char in text]
    if not any(marks):
        return text
    kept: list[str] = []
    run = 0
    for char, is_mark in zip(text, marks, strict=True):
        if not is_mark and run > _MARKS:
            kept.append(f"<{run - _MARKS} marks>")
        run = run + 1 if is_mark else 0
        if run <= _MARKS:
            kept.append(char)
    return "".join(kept) + (f"<{run - _MARKS} marks>" if run > _MARKS else "")


def one_line(text: str) -> str:
    """As `safe`, for a text of one line such as a name: newline, tab and invisible characters become visible too."""
    if text.isascii() and text.isprintable():
        return text
    return safe(text.translate(_ONE_LINE))


class Parser(argparse.ArgumentParser):
    """A parser that shows each argument and default made visible. So do the parsers of its commands."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        super().exit(told(status), message)

    def format_help(self) -> str:
        return safe(super().format_help())
