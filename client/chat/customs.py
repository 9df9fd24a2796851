"""What users bring along: words of other chats, slips of the finger, and talk that begins like an operation. Pure.

Nothing here does an operation: client/chat/interpreter.py asks, and client/chat/operations.py has the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from client.chat.actions import Mistake, fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from client.chat.actions import Operation

# By the word typed, in lower case: the operation that does it here.
_WORDS: Final = {"quit": "EX", "exit": "EX", "?": "HELP"}
_SLASHED: Final = _WORDS | {  # "who is there?" is talk
    "msg": "DM",
    "query": "TALK",
    "who": "USERS",
    "part": "LEAVE",
    "list": "ROOMS",
    "names": "MEMBERS",
}
# What there is no operation for, and what to do instead.
_ANSWERS: Final = {
    "nick": "A name belongs to an account. EX, and start again with another name.",
}
_LEAST_LETTERS: Final = 4  # of an operation that a slip may mean; below, half of all short words would be one
_SURE_LETTERS: Final = 5  # from here on one wrong letter makes a slip too; "walk" is not TALK


def renamed(word: str, *, is_slashed: bool) -> str:
    """The operation's name for a word of other chats; else the word itself, in capitals."""
    return (_SLASHED if is_slashed else _WORDS).get(word.lower(), word.upper())


def answer(word: str) -> str:
    """What to say of a word of other chats that has no operation here; empty for any other word."""
    return _ANSWERS.get(word.lower(), "")


def fits(operation: Operation, word: str, rest: str) -> bool:
    """Whether a line of plain typing, `word` and then `rest`, is this operation rather than talk.

    "users" is the operation; "users of this room: hello" has more than it takes, and "Search me" is written like the
    beginning of a sentence.
    """
    if rest and (not operation.arguments or not (word.islower() or word.isupper())):
        return False
    given = fill(operation, [], rest)
    if given is None:
        return False
    return len(given) < len(operation.arguments) or not isinstance(operation.make(*given), Mistake)


def meant(word: str, names: Iterable[str]) -> str:
    """The name of the operation that `word` is a slip of; empty if of none."""
    typed = word.upper()
    return next((name for name in names if len(name) >= _LEAST_LETTERS and _is_slip(typed, name)), "")


def _is_slip(typed: str, name: str) -> bool:
    """Whether two neighbours are exchanged; or, in a longer name, one letter is wrong, left out or too many."""
    if typed == name:
        return False
    pairs = enumerate(zip(typed, name, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), min(len(typed), len(name)))
    mine, its = typed[same:], name[same:]
    if len(mine) == len(its) and mine[:2] == its[1::-1] and mine[2:] == its[2:]:
        return True
    return len(name) >= _SURE_LETTERS and (mine[1:] == its[1:] or mine == its[1:] or mine[1:] == its)
