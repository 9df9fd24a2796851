"""A set that stays small."""

from __future__ import annotations

from client.chat.recent import Recent


def test_the_oldest_goes_first() -> None:
    """And what is added again keeps its place."""
    recent: Recent[int] = Recent(3)
    for number in (1, 2, 1, 3, 4):
        recent.add(number)
    assert (list(recent), 1 in recent, 4 in recent) == ([2, 3, 4], False, True)


def test_what_is_forgotten_makes_space() -> None:
    """What is not there may be forgotten, too."""
    recent: Recent[int] = Recent(2)
    for number in (1, 2):
        recent.add(number)
    recent.discard(1)
    recent.discard(9)
    recent.add(3)
    assert list(recent) == [2, 3]
