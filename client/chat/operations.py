"""The table of operations: what can be typed, with its arguments, its explanation and what it does.

An operation is one row: the interpreter parses by it, HELP and completion are made from it, and it carries its deed.
Pure: nothing here sends, prints or asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.text import one_line, shown_name
from service.wire.json_lines import encode
from service.wire.limits import MAX_PAGE
from service.wire.protocol import AnyCommand, Dm, Ex, HelloEvent, History, Missed, Pm, Search, Users

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from concurrent.futures import Future

    from client.text import Line
    from service.wire.protocol import AnyEvent

PROMPT: Final = "PM/DM/EX> "
EVERYONE: Final = "*"  # where a message for the main room goes; no name can be so
ALL: Final = "all"  # what is typed for it where a name is due, in any case; @all is the person


# -- what an operation may use ----------------------------------------------------------------------------------------
class TalkActions(Protocol):
    """What the interpreter does for an operation: it knows where lines go."""

    def turn_to(self, to: str | None) -> Action | None:
        """Has each line go to a name, or EVERYONE, or with `off` nowhere; None: says where it goes."""

    def mute(self, name: str | None) -> Action | None:
        """Hides what this person writes, or shows it again; None: says who is muted."""

    def act(self, text: str) -> Action:
        """Tells those whom a line of talk would go to what the user does; without a talk, everyone."""

    def reply(self, text: str | None) -> Action | None:
        """Answers the sender of the newest direct message; asks for the text if it is None."""

    def help(self) -> Action:
        """Shows all operations."""


class ChatActions(Protocol):
    """What the session does for an operation. Each gives the reply to come, if something was sent."""

    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on show."""

    def show_help(self, operations: Operations) -> None:
        """Shows HELP."""

    def show_history(self, name: str | None) -> Future[AnyEvent] | None:
        """Asks for the newest messages of the room, or with one person; at a terminal for as many as fit."""

    def show_online(self) -> None:
        """Shows who is online."""

    def show_older(self) -> Future[AnyEvent] | None:
        """Asks for the page before the last one."""

    def show_news(self) -> Future[AnyEvent] | None:
        """Asks for what is missed and unread."""

    def show_around(self, message_id: int) -> Future[AnyEvent] | None:
        """Asks for the talk around a match of SEARCH."""

    def mute(self, name: str | None) -> None:
        """Hides what this person writes, or shows it again; None: says who is muted."""


class TerminalActions(Protocol):
    """What only a terminal can do for an operation: it asks the user for more than arguments."""

    async def edit(self, to: str | None) -> None:
        """Has a text written in an editor, and sends it to a name, or EVERYONE; None: where it seems to belong."""

    async def read_older(self) -> None:
        """Shows what was said before on the whole screen, to read on in."""

    async def change_password(self) -> None:
        """Asks for the old password and the new one."""

    async def if_user(self, name: str, then: Callable[[str], Action | None], otherwise: Callable[[], None]) -> None:
        """Does `then` with the name as the server spells it, if there is such a user; else `otherwise`, and says so."""


# -- what a typed line asks for ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Mistake:
    """Nothing was done: `text` says why, in one line, and what to type instead. `unsent` is a message, for EDIT."""

    text: str
    unsent: Pm | Dm | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know; it is done already."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InTalk:
    """To be done by the interpreter, which does it at once."""

    do: Callable[[TalkActions], Action | None]


@dataclass(frozen=True, slots=True)
class InChat:
    """To be done by the session."""

    do: Callable[[ChatActions], Future[AnyEvent] | None]


@dataclass(frozen=True, slots=True)
class AtTerminal:
    """To be done where a user can be asked; without a terminal by the session, if it can."""

    do: Callable[[TerminalActions], Awaitable[None]]
    otherwise: InChat | None = None


Action = AnyCommand | Mistake | Notice | InChat | AtTerminal  # a command is to be sent


