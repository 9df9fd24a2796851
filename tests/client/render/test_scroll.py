"""Many lines on a screen."""

from __future__ import annotations

import pytest

from client.render import scroll as scroll_module
from client.render.layout import Size, arrange
from client.render.scroll import Scroll
from client.text import Line, Part, hint


def scroll(*texts: str, size: tuple[int, int] = (20, 3)) -> Scroll:
    made = Scroll(Size(*size))
    made.add_above([hint(text) for text in texts])
    return made


def rows(made: Scroll) -> list[str]:
    return "".join(text for _, text in made.shown()).split("\n")


def test_the_end_is_shown_first() -> None:
    """Lines above come as one moves up, and no further than there are."""
    made = scroll("1", "2", "3", "4", "5")
    assert (rows(made), made.is_at_end) == (["3", "4", "5"], True)
    assert (made.move(-1), rows(made)) == (-1, ["2", "3", "4"])
    assert (made.move(-9), rows(made), made.is_at_end) == (-1, ["1", "2", "3"], False)
    assert (made.move(9), rows(made)) == (2, ["3", "4", "5"])
    made.move(-2)
    made.to_end()
    assert rows(made) == ["3", "4", "5"]


def test_few_lines() -> None:
    """Nothing moves where all fits, or nothing is there."""
    assert (scroll("1").move(-5), scroll("1").move(5), rows(scroll("1"))) == (0, 0, ["1"])
    assert (scroll().move(-1), rows(scroll())) == (0, [""])


def test_what_comes_above_moves_nothing() -> None:
    """Older lines are above what is shown."""
    made = scroll("3", "4", "5", "6")
    made.move(-1)
    made.add_above([hint("1"), hint("2")])
    assert (rows(made), made.length) == (["3", "4", "5"], 6)
    assert (made.move(-9), rows(made)) == (-2, ["1", "2", "3"])


def test_what_comes_below_at_the_end() -> None:
    """The end stays on show."""
    made = scroll("1", "2", "3")
    made.add_below([hint("4"), hint("5")])
    assert (rows(made), made.new) == (["3", "4", "5"], 0)


def test_what_comes_below_while_one_reads_above() -> None:
    """The place is kept, and what is new is counted, but for days, until the end is shown."""
    made = scroll("1", "2", "3", "4")
    made.move(-1)
    made.add_below([Line(("day", "Monday")), *map(hint, "56789")])
    assert (rows(made), made.new) == (["1", "2", "3"], 5)
    assert (made.move(6), made.new, made.move(6), made.new) == (6, 5, 1, 0)


def test_the_oldest_lines_are_dropped() -> None:
    """Of more than so many at the end; who reads above keeps the place until there are twice as many."""
    made = Scroll(Size(20, 2), most=3)
    made.add_below(list(map(hint, "12345")))
    assert ([line.text for line in made.lines()], rows(made), made.length) == (["3", "4", "5"], ["4", "5"], 3)
    made.move(-1)
    made.add_below(list(map(hint, "678")))
    assert (rows(made), made.length) == (["3", "4"], 6)
    made.add_below([hint("9")])
    assert ([line.text for line in made.lines()], rows(made)) == (["7", "8", "9"], ["7", "8"])


def test_what_is_not_shown_is_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10,000 lines a screen, a step and another width wrap only those on the screen, also where old ones go."""
    wrapped: list[str] = []

    def counted(line: Line, columns: int) -> list[Part]:
        wrapped.append(line.text)
        return arrange(line, columns)

    monkeypatch.setattr(scroll_module, "arrange", counted)
    made = Scroll(Size(20, 3), most=5_000)
    for number in range(10_000):
        made.add_below([hint(str(number))])
    assert (rows(made), len(wrapped)) == (["9997", "9998", "9999"], 3)
    made.add_below([hint("new")])
    made.move(-2)
    made.resize(Size(30, 3))
    assert (rows(made), len(wrapped)) == (["9996", "9997", "9998"], 8)


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


def test_a_line_is_replaced() -> None:
    """By the number of its message, also one that had more rows, of which some were below the screen."""
    made = Scroll(Size(9, 2))
    long = hint("two three four")
    long.number = 7
    made.add_below([hint("one"), long, hint("five")])
    made.move(-2)
    made.replace(7, lambda line: hint(line.text[:3]))
    assert rows(made) == ["one", "two"]


def test_a_line_is_brought_up() -> None:
    """To the top, if it is above what is shown; else nothing moves."""
    made, line = Scroll(Size(9, 2)), hint("one two three")
    made.add_below([hint("zero"), line, hint("four"), hint("five")])
    for _ in range(2):
        made.bring_up(line)
        assert [row.rstrip() for row in rows(made)] == ["one two", "three"]


def test_names_stand_in_columns() -> None:
    """As everywhere else, on rows of their own."""
    made = Scroll(Size(20, 5))
    made.add_below([Line(("hint", "Online (3):"), names=["alice", "bob", "carol"])])
    assert [row.rstrip() for row in rows(made)] == ["Online (3):", "  alice  carol", "  bob"]


def test_a_long_url_is_cut_into_rows() -> None:
    """No terminal wraps it here."""
    assert rows(scroll("see https://chat.example/a/long/one", size=(20, 5))) == [
        "see ",
        "https://chat.example",
        "/a/long/one",
    ]
