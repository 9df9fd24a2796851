"""Lines on screens of some width."""

from __future__ import annotations

import re

import pytest

from client.render.layout import arrange, columns_of, cut, rows_of
from client.text import Line, body, hint, marked

WIDE = "\u4f60"


def shown(line: Line, columns: int) -> list[str]:
    return "".join(text for _, text in arrange(line, columns)).split("\n")[:-1]


def said(text: str, name: str = "bob") -> Line:
    mentions = marked(text, re.compile("bob"))
    return Line(("time", "09:30 "), ("name0", name), ("", ": "), *mentions, head=3)


@pytest.mark.parametrize(
    ("line", "columns", "rows"),
    [
        (said("hi"), 40, ["09:30 bob: hi"]),
        (said("one two three four five six"), 30, ["09:30 bob: one two three four ", "           five six"]),
        (said("a" * 30), 30, ["09:30 bob: " + "a" * 19, "           " + "a" * 11]),
        (
            said("\u4f60\u597d" * 6),
            30,
            ["09:30 bob: " + "\u4f60\u597d" * 4 + "\u4f60", "           \u597d\u4f60\u597d"],
        ),
        (said("\U0001f469\u200d\U0001f52c" * 10), 30, None),
        (said("one\n09:30 bob: two"), 40, ["09:30 bob: one", "           09:30 bob: two"]),
        (said("    if x:\n        y()"), 40, ["09:30 bob:     if x:", "                   y()"]),
        (hint(body("one\n09:30 bob: two")), 40, ["one", "    09:30 bob: two"]),
        (said("x", "n" * 32), 40, ["09:30 " + "n" * 32 + ": ", " " * 16 + "x"]),
        (hint("a long hint that does not fit"), 16, ["a long hint that", "does not fit"]),
        (said("hello @bob, you"), 24, ["09:30 bob: hello @bob, ", "        you"]),
        (said("hello @bob, you"), 21, ["09:30 bob: hello ", "     @bob, you"]),
        (said("a" + " " * 50 + "b"), 30, ["09:30 bob: a", "           b"]),
        (said("tab\there"), 40, ["09:30 bob: tab    here"]),
        (Line(("hint", "Online (2):"), names=["alice", "bob"]), 40, ["Online (2):", "  alice  bob"]),
        (
            Line(("hint", "Online:"), names=["alexandria", "b", "\u4f60\u597d", "d", "e"]),
            30,
            ["Online:", "  alexandria  d", "  b           e", "  \u4f60\u597d"],
        ),
    ],
)
def test_rows(line: Line, columns: int, rows: list[str] | None) -> None:
    """Text is wrapped between words under itself, wide characters count double, nothing is too wide."""
    arranged = shown(line, columns)
    assert rows is None or arranged == rows
    assert max(map(columns_of, arranged)) <= columns


LONG = "https://chat.example/" + "bob/" * 10


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (f"see https://chat.example/ {LONG}", ["09:30 bob: see https://chat.example/ ", "           " + LONG]),
        (f"see {LONG} too", ["09:30 bob: see ", "           " + LONG + " too"]),
        (f"see {LONG}, there", ["09:30 bob: see ", "           " + LONG + ", there"]),
        (f"\u4f60\u597d{LONG}\uff0c\u4f60", ["09:30 bob: \u4f60\u597d", "           " + LONG + "\uff0c\u4f60"]),
        ("HTTPS://" + "a" * 40, ["09:30 bob: HTTPS://" + "a" * 40]),
        ("HTTPS://" + "a" * 30 + " b", ["09:30 bob: ", "  HTTPS://" + "a" * 30, "           b"]),
        ("see HTTPS://" + "a" * 22, ["09:30 bob: see ", "          HTTPS://" + "a" * 22]),
        (LONG[:24] + "\u2800" + "x" * 20, ["09:30 bob: " + LONG[:24] + "\u2800" + "x" * 4, "           " + "x" * 16]),
    ],
)
def test_a_url_stays_whole(text: str, rows: list[str]) -> None:
    """A URL stands in one row; the terminal itself wraps one that is too long, so copying gives it whole."""
    assert shown(said(text), 40) == rows


@pytest.mark.parametrize(("text", "rows"), [("a", 1), ("a\nb\n", 3), ("x" * 60, 3), (LONG, 2), (f"a {LONG} b", 3)])
def test_rows_are_counted(text: str, rows: int) -> None:
    """Those in which a URL goes on, too."""
    assert rows_of(said(text), 40) == rows


@pytest.mark.parametrize("columns", [1, 3, 8, 16, 40])
def test_a_further_line_stands_further_in(columns: int) -> None:
    """On a screen that has the space, however narrow, no further line of a message begins where messages do."""
    rows = shown(said("a\nb"), columns)
    assert rows[-1].lstrip() == "b"
    assert rows[-1].startswith(" ") is (columns >= 4)


@pytest.mark.parametrize("columns", [1, 2, 5, 12, 20])
def test_narrow_screens_lose_nothing(columns: int) -> None:
    """However narrow the screen, every letter is there."""
    rows = shown(said("some words and averylongonewithoutspaces"), columns)
    assert "".join("".join(rows).split()) == "09:30bob:somewordsandaverylongonewithoutspaces"


@pytest.mark.parametrize(
    ("text", "columns", "left"),
    [
        ("bob", 3, "bob"),
        ("bobby", 3, "bo…"),
        (WIDE * 3, 5, WIDE * 2 + "…"),
        ("bob", 0, ""),
        ("bob", 1, "…"),
    ],
)
def test_a_text_is_cut(text: str, columns: int, left: str) -> None:
    """What does not fit ends with an ellipsis."""
    assert cut(text, columns) == left
