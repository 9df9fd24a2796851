"""What stands round the line being typed: the status bar below it, the messages without an ack above it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from client.render.layout import WIDE, columns_of, cut
from client.text import one_line
from service.wire.protocol import Dm, Pm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.text import Part

KEYS: Final = 9  # conversations that a key with a digit leads to: Alt-1 to Alt-9
_MOST_PENDING: Final = 3  # rows; the talk needs the screen
_GAP: Final = " | "
_DOT: Final = " \u00b7 "
_LEAST: Final = 16  # columns for what is unread elsewhere; a long name gives way to them


class Tab(NamedTuple):
    """A conversation in a list: its number from 1 on, where messages to it go, what it is called, what is unread in it.

    `title` is safe to show: `#ops`, `@bob`. In a talk with one person every unread message is a mention.
    """

    number: int
    target: str
    title: str
    unread: int
    mentions: int
    is_held: bool
    is_talk: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How the chat is just now. `missed`: direct messages not seen yet. `unread`: conversations that are not held."""

    name: str
    is_connected: bool
    online: int
    missed: int
    pending: Sequence[Pm | Dm]
    unread: Sequence[Tab] = ()


def status_bar(status: Status, columns: int) -> str:
    """One row of at most `columns`: the connection, the name, how many are online, what is unread."""
    is_wide = columns >= WIDE
    if status.is_connected:
        pieces = ["connected" if is_wide else "ok", "", f"{status.online} online"]
    else:  # the client does not know who is online
        pieces = ["connection lost, trying again" if is_wide else "trying again", ""]
    if status.missed:
        pieces.append(f"{status.missed} direct unread" if is_wide else f"{status.missed} unread")
    elsewhere = unread_tabs(status.unread, _LEAST)
    for_it = columns_of(_GAP + elsewhere) if elsewhere else 0
    left = columns - 1 - columns_of(_GAP.join(pieces)) - for_it
    pieces[1] = cut(one_line(status.name), max(1, left))
    if elsewhere:
        pieces.append(unread_tabs(status.unread, columns - 1 - columns_of(_GAP.join([*pieces, ""]))))
    return cut(" " + _GAP.join(pieces), columns)


def unread_tabs(tabs: Sequence[Tab], columns: int) -> str:
    """What is unread where: `#ops 3* · @bob 1`, a star for one's name; those first that call, as many as fit."""
    texts = [
        f"{tab.title} {tab.unread}{'*' if tab.mentions and not tab.is_talk else ''}"
        for tab in sorted(tabs, key=lambda tab: not tab.mentions)
    ]
    for shown in range(len(texts), 0, -1):
        more = [f"+{len(texts) - shown}"] if shown < len(texts) else []
        text = _DOT.join([*texts[:shown], *more])
        if columns_of(text) <= columns:
            return text
    return f"+{len(texts)}" if texts else ""


def pending_rows(status: Status, columns: int) -> list[Part]:
    """A row for each message that has no ack yet, the oldest first; of many only a few, and how many more."""
    rows = [
        cut(f"(pending) {_sketch(command, status.name)}", columns - 1) for command in status.pending[:_MOST_PENDING]
    ]
    if surplus := len(status.pending) - len(rows):
        rows.append(f"(pending) and {surplus} more")
    return [("time", f"{row}\n") for row in rows]


def _sketch(command: Pm | Dm, name: str) -> str:
    to = (command.to or "") if isinstance(command, Dm) else f"#{command.room}" if command.room else ""
    whom = f" -> {one_line(to)}" if to else ""
    text = one_line(command.message or "")
    if command.kind == "action":
        return f"* {one_line(name)}{whom}{':' if whom else ''} {text}"
    return f"you{whom}: {text}"
