"""What a typed word means where somebody or something to write to is due: a person, a room, or the main room. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from client.chat.actions import Mistake
from client.chat.addressing import ALL, EVERYONE, ROOM, target_of
from client.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

_MARKS: Final = ROOM + "@"


class Targets:
    """`knows` tells whether there is such a person, `has_room` whether the user is in such a room."""

    def __init__(self, knows: Callable[[str], bool], has_room: Callable[[str], bool], main_room: str = ALL) -> None:
        self.knows = knows
        self.has_room = has_room
        self.main_room = main_room

    def find(self, word: str) -> str | Mistake:
        """The target that a word means: `#ops` is a room, `@ops` a person; without a mark it is what there is."""
        name = word.lstrip(_MARKS)
        if word.startswith("@"):
            return name
        if name.casefold() in {ALL, self.main_room}:
            return EVERYONE
        is_room = self.has_room(name.lower())
        if word.startswith(ROOM):
            return ROOM + name.lower() if is_room else Mistake(_not_in(name))
        if is_room and self.knows(name):
            name = shortened(name)
            return Mistake(f'"{name}" is a room and a person. Type #{name} or @{name}.')
        return ROOM + name.lower() if is_room else target_of(word)

    def room(self, word: str | None, talk: str, operation: str) -> str | Mistake:
        """The name of the room that a word means; without a word that of the talk, which is the main room if none."""
        if word is not None:
            name = word.removeprefix(ROOM)
            return self.main_room if name.casefold() in {ALL, self.main_room} else name.lower()
        if talk in {"", EVERYONE}:
            return self.main_room
        if talk.startswith(ROOM):
            return talk.removeprefix(ROOM)
        return Mistake(f"{operation} is for a room, and this is a talk with one person. Name the room: #ops.")


def _not_in(room: str) -> str:
    if not room:
        return "Which room? ROOMS lists all."
    return f"You are not in #{shortened(room)}. JOIN {shortened(room)} joins it; ROOMS lists all."
