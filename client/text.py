"""What is shown: lines of styled text that cannot harm a terminal. Everything on show passes through `Line`.

A message, a name or an error text from the wire may hold escape sequences, invisible characters or false line ends.
This file turns them into something a person can see. It never prints, and knows nothing of the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

Style = Literal["", "time", "name", "own", "direct", "presence", "hint", "trouble"]
STYLES: Final[tuple[Style, ...]] = get_args(Style)
Part = tuple[Style, str]

_CONTINUATION: Final = "\n    | "  # before each further line of a message, so that none looks like a line of its own


def _code(point: int) -> str:
    return f"<U+{point:04X}>"


# One table for every text. C0 and DEL have pictures one column wide; the others are named by their code point.
_TEXT: Final[dict[int, str | None]] = {
    **{point: chr(0x2400 + point) for point in range(0x20) if chr(point) not in "\n\t"},
    0x7F: "\u2421",
    **{point: _code(point) for point in range(0x80, 0xA0)},  # C1: some terminals take 0x9B for ESC [
    **{point: _code(point) for point in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},  # they reorder a line
    **{point: _code(point) for point in (0x2028, 0x2029)},  # line ends that are not LF
    **{point: _code(point) for point in range(0xD800, 0xE000)},  # halves of a character: cannot be written at all
    **dict.fromkeys(range(0xE0000, 0xE0080)),  # tags: never visible, made to hide text
}
# In a name or a one-line text nothing may be invisible; in a message the joiners make emoji and scripts.
_ONE_LINE: Final[dict[int, str | None]] = {
    **_TEXT,
    **{point: chr(0x2400 + point) for point in (0x09, 0x0A)},
    **{point: _code(point) for point in (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF)},
}


def safe(text: str) -> str:
    """`text` with newlines and tabs as they are and every other character that steers a terminal made visible."""
    return text.translate(_TEXT)


def one_line(text: str) -> str:
    """`text` for where one line is meant, such as a name: newline, tab and invisible characters are visible too."""
    return text.translate(_ONE_LINE)


def body(text: str) -> str:
    """A message's text: its further lines are set in, so that they cannot pass for messages of their own."""
    return safe(text.replace("\r\n", "\n")).replace("\n", _CONTINUATION)


def sendable(text: str) -> str:
    """What was typed, with a `?` for each byte that the terminal sent and that is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def is_sendable(text: str) -> bool:
    """Whether it can be sent as it is; in a password no byte may be exchanged for another."""
    return sendable(text) == text


class Line:
    """One line to show (of several rows, if a message has several): parts of a style and a safe text each."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Part) -> None:
        # Who makes a line has made its parts safe one by one; this is the lock on the last door.
        self.parts: tuple[Part, ...] = tuple((style, safe(text)) for style, text in parts)

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(text for _, text in self.parts)

    @property
    def is_trouble(self) -> bool:
        """Whether it tells of something that went wrong, and so belongs on stderr in a pipe."""
        return any(style == "trouble" for style, _ in self.parts)

    def __repr__(self) -> str:
        return f"Line({self.text!r})"


def hint(text: str) -> Line:
    """A line by the client itself."""
    return Line(("hint", text))


def trouble(text: str) -> Line:
    """A line that says what went wrong and what to do next."""
    return Line(("trouble", text))


def listed(names: Iterable[str], most: int) -> str:
    """Names as in a sentence: `bob`, `bob and carol`, `bob, carol and 7 others`; at most `most` of them by name."""
    names = [one_line(name) for name in names]
    if len(names) > most:
        surplus = len(names) - most
        names = [*names[:most], f"{surplus} other{'s' if surplus > 1 else ''}"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
