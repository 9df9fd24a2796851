"""Styled lines that cannot harm a terminal. All that the client shows passes through `Line`.

service/visible.py says what may harm one, and makes it visible. Nothing here prints, or knows the wire.
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
Style = Literal["", "time", "own", "direct", "presence", "hint", "trouble", "match", "day", "unread", _Name]
Part = tuple[Style, str]

_NAMES: Final[tuple[_Name, ...]] = get_args(_Name)
INDENT: Final = "    "  # of each further line of a message, so that it cannot look like another message
CONTINUATION: Final = f"\n{INDENT}"
_LONGEST: Final = 100_000  # characters of a message; no service accepts longer ones
# What the client itself calls the user, everyone, and the service; and what its own marks begin with: "-- bob is gone",
# "-server- text", "> you". New names are never so, but older ones may be.
_OWN_WORDS: Final = frozenset({"you", "all", "server"})
_OWN_MARKS: Final = ("-", ">")
_LONGEST_LINE: Final = 1_000  # characters of a name, an error or other text of one line


def one_line(text: str) -> str:
    """As service/visible.py has it, and cut to a sensible length."""
    return visible.one_line(_cut(text, _LONGEST_LINE))


def sentence(text: str) -> str:
    """Returns an error's text as a sentence of its own; a server writes it so that it can stand behind a colon, too."""
    line = one_line(text).rstrip(".")
    return f"{line[:1].upper()}{line[1:]}."


def body(text: str) -> str:
    """Returns a message's text with its further lines indented, so that they cannot pass for other messages."""
    return safe(_cut(text, _LONGEST).replace("\r\n", "\n")).replace("\n", CONTINUATION)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} <{len(text) - most:,} more characters>"


def shortened(text: str, most: int = 16) -> str:
    """Returns what was typed, for an explanation that stays one line: at most so many characters of it."""
    return one_line(text if len(text) <= most else text[:most] + "…")


def sendable(text: str) -> str:
    """Returns what was typed, with `?` for each byte from the terminal that is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def is_sendable(text: str) -> bool:
    """Returns whether a text can be sent unchanged; in a password no byte may be replaced."""
    return sendable(text) == text


class Line:
    """One line to show, or several rows of one message: parts with a style and a safe text each.

    The first `head` parts stand before a text that wraps below itself. `names` follow the parts, in columns on a
    screen. With `calls` the user is notified, also while they look elsewhere. A line that `is_aside` is not shown: it
    is for the notification, or takes the text of a deleted message away.

    For a face that keeps lines `conversation` says to which one it belongs, if to one, and `number` which message it
    shows, if one. Lines that `opens` marks are of a page that a conversation begins with. `deletes` is the number of a
    message that is deleted.
    """

    __slots__ = ("calls", "conversation", "deletes", "head", "is_aside", "names", "number", "opens", "parts")

    def __init__(self, *parts: Part, head: int = 0, names: Iterable[str] = (), calls: bool = False) -> None:
        # The parts are safe already; this is the last line of defence.
        self.parts: tuple[Part, ...] = tuple((style, safe(text)) for style, text in parts)
        self.names: tuple[str, ...] = tuple(map(one_line, names))
        self.head = head
        self.calls = calls
        self.conversation = ""
        self.number = 0
        self.deletes = 0
        self.is_aside = False
        self.opens = False

    @property
    def text(self) -> str:
        text = "".join(text for _, text in self.parts)
        return f"{text} {', '.join(self.names)}" if self.names else text

    @property
    def is_day(self) -> bool:
        """Whether the line says from which day on the lines below it are."""
        return self.parts[0][0] == "day"

    @property
    def is_trouble(self) -> bool:
        """Whether the line reports a problem; without a terminal such lines go to stderr."""
        return any(style == "trouble" for style, _ in self.parts)

    def __repr__(self) -> str:
        return f"Line({self.text!r})"


def hint(text: str) -> Line:
    """Returns a line from the client itself."""
    return Line(("hint", text))


def trouble(text: str) -> Line:
    """Returns a line that says what went wrong and what to do next."""
    return Line(("trouble", text))


def marked(text: str, words: re.Pattern[str] | None, style: Style = "") -> list[Part]:
    """Returns a message's text as parts, with the matches of `words` highlighted."""
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
    """Returns a name in its own colour, which never changes."""
    return _NAMES[crc32(name.encode("utf-8", "replace")) % len(_NAMES)], shown_name(name)


def shown_name(name: str) -> str:
    """Returns a name as it is shown; one that looks like the client's own words gets an @, which no name can have."""
    return f"@{one_line(name)}" if name.casefold() in _OWN_WORDS or name.startswith(_OWN_MARKS) else one_line(name)


def listed(names: Iterable[str], most: int) -> str:
    """Returns names as in a sentence: `bob`, `bob and carol`, `bob, carol and 7 others`; `most` of them at most."""
    every = list(names)
    names = [shown_name(name) for name in every[:most]]
    if surplus := max(0, len(every) - most):
        names.append(f"{surplus} other{'s' if surplus > 1 else ''}")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def counted(number: int, noun: str) -> str:
    """Returns `No messages`, `1 message`, `1,200 messages`."""
    return f"{f'{number:,}' if number else 'No'} {noun}{'' if number == 1 else 's'}"
