"""The table of operations: what can be typed, with its arguments, its explanation and the command that it makes.

Parsing (dialogue.py), HELP and completion are made from it. Pure: nothing here sends, prints or asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from client.text import one_line
from service.wire.json_lines import encode
from service.wire.protocol import AnyCommand, Dm, Ex, HelloEvent, History, Missed, Pm, Search, Users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PROMPT: Final = "PM/DM/EX> "
EVERYONE: Final = "all"  # where a name may stand, in any case: the public room


class Local(Enum):
    """What the client does by itself."""

    HELP = "help"
    OLDER = "older"
    NEW = "new"
    PASSWORD = "password"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Mistake:
    """Nothing was done: `text` says why, in one line, and what to type instead. `unsent` is a message, for EDIT."""

    text: str
    unsent: Pm | Dm | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """Hides what somebody writes, or shows it again; None: who is muted."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """Shows the talk around a match of SEARCH."""

    id: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know; it is done already."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """Write a text in an editor, and send it to this name, or EVERYONE; None: where it seems to belong."""

    to: str | None


@dataclass(frozen=True, slots=True)
class Talk:
    """Have each line go to this name, or EVERYONE; None: no longer."""

    to: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer whoever wrote last."""

    text: str | None


Action = AnyCommand | Local | Mistake | Mute | Around | Notice | Edit


