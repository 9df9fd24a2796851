"""The words that Tab offers: operations, names where a name is due, and @names in a message. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.chat.addressing import ALL, ROOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from client.chat.actions import Argument, Operation


def complete(
    typed: str,
    names: Sequence[str],
    operations: Mapping[str, Operation],
    *,
    needs_slash: bool,
    rooms: Sequence[str] = (),
) -> list[str]:
    """The words that could stand in place of the last one of `typed`, a line that may be an operation.

    Operations keep its case.
    """
    words, last = _split(typed)
    slash = "/" if typed.lstrip().startswith("/") else ""
    if needs_slash and not slash:
        return complete_argument(typed, names, None)
    if not words:
        every = [f"{slash}{name}" for name, row in operations.items() if slash or not row.needs_slash]
        return _beginning_with(last, [name.lower() for name in every] if last.islower() else every)
    operation = operations.get(words[0].removeprefix("/").upper())
    arguments = [row for row in operation.arguments if not row.needs_mark] if operation else []
    if operation and len(arguments) < len(operation.arguments):
        if len(words) == 1 and last.startswith(ROOM):
            return _beginning_with(last, [ROOM + room for room in rooms])
        words = [words[0], *(word for word in words[1:] if not word.startswith(ROOM))]
    place = arguments[min(len(words), len(arguments)) - 1] if arguments else None
    if place and place.is_name:
        return _names(last, names, rooms, place) if len(words) <= len(arguments) else []
    return complete_argument(typed, names, None)


def complete_argument(typed: str, names: Sequence[str], place: Argument | None, rooms: Sequence[str] = ()) -> list[str]:
    """As `complete`, in the answer to a question, or (None) in a message."""
    words, last = _split(typed)
    if place and place.is_name and not words:
        return _names(last, names, rooms, place)
    return _beginning_with(last, [f"@{name}" for name in names]) if last.startswith("@") else []


def _split(typed: str) -> tuple[list[str], str]:
    """The complete words, and the last one, which may be empty."""
    words = typed.split()
    last = words.pop() if words and not typed[-1].isspace() else ""
    return words, last


def _names(last: str, names: Sequence[str], rooms: Sequence[str], place: Argument) -> list[str]:
    if last.startswith(ROOM):
        return _beginning_with(last, [ROOM + room for room in rooms])
    if place.is_room:
        return _beginning_with(last, rooms)
    everyone = [*rooms, ALL] if place.may_be_everyone else []
    return _beginning_with(last, dict.fromkeys([*names, *everyone]))


def _beginning_with(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.casefold().startswith(start.casefold())]
