"""The screen as rows of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from client.chat.roll import Person
from client.full.picture import (
    ASCII,
    LINES,
    Widths,
    conversations,
    divide,
    foot,
    head,
    join,
    pending,
    people,
    rules,
    whole,
)
from client.render.layout import columns_of
from client.render.status_bar import Tab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.full.picture import Row

WIDE_NAME = "\u4f60" * 32  # of 64 columns
AT_80 = divide(80, is_list=False, is_bare=False)
AT_120 = divide(120, is_list=False, is_bare=False)
AT_40 = divide(40, is_list=True, is_bare=False)


def texts(rows: Sequence[Row]) -> list[str]:
    return ["".join(text for _, text in row) for row in rows]


def tab(
    number: int, *, unread: int = 0, mentions: int = 0, held: int = 1, title: str = "", is_talk: bool = False
) -> Tab:
    title = title or f"#room{number:02}"
    return Tab(number, title, title, unread, mentions, number == held, is_talk)


@pytest.mark.parametrize(
    ("columns", "is_list", "is_bare", "widths"),
    [
        (40, False, False, Widths(0, 40, 0)),
        (59, False, True, Widths(0, 59, 0)),
        (59, True, False, Widths(59, 0, 0)),
        (60, True, False, Widths(19, 41, 0)),
        (79, False, False, Widths(19, 60, 0)),
        (80, False, False, Widths(25, 55, 0)),
        (99, False, False, Widths(25, 74, 0)),
        (100, False, False, Widths(25, 56, 19)),
        (120, False, False, Widths(25, 70, 25)),
        (120, True, True, Widths(0, 120, 0)),
    ],
)
def test_columns(columns: int, is_list: bool, is_bare: bool, widths: Widths) -> None:
    """Conversations from 60 on, members from 100 on; a narrow screen has the list in place of the talk, if asked."""
    assert divide(columns, is_list=is_list, is_bare=is_bare) == widths


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (40, " #ops  Deploys and nothing e\u2026 3 members "),
        (20, " #ops     3 members "),
        (14, " #\u2026 3 members "),
        (8, " 3 memb\u2026"),
    ],
)
def test_head(columns: int, shown: str) -> None:
    """The topic gives way, then the place; who is there stays longest."""
    row = head("#ops", "Deploys and nothing else", "3 members", columns, is_well=True)
    assert texts([row]) == [shown]
    assert columns_of(shown) == columns


def test_what_is_not_well_is_set_off() -> None:
    """In words, and in the colour of trouble."""
    assert head("#ops", "", "Reconnecting", 40, is_well=False)[-1] == ("status-bar class:trouble", " Reconnecting ")


@pytest.mark.parametrize(
    ("widths", "words", "row"),
    [
        (Widths(0, 12, 0), "", "------------"),
        (Widths(0, 20, 0), "3 new below", "-- 3 new below -----"),
        (Widths(5, 10, 5), "", "---+------------+---"),
        (Widths(20, 0, 0), "", "--------------------"),
        (Widths(0, 8, 0), "3 new below", "-- 3 ne\u2026"),
    ],
)
def test_foot(widths: Widths, words: str, row: str) -> None:
    """It joins the rules between the columns, and says what is new below."""
    assert texts([foot(words, widths, ASCII)]) == [row]


def test_conversations() -> None:
    """The held one is marked; behind each stands what is unread, with a star for one's name, but in a talk."""
    tabs = [
        tab(1, title="all"),
        tab(2, unread=12, mentions=1),
        tab(3, unread=2, mentions=2, title="@bob", is_talk=True),
        tab(10, unread=1, title=f"#{WIDE_NAME}"),
    ]
    rows = texts(conversations(tabs, AT_80, 20))
    assert rows == [
        ">1 all                 ",
        " 2 #room02         12* ",
        " 3 @bob             2  ",
        f"   #{WIDE_NAME[:7]}\u2026 1  ",
    ]
    assert {columns_of(row) for row in rows} == {23}
    assert columns_of(texts(conversations(tabs, AT_40, 20))[3]) == 40


