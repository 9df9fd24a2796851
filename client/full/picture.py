"""The screen as rows of text: the head, three columns, the rule above the line being typed. Pure.

All texts come safe (client/text.py). Everything is said in words or marks: a colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import bidirectional

from client.render.layout import WIDE, columns_of, cut
from client.render.status_bar import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from client.chat.roll import Person
    from client.render.status_bar import Tab

Row = Sequence[tuple[str, str]]  # parts, each a style and a text

_MEMBERS: Final = 100  # columns of a screen that has space for members
_SIDE: Final = (19, 25)  # columns of a side, with its rule; on a screen that has just enough, and on a roomy one
_ROOMY_LEFT, _ROOMY_RIGHT = 80, 120  # columns of a screen that is roomy for the conversations, and for the members
_BESIDE: Final = 2  # of those, the rule and a blank between it and the talk
# Keeps a row's columns in their order, in a terminal that turns text that is read from the right.
_LEFT_TO_RIGHT: Final = "\u200e"
_TOPIC: Final = 12  # columns at least; less says nothing
_AWAY: Final = 2  # columns for the brackets of who is not online


class Rules(NamedTuple):
    """What the lines between the columns are drawn with."""

    down: str
    across: str
    joint: str  # of one downward that ends in one across


LINES: Final = Rules("\u2502", "\u2500", "\u2534")
ASCII: Final = Rules("|", "-", "+")


class Widths(NamedTuple):
    """Columns of the screen for each part; 0: it is not there. Those at the sides have their rule in it."""

    left: int
    talk: int
    right: int


def rules(variables: Mapping[str, str]) -> Rules:
    """What the terminal can draw: lines, where its locale is in UTF-8."""
    locale = next(filter(None, (variables.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return LINES if "utf8" in locale.lower().replace("-", "") else ASCII


def whole(columns: int) -> Widths:
    """The talk has the screen."""
    return Widths(0, columns, 0)


def divide(columns: int, *, is_list: bool, is_bare: bool) -> Widths:
    """How the screen is divided: `is_bare` is without the columns at the sides.

    A narrow screen has none; there `is_list` has the conversations in place of the talk.
    """
    if columns < WIDE:
        return Widths(columns, 0, 0) if is_list else whole(columns)
    if is_bare:
        return whole(columns)
    left = _SIDE[columns >= _ROOMY_LEFT]
    right = _SIDE[columns >= _ROOMY_RIGHT] if columns >= _MEMBERS else 0
    return Widths(left, columns - left - right, right)


def head(place: str, topic: str, state: str, columns: int, *, is_well: bool) -> Row:
    """Where one is, the topic, and at the right who is there or what is not well; of these the topic gives way."""
    style = "status-bar" if is_well else "status-bar class:trouble"
    right = cut(f" {state} ", columns)
    left = cut(f" {place}", columns - columns_of(right))
    space = columns - columns_of(left) - columns_of(right)
    middle = cut(f"  {topic}", space) if topic and space >= _TOPIC else ""
    middle += " " * (space - columns_of(middle))
    return [("status-bar class:place", left), ("status-bar", middle), (style, right)]


def foot(words: str, widths: Widths, rules: Rules) -> Row:
    """The rule above the line being typed, with what is new below; columns that end there are joined to it."""
    before = rules.across * (widths.left - _BESIDE) + rules.joint + rules.across if widths.left and widths.talk else ""
    behind = rules.across + rules.joint + rules.across * (widths.right - _BESIDE) if widths.right else ""
    columns = widths.talk or widths.left
    said = cut(f"{rules.across * 2} {words} ", columns) if words else ""
    across = rules.across * (columns - columns_of(said))
    return [("rule", before), ("unread", said), ("rule", across + behind)]


def conversations(tabs: Sequence[Tab], widths: Widths, rows: int) -> list[Row]:
    """The list of them, the held one in sight; what does not fit is counted, with what is unread there."""
    columns = widths.left - _BESIDE if widths.talk else widths.left
    if columns <= 0:
        return []
    held = next((number for number, tab in enumerate(tabs) if tab.is_held), 0)
    if len(tabs) <= rows:
        return [_conversation(tab, columns) for tab in tabs]
    first = min(max(0, held - rows // 2), len(tabs) - rows)
    shown = [_conversation(tab, columns) for tab in tabs[first : first + rows]]
    if first and rows > 2:  # noqa: PLR2004  # the held one, and one that gives way at each end
        shown[0] = _others(tabs[: first + 1], columns)
    if first + rows < len(tabs) and rows > 1:
        shown[-1] = _others(tabs[first + rows - 1 :], columns)
    return shown


def _conversation(tab: Tab, columns: int) -> Row:
    key = str(tab.number) if tab.number <= KEYS else " "
    count = f" {tab.unread}{'*' if tab.mentions and not tab.is_talk else ' '} " if tab.unread else " "
    title = cut(tab.title, columns - 3 - columns_of(count))
    space = " " * (columns - 3 - columns_of(title) - columns_of(count))
    style = "held" if tab.is_held else "unread" if tab.unread else ""
    return [(style, f"{'>' if tab.is_held else ' '}{key} {title}{space}{count}")]


def _others(tabs: Sequence[Tab], columns: int) -> Row:
    unread = sum(tab.unread > 0 for tab in tabs)
    text = f"   {len(tabs)} more" + (f", {unread} unread" if unread else "")
    return [("unread" if unread else "presence", cut(text, columns))]


def people(members: Sequence[Person], count: int, widths: Widths, rows: int) -> list[Row]:
    """The members, who is online first, others in brackets; of more than fit, or than are known, the last row counts.

    `count` is how many there are.
    """
    columns = widths.right - _BESIDE
    if columns <= 0:
        return []
    ordered = sorted(members, key=lambda person: not person.is_online)
    shown = ordered if count <= rows else ordered[: rows - 1]
    drawn = [_person(person, columns) for person in shown]
    more = count - len(shown)
    return [*drawn, [("presence", cut(f" {more:,} more", columns))]] if more > 0 and shown else drawn


def _person(person: Person, columns: int) -> Row:
    rank = f" {person.rank}" if person.rank else ""
    name = cut(person.name, columns - _AWAY - columns_of(rank))
    if person.is_online:
        return [("", f" {name}"), ("presence", rank)]
    return [("presence", f"({name}){rank}")]


def pending(parts: Sequence[tuple[str, str]]) -> list[Row]:
    """A row for each message without an ack, out of parts that each end their row."""
    return [[(style, text.rstrip("\n"))] for style, text in parts]


def join(
    left: Sequence[Row], talk: Sequence[Row], right: Sequence[Row], widths: Widths, height: int, rules: Rules
) -> list[Row]:
    """The columns beside one another, as high as the space for them; the talk stands at its foot."""
    above: list[Row] = [[] for _ in range(height - len(talk))]
    beside = widths.left - _BESIDE if widths.talk else widths.left
    rows: list[Row] = []
    for number, row in enumerate([*above, *talk]):
        parts: list[tuple[str, str]] = []
        if widths.left:
            parts += _side(left, number, beside)
        if widths.left and widths.talk:
            parts.append(("rule", f"{rules.down}{_LEFT_TO_RIGHT if _is_turned(row) else ''} "))
        if widths.talk:
            parts += _filled(row, widths.talk) if widths.right else row
        if widths.right:
            parts.append(("rule", f" {rules.down}{_LEFT_TO_RIGHT if _is_turned(row) else ''}"))
            parts += _side(right, number, widths.right - _BESIDE)
        rows.append(parts)
    return rows


def _is_turned(row: Row) -> bool:
    """Whether some of it is read from the right."""
    text = "".join(text for _, text in row)
    return not text.isascii() and any(bidirectional(character) in {"R", "AL"} for character in text)


def _side(rows: Sequence[Row], number: int, columns: int) -> Row:
    return _filled(rows[number] if number < len(rows) else [], columns)


def _filled(row: Row, columns: int) -> Row:
    space = columns - columns_of("".join(text for _, text in row))
    return [*row, ("", " " * space)] if space > 0 else row