@dataclass(frozen=True, slots=True)
class Argument:
    """What an operation needs. A name is one word; any other takes the rest of the line.

    `question` asks for it; in it `{0}` stands for the first argument given.
    """

    question: str
    is_name: bool = False
    is_optional: bool = False  # then it is never asked for
    may_be_everyone: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. `make` takes the arguments in order (None for an optional one not given)."""

    name: str
    usage: str
    explain: str
    arguments: tuple[Argument, ...]
    make: Callable[..., Action | Talk | Reply]
    needs_terminal: bool = False


_NAME: Final = Argument("To: ", is_name=True)
_DIGITS: Final = 18  # of an id: it fits 64 bits
_MAYBE_NAME: Final = Argument("", is_name=True, is_optional=True)
_TARGET: Final = Argument("", is_name=True, is_optional=True, may_be_everyone=True)
_NARROWEST: Final = 20  # columns to lay HELP out for
_ID: Final = "0" * 28  # as long as the ref and the nonce that are added on the way


def _around(number: str) -> Action:
    digits = number.strip().removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        return Mistake("AROUND takes the number behind a match, such as 17. SEARCH shows them.")
    return Around(int(digits))


OPERATIONS: Final = (
    Operation(
        "PM", "PM [message]", "write to everyone", (Argument("Message to all: "),), lambda text: Pm(message=text)
    ),
    Operation(
        "DM",
        "DM [name [message]]",
        "write to one person",
        (_NAME, Argument("Message to {0}: ")),
        lambda name, text: Dm(to=name, message=text),
    ),
    Operation("REPLY", "REPLY [message]", "answer the last direct message", (Argument("", is_optional=True),), Reply),
    Operation("TALK", "TALK [name or all]", "have each line go there; alone: no longer", (_TARGET,), Talk),
    Operation("EDIT", "EDIT [name or all]", "write a long text in $EDITOR", (_TARGET,), Edit, needs_terminal=True),
    Operation("USERS", "USERS", "who is online", (), Users),
    Operation("NEW", "NEW", "what you missed; Enter alone does the same", (), lambda: Local.NEW),
    Operation("MISSED", "MISSED", "direct messages you have not seen", (), Missed),
    Operation(
        "HISTORY",
        "HISTORY [name]",
        "what was said in the room, or with one person",
        (_MAYBE_NAME,),
        lambda name: History(with_=UNSET if name is None else name),
    ),
    Operation(
        "SEARCH", "SEARCH words", "messages with these words", (Argument("Words: "),), lambda words: Search(query=words)
    ),
    Operation("AROUND", "AROUND number", "the talk around a match of SEARCH", (Argument("Number: "),), _around),
    Operation("OLDER", "OLDER", "the page before the last one; Page Up does the same", (), lambda: Local.OLDER),
    Operation("MUTE", "MUTE [name]", "hide somebody here, or show them again", (_MAYBE_NAME,), Mute),
    Operation("PASSWORD", "PASSWORD", "change your password", (), lambda: Local.PASSWORD, needs_terminal=True),
    Operation("HELP", "HELP", "this list", (), lambda: Local.HELP),
    Operation("EX", "EX", "leave", (), Ex),
)
_FIRST: Final = ("PM", "DM", "MISSED", "HELP", "EX")
BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}
_NOTES: Final = (
    "Upper or lower case; Tab completes; the arrow keys bring back what was typed.",
    "What a message needs and is left out is asked for; an empty answer cancels.",
    "While you TALK, operations take a slash: /ex leaves. // sends a slash.",
)


def help_texts(width: int = 80, whom: str = "") -> list[str]:
    """The lines of HELP, for a screen of so many columns; `whom` to ask about a forgotten password."""
    notes = [*_NOTES, f"Password forgotten? {whom}"] if whom else _NOTES
    return [*_usages(OPERATIONS, width), *_wrapped(notes, width)]


def first_texts(width: int = 80) -> list[str]:
    """What HELP says of five operations, for who is here for the first time."""
    return _usages([BY_NAME[name] for name in _FIRST], width)


def _usages(operations: Sequence[Operation], width: int) -> list[str]:
    longest = max(len(operation.usage) for operation in operations)
    if width < longest + 2 + max(len(operation.explain) for operation in operations):
        longest = 0  # no columns
    return _wrapped([f"{operation.usage:{longest}}  {operation.explain}" for operation in operations], width)


def _wrapped(texts: Iterable[str], width: int) -> list[str]:
    return [row for text in texts for row in wrap(text, max(width, _NARROWEST), subsequent_indent="    ")]


def whom_to_ask(hello: HelloEvent) -> str:
    """The way out for who forgot the password, as the server says it."""
    contact = one_line(hello.contact or "").strip()
    return f"Ask {contact}." if contact else "Ask who runs the server."


def target_of(name: str) -> str:
    """Whom a word means: EVERYONE, or the name itself."""
    return EVERYONE if name.casefold() == EVERYONE else name


def compose(to: str, text: str) -> Pm | Dm:
    """A message to one person, or to EVERYONE."""
    return Pm(message=text) if to == EVERYONE else Dm(to=to, message=text)


def target_of_message(message: Pm | Dm) -> str:
    """To whom a message goes: a name, or EVERYONE."""
    return (message.to or "") if isinstance(message, Dm) else EVERYONE


def excess(message: Pm | Dm, hello: HelloEvent) -> str:
    """By how much a message is longer than the server takes, in words; empty if it is not."""
    length = len(message.message or "")
    if length > hello.max_message:
        return f"Not sent: {_amount(length - hello.max_message, 'character')} too long, of {hello.max_message:,}."
    size = len(encode(replace(message, ref=_ID, nonce=_ID))) - 1  # its LF does not count
    if size > hello.max_line:
        return f"Not sent: {_amount(size - hello.max_line, 'byte')} too long, of {hello.max_line:,}."
    return ""


def fill(operation: Operation, given: Sequence[Any], text: str) -> list[Any] | None:
    """The arguments given so far and those in `text`, as many as there are; None if some text is left over."""
    filled = [*given]
    for argument in operation.arguments[len(given) :]:
        if argument.is_name:
            value, text = first_word(text)
        else:
            value, text = text, ""
        if not value and not argument.is_optional:
            return filled
        filled.append(value or None)
    return None if text else filled


def first_word(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows the white space after it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0] if rest else ""


def _amount(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
