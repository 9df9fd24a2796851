"""What was said before, as far as the user has asked for it: pages become lines, and say what can be asked for next.

Pure, and not safe for two threads at once, as the model that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.chat.deletions import DELETED
from client.chat.paging import Page, fit, number
from client.chat.recent import Recent
from client.render.formatting import search_words
from client.render.layout import Size
from client.text import Line, counted, hint, one_line
from service.wire.limits import MAX_PAGE
from service.wire.protocol import (
    AnyCommand,
    History,
    HistoryReply,
    Missed,
    MissedReply,
    Search,
    SearchReply,
    StoredMessage,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from client.chat.deletions import Deletions
    from client.chat.people import People
    from client.chat.receipts import Receipts
    from client.render.formatting import Formatter

_CONTEXT: Final = 3  # messages of the main room before the first unread one
_ROUND: Final = 4  # rows of a screen round a page: above it whose it is, below it OLDER, the prompt and the bar
_AROUND: Final = 8  # messages up to a match, and after it
_OLDER: Final = "OLDER shows what came before."
_REMEMBERED: Final = 10_000  # ids, to drop a message that comes twice; the second comes within seconds of the first


class Backlog:
    """The messages that do not come live. What it gives as lines counts as shown."""

    def __init__(self, people: People, receipts: Receipts, deletions: Deletions, formatter: Formatter) -> None:
        self.shown: Recent[int] = Recent(_REMEMBERED)  # ids that must not be shown again as news
        self.seam = 0  # messages up to this id do not come live
        self._people = people
        self._receipts = receipts
        self._deletions = deletions
        self._formatter = formatter
        self._older: AnyCommand | None = History()
        self._listing: History | Search = History()  # what HISTORY or SEARCH has shown last
        self._matches: dict[int, str | UnsetType] = {}  # by id, those that SEARCH has shown: the name talked with
        self._around: int | None = None  # the match around which the next page lies
        self._space: Size | None = None  # what the next page may take of the screen

    # -- what to ask for ----------------------------------------------------------------------------------------------
    def older(self) -> AnyCommand | None:
        """The command for the page before the last one shown by HISTORY or SEARCH; None if there is none."""
        return self._older

    def reading(self, limit: int) -> History | Search | None:
        """The command to begin reading with where HISTORY or SEARCH has begun; None if nothing is older than that."""
        return replace(self._listing, limit=min(MAX_PAGE, limit)) if self._older else None

    def fill(self, command: History, size: Size) -> History:
        """The same command for as many messages as may fit the screen; of its page those that do are shown."""
        rows = max(1, size.rows - _ROUND)
        self._space = Size(size.columns, rows)
        return replace(command, limit=min(MAX_PAGE, rows))

    def news(self) -> list[AnyCommand]:
        """The commands for what is missed and unread; none if nothing is."""
        commands: list[AnyCommand] = []
        if self._receipts.missed:
            commands.append(Missed())
        if unread := self._receipts.unread:
            commands.append(History(before=self._receipts.covered, limit=min(MAX_PAGE, unread + _CONTEXT)))
        return commands

    def around(self, message_id: int) -> list[AnyCommand]:
        """The commands for the talk around a match of SEARCH; none if the id is no match."""
        if message_id not in self._matches:
            return []
        self._around = message_id
        with_ = self._matches[message_id]
        return [
            History(with_=with_, before=message_id + 1, limit=_AROUND),
            History(with_=with_, after=message_id, limit=_AROUND),
        ]

    # -- pages ---------------------------------------------------------------------------------------------------------
    def read(self, page: HistoryReply | SearchReply, asked: History | Search) -> Page:
        """A page for reading on; it counts as shown."""
        formatter = self._formatter.anew()  # the days of the talk go on below
        older = page.messages[0].id if page.messages and page.more else None
        if isinstance(asked, Search):
            older = older and page.messages[-1].id
            self._match(page.messages)
            lines = self.lines(page.messages[::-1], formatter, words=search_words(asked.query))
        else:
            lines = self.lines(page.messages, formatter, self._receive_page(page, asked))
        return Page(lines, None if older is None else replace(asked, before=older, ref=UNSET))

    def missed(self, page: MissedReply) -> list[Line]:
        """The lines for a page of missed messages."""
        fresh = [message for message in page.messages if message.id not in self.shown]
        self._receipts.missed_page(page.messages, more=page.more)
        for message in fresh:
            self._people.note_direct(message.id, message.from_, message.to)
        lines = [hint(f"-- {counted(len(fresh), 'direct message')} missed --"), *self.lines(fresh)]
        return [*lines, hint("There are more: MISSED shows the next ones.")] if page.more else lines

    def history(self, page: HistoryReply, asked: History) -> list[Line]:
        """The lines for a page of the room, or with one person."""
        is_room = asked.with_ is UNSET
        if self._space is not None and asked.limit == min(MAX_PAGE, self._space.rows):
            page, self._space = fit(page, self._space, self._formatter, self._people), None
        if asked.after is not UNSET:  # the talk after a match
            self._receipts.page(page.messages)
            return [*self.lines(page.messages), *([hint(_OLDER)] if self._older else [])]
        first_unread = self._receive_page(page, asked)
        self._listing = History(with_=asked.with_, before=asked.before)
        more = page.more and bool(page.messages)
        self._older = History(with_=asked.with_, before=page.messages[0].id) if more else None
        whose = "the room" if is_room else f"you and {one_line(page.with_ or asked.with_ or '')}"
        if self._around is not None and asked.before == self._around + 1:
            lines = [hint(f"-- around #{self._around}, {whose} --"), *self.lines(page.messages)]
            self._around = None
            return lines
        head = hint(f"-- {whose}: {counted(len(page.messages), 'message')} --")
        lines = [head, *self.lines(page.messages, first_unread=first_unread, numbered=asked.before is UNSET)]
        if more and is_room and self._receipts.unread:
            lines.append(hint(f"{self._receipts.unread} older ones are unread: {_OLDER}"))
        elif more:
            lines.append(hint(_OLDER))
        return lines

    def _receive_page(self, page: HistoryReply | SearchReply, asked: History) -> int | None:
        """Counts a page as shown; gives the id at which unread begins, if it begins there."""
        if asked.with_ is not UNSET:
            self._receipts.page(page.messages)
            return None
        first_unread = self._receipts.first_unread(asked, page.messages)
        self._receipts.room_page(asked, page.messages, more=page.more)
        return first_unread

    def _match(self, messages: Sequence[StoredMessage]) -> None:
        self._receipts.page(messages)
        self._matches |= {message.id: self._conversation(message) for message in messages}

    def found(self, page: SearchReply, asked: Search) -> list[Line]:
        """The lines for matches."""
        if asked.before is UNSET:
            self._matches.clear()
        self._match(page.messages)
        self._listing = Search(query=asked.query, with_=asked.with_)
        more = page.more and bool(page.messages)
        self._older = Search(query=asked.query, with_=asked.with_, before=page.messages[-1].id) if more else None
        lines = [
            hint(f'-- {counted(len(page.messages), "message")} with "{one_line(asked.query)}" --'),
            *self.lines(page.messages[::-1], words=search_words(asked.query)),  # the newest last, as everywhere else
        ]
        if page.messages:
            older = " OLDER shows older ones." if more else ""
            lines.append(hint(f"AROUND {page.messages[0].id} shows the talk around a match.{older}"))
        return lines

    def lines(
        self,
        messages: Sequence[StoredMessage],
        formatter: Formatter | None = None,
        first_unread: int | None = None,
        words: re.Pattern[str] | None = None,
        *,
        numbered: bool = False,
        is_news: bool = False,
    ) -> list[Line]:
        """Messages in their order, without those of muted people; behind each its number, if they are `numbered`.

        Unless they are news the user asked for them, and looks: they call nobody.
        """
        formatter = formatter or self._formatter
        if not is_news:
            for message in messages:
                if message.id > self.seam:  # it may still be on its way here
                    self.shown.add(message.id)
        lines: list[Line] = []
        for message in messages:
            if message.id == first_unread:
                lines.append(hint("-- unread from here --"))
            if self._people.is_muted(message.from_):
                continue
            is_match = words is not None or message.id == self._around
            note = number(message) if is_match or numbered else ""
            self._people.know(message.from_)
            if not message.deleted:
                self._deletions.show(message.id, message.time)
            text = DELETED if message.deleted else message.message
            line = formatter.line(message.time, message.from_, message.to, text, words, note, kind=message.kind)
            line.calls = line.calls and is_news
            lines += formatter.on_its_day(message.time, [line])
        if hidden := sum(self._people.is_muted(message.from_) for message in messages):
            lines.append(hint(f"({counted(hidden, 'message')} of muted people not shown.)"))
        return lines

    def _conversation(self, message: StoredMessage) -> str | UnsetType:
        return message.from_ if message.to == self._people.name else message.to