# -- the table --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Argument:
    """What an operation needs. A name is one word; any other argument takes the rest of the line.

    `question` asks for it; in it `{0}` stands for the first argument given.
    """

    question: str
    is_name: bool = False
    is_optional: bool = False  # then it is never asked for
    may_be_everyone: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. `make` takes the arguments in order (None for an optional one that was left out)."""

    name: str
    usage: str
    explain: str
    arguments: tuple[Argument, ...]
    make: Callable[..., Action | InTalk]
    needs_terminal: bool = False
    needs_slash: bool = False  # without it the line is talk: "me too"
    is_secret: bool = False  # what is typed behind its name may be a password


Operations = tuple[Operation, ...]

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
    return InChat(lambda chat: chat.show_around(int(digits)))


def _history(first: str | None, second: str | None) -> Action:
    name, count = (None, first) if second is None and first and first.isdigit() else (first, second)
    if count is None:
        return InChat(lambda chat: chat.show_history(name))
    if count not in map(str, range(1, MAX_PAGE + 1)):
        return Mistake(f"HISTORY takes a name and a number from 1 to {MAX_PAGE}, such as HISTORY bob 10.")
    return History(with_=UNSET if name is None else name, limit=int(count))


OPERATIONS: Final[Operations] = (
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
    Operation(
        "REPLY",
        "REPLY [message]",
        "answer the last direct message",
        (Argument("", is_optional=True),),
        lambda text: InTalk(lambda talk: talk.reply(text)),
    ),
    Operation(
        "TALK",
        "TALK [name or all]",
        "have each line go there; TALK off ends it",
        (_TARGET,),
        lambda to: InTalk(lambda talk: talk.turn_to(to)),
    ),
    Operation(
        "EDIT",
        "EDIT [name or all]",
        "write a long text in $EDITOR",
        (_TARGET,),
        lambda to: AtTerminal(lambda terminal: terminal.edit(to and target_of(to))),
        needs_terminal=True,
    ),
    Operation(
        "ME",
        "ME words",
        "say what you do, with a slash: /me waves",
        (Argument("What do you do? "),),
        lambda text: InTalk(lambda talk: talk.act(text)),
        needs_slash=True,
    ),
    Operation("USERS", "USERS", "who is online", (), Users),
    Operation(
        "NEW",
        "NEW",
        "what you missed; Enter alone does the same",
        (),
        lambda: InChat(lambda chat: chat.show_news()),
    ),
    Operation("MISSED", "MISSED", "direct messages you have not seen", (), Missed),
    Operation(
        "HISTORY",
        "HISTORY [name] [N]",
        "what was said in the room, or with one person",
        (_MAYBE_NAME, Argument("", is_optional=True)),
        _history,
    ),
    Operation(
        "SEARCH", "SEARCH words", "messages with these words", (Argument("Words: "),), lambda words: Search(query=words)
    ),
    Operation("AROUND", "AROUND number", "the talk around a match of SEARCH", (Argument("Number: "),), _around),
    Operation(
        "OLDER",
        "OLDER",
        "read what came before; Page Up does the same",
        (),
        lambda: AtTerminal(lambda terminal: terminal.read_older(), InChat(lambda chat: chat.show_older())),
    ),
    Operation(
        "MUTE",
        "MUTE [name]",
        "hide somebody here, or show them again",
        (_MAYBE_NAME,),
        lambda name: InTalk(lambda talk: talk.mute(name)),
    ),
    Operation(
        "PASSWORD",
        "PASSWORD",
        "change your password",
        (),
        lambda: AtTerminal(lambda terminal: terminal.change_password()),
        needs_terminal=True,
        is_secret=True,
    ),
    Operation("HELP", "HELP", "this list", (), lambda: InTalk(lambda talk: talk.help())),
    Operation("EX", "EX", "leave", (), Ex),
)
_FIRST: Final = ("PM", "DM", "MISSED", "HELP", "EX")
_NOTES: Final = (
    "Tab completes, the arrow keys bring back what was typed, Alt-Enter adds a line.",
    "What is left out is asked for; an empty answer cancels.",
    "With TALK a slash makes a line an operation, as in /ex; // sends a slash.",
)


def help_texts(width: int = 80, whom: str = "", operations: Operations = OPERATIONS) -> list[str]:
    """The lines of HELP, for a screen of so many columns; `whom` to ask about a forgotten password."""
    notes = [*_NOTES, f"Password forgotten? {whom}"] if whom else _NOTES
    return [*_usages(operations, width), *_wrapped(notes, width)]


def first_texts(width: int = 80) -> list[str]:
    """What HELP says of five operations, for a user's first run."""
    return _usages([operation for operation in OPERATIONS if operation.name in _FIRST], width)


def _usages(operations: Sequence[Operation], width: int) -> list[str]:
    longest = max(len(operation.usage) for operation in operations)
    if width < longest + 2 + max(len(operation.explain) for operation in operations):
        longest = 0  # no columns
    return _wrapped([f"{operation.usage:{longest}}  {operation.explain}" for operation in operations], width)


def _wrapped(texts: Iterable[str], width: int) -> list[str]:
    return [line for text in texts for line in wrap(text, max(width, _NARROWEST), subsequent_indent="    ")]


def whom_to_ask(hello: HelloEvent) -> str:
    """Where a user turns who forgot the password, as the server says it."""
    contact = one_line(hello.contact or "").strip()
    return f"Ask {contact}." if contact else "Ask who runs the server."


def target_of(name: str) -> str:
    """EVERYONE if the word means that, else the name itself, which may be typed with an @."""
    return EVERYONE if name.casefold() == ALL else name.removeprefix("@")


def shown_target(target: str) -> str:
    """A target as it is shown."""
    return ALL if target == EVERYONE else shown_name(target)


def compose(to: str, text: str, kind: Literal["action"] | UnsetType = UNSET) -> Pm | Dm:
    """A message to a name, or to EVERYONE."""
    return Pm(message=text, kind=kind) if to == EVERYONE else Dm(to=to, message=text, kind=kind)


def target_of_message(message: Pm | Dm) -> str:
    """Where a message goes: a name, or EVERYONE."""
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
        if argument.is_name and not argument.may_be_everyone:
            value = value.removeprefix("@")
        filled.append(value or None)
    return None if text else filled


def first_word(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows the white space after it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0] if rest else ""


def _amount(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
