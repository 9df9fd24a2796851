"""HELP, laid out for a screen, from the table of operations. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Final

from client.chat.operations import OPERATIONS
from client.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from client.chat.actions import Operation, Operations
    from service.wire.protocol import HelloEvent

_NARROWEST: Final = 20  # columns to lay HELP out for
_FIRST: Final = ("PM", "DM", "MISSED", "HELP", "EX")
_NOTES: Final = (
    "Tab completes, the arrow keys bring back what was typed, Alt-Enter adds a line.",
    "What is left out is asked for; an empty answer cancels.",
    "With TALK a slash makes a line an operation, as in /ex; // sends a slash.",
)
_ROOM_NOTES: Final = (
    "They act in the room you are in, or in the one you name first: KICK #ops bob.",
    "With TALK ops you turn to a room; TALK lists all, Alt-1 to Alt-9 turn to them.",
)


def help_texts(width: int = 80, whom: str = "", operations: Operations = OPERATIONS) -> list[str]:
    """The lines of HELP, for a screen of so many columns; `whom` to ask about a forgotten password."""
    notes = [*_NOTES, f"Password forgotten? {whom}"] if whom else _NOTES
    rows = [operation for operation in operations if not operation.is_of_rooms]
    return [*_usages(rows, width), *_wrapped(notes, width)]


def room_help_texts(width: int = 80, operations: Operations = OPERATIONS) -> list[str]:
    """What HELP says about rooms."""
    rows = [operation for operation in operations if operation.is_of_rooms]
    return [*_usages(rows, width), *_wrapped(_ROOM_NOTES, width)]


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
