"""What is shown: lines of styled text that cannot harm a terminal. Everything on show passes through `Line`.

A message, a name or an error text from the wire may hold escape sequences, invisible characters or false line ends.
service/visible.py turns them into something visible. Nothing here prints or knows the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args
from zlib import crc32

from service import visible
from service.visible import safe

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

_Name = Literal["name0", "name1", "name2", "name3", "name4", "name5", "name6", "name7"]
Style = Literal["", "time", "own", "direct", "presence", "hint", "trouble", "match", "day", _Name]
Part = tuple[Style, str]

_NAMES: Final[tuple[_Name, ...]] = get_args(_Name)
CONTINUATION: Final = "\n    | "  # before each further line of a message, so that none looks like a line of its own
_LONGEST: Final = 100_000  # characters of a message; no service takes longer ones
_LONGEST_LINE: Final = 1_000  # characters of a name, an error or another text of one line


def one_line(text: str) -> str:
    """`text` for where one line is meant, such as a name: newline, tab and invisible characters are visible too."""
    return visible.one_line(_cut(text, _LONGEST_LINE))


def body(text: str) -> str:
    """A message's text: its further lines are set in, so that they cannot pass for messages of their own."""
    return safe(_cut(text, _LONGEST).replace("\r\n", "\n")).replace("\n", CONTINUATION)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} <{len(text) - most:,} more characters>"


def sendable(text: str) -> str:
    """What was typed, with a `?` for each byte that the terminal sent and that is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def is_sendable(text: str) -> bool:
    """Whether it can be sent as it is; in a password no byte may be exchanged for another."""
    return sendable(text) == text


class Line:
    """One line to show (of several rows, if a message has several): parts of a style and a safe text each.

    The first `head` parts stand before a text that is wrapped under itself. `names` follow the parts, in columns where
    there is a screen. `calls`: the user should be told, wherever they look.
    """

    __slots__ = ("calls", "head", "names", "parts")

    def __init__(self, *parts: Part, head: int = 0, names: Iterable[str] = (), calls: bool = False) -> None:
        # The parts were made safe one by one already; this is the lock on the last door.
        self.parts: tuple[Part, ...] = tuple((style, safe(text)) for style, text in parts)
        self.names: tuple[str, ...] = tuple(map(one_line, names))
        self.head = head
        self.calls = calls

    @property
    def text(self) -> str:
        """The line without its styles."""
        text = "".join(text for _, text in self.parts)
        return f"{text} {', '.join(self.names)}" if self.names else text

    @property
    def is_trouble(self) -> bool:
        """Whether it tells of something that went wrong; without a terminal, such a line goes to stderr."""
        return any(style == "trouble" for style, _ in self.parts)

    def __repr__(self) -> str:
        return f"Line({self.text!r})"


def hint(text: str) -> Line:
    """A line by the client itself."""
    return Line(("hint", text))


def trouble(text: str) -> Line:
    """A line that says what went wrong and what to do next."""
    return Line(("trouble", text))


def marked(text: str, words: re.Pattern[str] | None, style: Style = "") -> list[Part]:
    """A message's text in parts, with what `words` finds in it set off."""
    if words is None:
        return [(style, body(text))]
    parts: list[Part] = []
    end = 0
    shown = body(text)
    for found in words.finditer(shown):
        parts += [(style, shown[end : found.start()]), ("match", found.group())]
        end = found.end()
    return [*parts, (style, shown[end:])]


def named(name: str) -> Part:
    """A name in its own colour, the same each time."""
    return _NAMES[crc32(name.encode("utf-8", "replace")) % len(_NAMES)], one_line(name)


def listed(names: Iterable[str], most: int) -> str:
    """Names as in a sentence: `bob`, `bob and carol`, `bob, carol and 7 others`; at most `most` of them by name."""
    every = list(names)
    names = [one_line(name) for name in every[:most]]
    if surplus := max(0, len(every) - most):
        names.append(f"{surplus} other{'s' if surplus > 1 else ''}")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
