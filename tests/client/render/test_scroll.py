"""Many lines on a screen."""

from __future__ import annotations

import pytest

from client.render.layout import Size
from client.render.scroll import Scroll
from client.text import Line, hint


def scroll(*texts: str, size: tuple[int, int] = (20, 3)) -> Scroll:
    made = Scroll(Size(*size))
    made.add_above([hint(text) for text in texts])
    return made


def rows(made: Scroll) -> list[str]:
    return "".join(text for _, text in made.shown()).split("\n")


def test_the_end_is_shown_first() -> None:
    """Lines above come as one moves up, and no further than there are."""
    made = scroll("1", "2", "3", "4", "5")
    assert (rows(made), made.above, made.below) == (["3", "4", "5"], 2, 0)
    assert (made.move(-1), rows(made)) == (-1, ["2", "3", "4"])
    assert (made.move(-9), rows(made), made.above, made.below) == (-1, ["1", "2", "3"], 0, 2)
    assert (made.move(9), rows(made)) == (2, ["3", "4", "5"])


def test_few_lines() -> None:
    """Nothing moves where all fits, or nothing is there."""
    assert (scroll("1").move(-5), scroll("1").move(5), rows(scroll("1"))) == (0, 0, ["1"])
    assert (scroll().move(-1), rows(scroll())) == (0, [""])


def test_what_comes_above_moves_nothing() -> None:
    """Older lines are above what is shown."""
    made = scroll("3", "4", "5", "6")
    made.move(-1)
    made.add_above([hint("1"), hint("2")])
    assert (rows(made), made.above, made.length) == (["3", "4", "5"], 2, 6)


@pytest.mark.parametrize(
    ("older", "shown"),
    [("Monday", ["Monday", "a", "b"]), ("Sunday", ["Sunday", "a", "Monday", "b"])],
)
def test_a_day_is_named_once(older: str, shown: list[str]) -> None:
    """Where a page ends in the day that the next one begins with."""
    made = Scroll(Size(20, 9))
    made.add_above([Line(("day", "Monday")), hint("b")])
    made.add_above([Line(("day", older)), hint("a")])
    assert rows(made) == shown
    made.resize(Size(21, 9))
    assert rows(made) == shown


def test_another_size() -> None:
    """After a change of the width the line at the foot stays there, wrapped anew."""
    made = scroll("one", "two three four", "five", "six")
    made.move(-1)
    assert rows(made) == ["one", "two three four", "five"]
    made.resize(Size(9, 3))
    assert rows(made) == ["two three", "four", "five"]
    made.resize(Size(20, 9))
    assert rows(made) == ["one", "two three four", "five", "six"]


def test_a_long_url_is_cut_into_rows() -> None:
    """No terminal wraps it here."""
    assert rows(scroll("see https://chat.example/a/long/one", size=(20, 5))) == [
        "see ",
        "https://chat.example",
        "/a/long/one",
    ]
