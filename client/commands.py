"""What the user types becomes a command. One table holds the operations; parsing, HELP and completion are made from it.

Pure: a `Dialogue` is given typed lines and answers with what to do. It never sends, prints or asks by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from client.text import one_line, sendable
from service.protocol import AnyCommand, Dm, Ex, History, Missed, Pm, Search, Users

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Local(Enum):
    """What the client does by itself."""

    HELP = "help"
    OLDER = "older"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Mistake:
    """Nothing was done: `text` says why, in one line, and what to type instead."""

    text: str


@dataclass(frozen=True, slots=True)
class Mute:
    """Hides what somebody writes, or shows it again; None: who is muted."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """Shows the talk around a match of SEARCH."""

    id: int


Action = AnyCommand | Local | Mistake | Mute | Around


@dataclass(frozen=True, slots=True)
class Argument:
    """What an operation needs. A name is one word; any other takes the rest of the line.

    `question` asks for it; in it `{0}` stands for the first argument given.
    """

    question: str
    is_name: bool = False
    is_optional: bool = False  # then it is never asked for


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. `make` takes the arguments in order (None for an optional one not given)."""

    name: str
    usage: str
    explain: str
    arguments: tuple[Argument, ...]
    make: Callable[..., Action]


_NAME: Final = Argument("To: ", is_name=True)
_MAYBE_NAME: Final = Argument("", is_name=True, is_optional=True)
_DIGITS: Final = 18  # of an id: it fits 64 bits
_QUOTED: Final = 16  # characters of a typed word, so that the explanation stays one line


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
    Operation("HELP", "HELP", "this list", (), lambda: Local.HELP),
    Operation("EX", "EX", "leave", (), Ex),
)
_BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}


def help_texts() -> list[str]:
    """The lines of HELP."""
    width = max(len(operation.usage) for operation in OPERATIONS)
    return [
        *(f"{operation.usage:{width}}  {operation.explain}" for operation in OPERATIONS),
        "Upper or lower case; Tab completes.",
        "What a message needs and is left out is asked for; an empty answer cancels.",
    ]


class Dialogue:
    """Where the user is: typing an operation, or answering what it still needs.

    An answer is taken as it is typed, so a message may be `EX`; an empty answer cancels the operation.
    """

    def __init__(self) -> None:
        self._operation: Operation | None = None
        self._given: list[Any] = []

    @property
    def prompt(self) -> str:
        """The question in words; empty while an operation is awaited."""
        return self.question.question.format(*map(one_line, self._given)) if self.question else ""

    @property
    def question(self) -> Argument | None:
        """What is being asked for; None while an operation is awaited."""
        return self._operation.arguments[len(self._given)] if self._operation else None

    def take(self, line: str) -> Action | None:
        """What a typed line (without its line end) asks to do; None if nothing yet."""
        line = sendable(line)
        if self._operation is None:
            return self._start(line.strip())
        if not line.strip():
            return self._stop(Mistake(f"{self._operation.name} cancelled."))
        if self._operation.arguments[len(self._given)].is_name and len(line.split()) > 1:
            return self._stop(Mistake("A name is one word; nothing was sent."))
        return self._next(self._operation, line.rstrip())

    def _start(self, line: str) -> Action | None:
        if not line:
            return None
        word, rest = _first_word(line)
        operation = _BY_NAME.get(word.upper())
        if operation is None:
            shown = one_line(word if len(word) <= _QUOTED else word[:_QUOTED] + "…")
            return Mistake(f'No operation "{shown}". PM writes to everyone; HELP shows all.')
        if rest and not operation.arguments:
            return Mistake(f"{operation.name} stands alone; nothing was done.")
        return self._next(operation, rest)

    def _next(self, operation: Operation, text: str) -> Action | None:
        """Fills arguments from `text`, until one has to be asked for or all are there."""
        for argument in operation.arguments[len(self._given) :]:
            if argument.is_name:
                value, text = _first_word(text)
            else:
                value, text = text, ""
            if not value and not argument.is_optional:
                self._operation = operation
                return None
            self._given.append(value or None)
        if text:
            return self._stop(Mistake(f"Too much for {operation.name}. Type: {operation.usage}"))
        return self._stop(operation.make(*self._given))

    def _stop(self, action: Action) -> Action:
        self._operation, self._given = None, []
        return action


def completions(typed: str, question: Argument | None, names: Sequence[str]) -> list[str]:
    """The words that could stand in place of the last one of `typed`, which may be empty. Operations keep its case."""
    words = typed.split()
    last = words.pop() if words and not typed[-1].isspace() else ""
    if question is not None:
        wanted = question.is_name and not words
        return _beginning_with(last, names) if wanted else []
    if not words:
        operations = [operation.name for operation in OPERATIONS]
        return _beginning_with(last, [name.lower() for name in operations] if last.islower() else operations)
    operation = _BY_NAME.get(words[0].upper())
    place = len(words) - 1
    if operation is None or place >= len(operation.arguments) or not operation.arguments[place].is_name:
        return []
    return _beginning_with(last, names)


def _beginning_with(start: str, words: Sequence[str]) -> list[str]:
    return [word for word in words if word.casefold().startswith(start.casefold())]


def _first_word(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows the white space after it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0] if rest else ""