@pytest.mark.parametrize(
    ("held", "first", "last"),
    [
        (1, ">1 #room01             ", "   37 more, 10 unread"),
        (20, "   18 more, 4 unread", "   20 more, 5 unread   "),
        (40, "   37 more, 9 unread   ", ">  #room40          1  "),
    ],
)
def test_more_conversations_than_rows(held: int, first: str, last: str) -> None:
    """The held one is in sight; the others are counted, with those that have something unread."""
    tabs = [tab(number, unread=int(number % 4 == 0), held=held) for number in range(1, 41)]
    rows = texts(conversations(tabs, AT_80, 4))
    assert (rows[0].rstrip(), rows[-1].rstrip(), len(rows)) == (first.rstrip(), last.rstrip(), 4)


def test_one_row_for_conversations() -> None:
    """Has the held one."""
    assert texts(conversations([tab(1), tab(2), tab(3)], AT_80, 1)) == [">1 #room01             "]


def test_people() -> None:
    """Who is online first, then the others in brackets; a rank stands behind a name, however long that is."""
    members = [Person("zoe", is_online=False), Person("alice", "owner"), Person(WIDE_NAME, "mod"), Person("bob")]
    rows = texts(people(members, 4, AT_120, 9))
    assert rows == [" alice owner", f" {WIDE_NAME[:8]}\u2026 mod", " bob", "(zoe)"]
    assert max(map(columns_of, rows)) <= 23
    assert texts(people(members, 4, AT_120, 2)) == [" alice owner", " 3 more"]
    assert texts(people(members, 1_200, AT_120, 5))[-1] == " 1,196 more"
    assert texts(people(members, 6, AT_120, 9))[-1] == " 2 more"


@pytest.mark.parametrize("widths", [AT_80, whole(80)])
def test_no_space_for_people(widths: Widths) -> None:
    """Nothing is drawn."""
    assert people([Person("bob")], 1, widths, 9) == []


def test_columns_beside_one_another() -> None:
    """The talk stands at its foot, between rules that go all the way."""
    rows = join([[("", "left")]], [[("", "a")], [("", "b")]], [[("", "x")]], Widths(7, 3, 4), 3, LINES)
    assert texts(rows) == ["left \u2502     \u2502x ", "     \u2502 a   \u2502  ", "     \u2502 b   \u2502  "]


def test_what_is_read_from_the_right() -> None:
    """Marks at the rules keep the columns of that row in their order, also in a terminal that turns such text."""
    rows = join([], [[("", "\u05e9")], [("", "\u4f60")]], [[("", "\u05e9")]], Widths(4, 3, 4), 2, LINES)
    assert [row.count("\u200e") for row in texts(rows)] == [2, 0]
    assert {columns_of(row) for row in texts(rows)} == {11}


def test_one_column() -> None:
    """Talk alone is drawn without rules; the list alone fills its rows."""
    assert texts(join([], [[("", "a")]], [], whole(5), 2, LINES)) == ["", "a"]
    assert texts(join([[("", "l")]], [[("", "a")]], [], Widths(3, 0, 0), 2, LINES)) == ["l  ", "   "]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "C.UTF-8"}, LINES),
        ({"LC_ALL": "de_DE.utf8", "LANG": "C"}, LINES),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, ASCII),
        ({"LC_ALL": "", "LC_CTYPE": "en_GB.UTF-8"}, LINES),
        ({}, ASCII),
    ],
)
def test_rules(variables: dict[str, str], expected: object) -> None:
    """They are lines where the locale is in UTF-8."""
    assert rules(variables) == expected


def test_pending() -> None:
    """A row for each message."""
    assert pending([("time", "(pending) you: a\n"), ("time", "(pending) you: b\n")]) == [
        [("time", "(pending) you: a")],
        [("time", "(pending) you: b")],
    ]
