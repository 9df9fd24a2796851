"""What each conversation shows, and where one reads in it: its lines, those that wait above, what is new below. Pure.

A conversation that is opened anew begins with the page that it is opened with; until that comes, it is as it was left.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from client.chat.addressing import EVERYONE
from client.chat.backlog import asking
from client.chat.deletions import DELETED
from client.render.layout import Size
from client.render.scroll import Scroll
from client.text import Line, hint
from service.wire.limits import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.chat.paging import Page
    from client.render.scroll import Row
    from service.wire.protocol import History

MOST_LINES: Final = 10_000  # of a conversation; the oldest go, and come again when one scrolls up
MOST_READ: Final = 1_000_000  # characters; beyond them SEARCH is of more use
MOST_KEPT: Final = 10  # conversations whose lines are kept; others begin anew, as all do where there is a connection
_MOST_NOTES: Final = 20  # lines; a small screen is full of them
_SPARE: Final = 20  # messages to ask for beyond what is owed
BEGINNING: Final = "-- the beginning --"


class Transcript:
    """The lines of one conversation."""

    def __init__(self, target: str, size: Size) -> None:
        self.scroll = Scroll(size, MOST_LINES)
        self.problem = ""  # why there is nothing older
        self._target = target
        self._first = 0  # the id of the first message that there is; 0: not known
        self._is_asked = False  # a page is on its way
        self._owed = 0  # rows to go up once it is there

    def renamed(self, target: str) -> Transcript:
        """The same, of a person who has another name now."""
        for line in self.scroll.lines():
            line.conversation = target if line.conversation == self._target else line.conversation
        self._target = target
        return self

    def move(self, rows: int) -> None:
        """Goes down so many rows, or up if it is negative; what is missing above is owed."""
        went = self.scroll.move(rows)
        self._owed = max(0, went - rows) if rows < 0 else 0

    def ask(self) -> History | None:
        """The command for the page that is owed; None if none is, or it is on its way."""
        oldest = self._oldest()
        if not self._owed or self._is_asked or oldest in {0, self._first}:
            return None
        if self.scroll.length > MOST_READ:
            self.problem, self._owed = "SEARCH finds what is older", 0
            return None
        self._is_asked, self.problem = True, ""
        return replace(asking(self._target), before=oldest, limit=min(MAX_PAGE, self._owed + _SPARE))

    def _oldest(self) -> int:
        """The id of the first message that stands here; 0: none does."""
        own = (line.number for line in self.scroll.lines() if line.number and line.conversation == self._target)
        return next(own, 0)

    def take(self, page: Page | str) -> None:
        """The page is there, or why it is not."""
        self._is_asked = False
        if isinstance(page, str):
            self.problem, self._owed = page, 0
            return
        self.scroll.add_above(page.lines)
        if page.older is None:
            self._first = self._oldest()
            self.scroll.add_above([hint(BEGINNING)])
        self.move(-self._owed)


def _without_text(line: Line) -> Line:
    """The line of a deleted message."""
    emptied = Line(*line.parts[: line.head], ("", DELETED), head=line.head)
    emptied.number, emptied.conversation = line.number, line.conversation
    return emptied


class Transcripts:
    """The transcripts by conversation; those that were held longest ago are forgotten."""

    def __init__(self) -> None:
        self._size = Size(80, 24)
        self.target = EVERYONE  # the conversation that is held
        self._all: dict[str, Transcript] = {}
        self._notes: deque[Line] = deque(maxlen=_MOST_NOTES)  # what the client said since the user did something

    @property
    def held(self) -> Transcript:
        """That of the conversation that is held."""
        if self.target not in self._all:
            self._all[self.target] = Transcript(self.target, self._size)
        return self._all[self.target]

    def hold(self, target: str) -> None:
        """From now on this conversation is held."""
        if target == self.target:
            return
        self.target = target
        self._notes.clear()
        kept = self._all.pop(target, None)
        self._all[target] = kept or Transcript(target, self._size)  # the last to be forgotten
        if len(self._all) > MOST_KEPT:
            del self._all[next(iter(self._all))]

    def rename(self, target: str) -> None:
        """The one that is held has another name."""
        if (kept := self._all.pop(self.target, None)) is not None:
            self._all[target] = kept.renamed(target)
        self.target = target

    def put(self, lines: Sequence[Line]) -> None:
        """Puts lines below those of the conversation that is held; a page that opens it replaces them.

        `lines` has such a page whole. What the client has said meanwhile then stands below it. If more is unread in it
        than the screen has space for, one begins to read there. A line that says that a message is deleted takes its
        text away, in other conversations as well: it must not be there on turning to one.
        """
        due: list[Line] = []
        divider: Line | None = None
        is_page = False
        for line in lines:
            if line.opens and not is_page:
                self._all.pop(self.target, None)
                due, divider = list(self._notes), None
                self._notes.clear()
            elif not line.opens:
                due = self._say_again(due)
            is_page = line.opens
            if is_page and line.parts[0][0] == "unread":
                divider = line
            if line.deletes:
                for transcript in self._all.values():
                    transcript.scroll.replace(line.deletes, _without_text)
            if line.is_aside:
                continue
            if not line.conversation:
                self._notes.append(line)
            self.held.scroll.add_below([line])
        self._say_again(due)
        if divider is not None:
            self.held.scroll.bring_up(divider)

    def _say_again(self, notes: list[Line]) -> list[Line]:
        """Puts what the client has said below the page that has replaced it; none is left."""
        self.held.scroll.add_below(notes)
        self._notes.extend(notes)
        return []

    def forget_notes(self) -> None:
        """What the client has said so far need not be said again."""
        self._notes.clear()

    def resize(self, size: Size) -> None:
        """There is so much space for the held one."""
        self._size = size
        self.held.scroll.resize(size)

    def rows(self) -> Sequence[Row]:
        """What is shown of the held one."""
        return self.held.scroll.rows()
