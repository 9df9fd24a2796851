"""What was said before, as far as the user has asked for it: pages become lines, and say what can be asked for next.

Pure, and not safe for two threads at once, as the model that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET
from msgspec.structs import replace

from client.chat.addressing import EVERYONE, ROOM, is_person, room_of, target_of_room
from client.chat.conversations import Opening
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

    from client.chat.conversations import Conversations
    from client.chat.deletions import Deletions
    from client.chat.people import People
    from client.chat.receipts import Receipts
    from client.render.formatting import Formatter

CONTEXT: Final = 3  # messages of a conversation before the first unread one
_ROUND: Final = 4  # rows of a screen round a page: above it whose it is, below it OLDER, the prompt and the bar
_AROUND: Final = 8  # messages up to a match, and after it
_OLDER: Final = "OLDER shows what came before."
_REMEMBERED: Final = 10_000  # ids, to drop a message that comes twice; the second comes within seconds of the first


class Backlog:
    """The messages that do not come live. What it gives as lines counts as shown."""

    def __init__(
        self,
        conversations: Conversations,
        people: People,
        receipts: Receipts,
        deletions: Deletions,
        formatter: Formatter,
    ) -> None:
        self.shown: Recent[int] = Recent(_REMEMBERED)  # ids that must not be shown again as news
        self.seam = 0  # messages up to this id do not come live
        self._conversations = conversations
        self._people = people
        self._receipts = receipts
        self._deletions = deletions
        self._formatter = formatter
        self._older: AnyCommand | None = History()
        self._listing: History | Search = History()  # what HISTORY or SEARCH has shown last
        self._matches: dict[int, str] = {}  # by id, those that SEARCH has shown: their conversations
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
        """The commands for what is missed and unread, as far as it is shown here; none if nothing is."""
        commands: list[AnyCommand] = []
        is_divided, conversation = self._conversations.is_divided, self._conversations.held
        if not is_divided:
            conversation = EVERYONE
            if self._receipts.missed:
                commands.append(Missed())
        marker = self._receipts.of(conversation)
        if unread := marker.unread:
            limit = min(MAX_PAGE, unread + CONTEXT)
            commands.append(replace(asking(conversation), before=marker.covered, limit=limit))
        return commands

    def has_news(self) -> bool:
        """Whether something is missed or unread, anywhere."""
        return bool(self.news() or (self._conversations.is_divided and self._conversations.next_unread()))

    def opening(self, conversation: str, context: int) -> Opening | None:
        """The command for what is unread in a conversation, and so many messages before it; None if for no message."""
        limit = min(MAX_PAGE, self._receipts.of(conversation).unread + context)
        asked = asking(conversation)
        return Opening(room=asked.room, with_=asked.with_, limit=limit) if limit else None

    def around(self, message_id: int) -> list[AnyCommand]:
        """The commands for the talk around a match of SEARCH; none if the id is no match."""
        if message_id not in self._matches:
            return []
        self._around = message_id
        asked = asking(self._matches[message_id])
        return [
            replace(asked, before=message_id + 1, limit=_AROUND),
            replace(asked, after=message_id, limit=_AROUND),
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
            lines = self.lines(page.messages, formatter, self._receive_page(page, asked), held=asked_of(asked))
        return Page(lines, None if older is None else replace(asked, before=older, ref=UNSET))

    def missed(self, page: MissedReply) -> list[Line]:
        """The lines for a page of missed messages."""
        fresh = [message for message in page.messages if message.id not in self.shown]
        self._receipts.missed_page(page.messages, more=page.more)
        for message in page.messages:
            if message.from_ in self._conversations:
                self._receipts.of(message.from_).read_one(message.id)
        for message in fresh:
            self._people.note_direct(message.id, message.from_, message.to)
        lines = [hint(f"-- {counted(len(fresh), 'direct message')} missed --"), *self.lines(fresh)]
        return [*lines, hint("There are more: MISSED shows the next ones.")] if page.more else lines

    def history(self, page: HistoryReply, asked: History) -> list[Line]:
        """The lines for a page of a room, or with one person."""
        conversation = asked_of(asked)
        if self._space is not None and asked.limit == min(MAX_PAGE, self._space.rows):
            page, self._space = fit(page, self._space, self._formatter, self._people), None
        if asked.after is not UNSET:  # the talk after a match
            self._receipts.page(page.messages)
            return [*self.lines(page.messages, held=conversation), *([hint(_OLDER)] if self._older else [])]
        first_unread = self._receive_page(page, asked)
        more = self._list(page, asked)
        whose = "the main room" if self._conversations.is_divided else "the room"
        if conversation != EVERYONE:
            whose = conversation
        if asked.with_ is not UNSET:
            whose = f"you and {page.with_ or asked.with_}"
        whose = one_line(whose)
        if self._around is not None and asked.before == self._around + 1:
            lines = [hint(f"-- around #{self._around}, {whose} --"), *self.lines(page.messages, held=conversation)]
            self._around = None
            return lines
        head = hint(f"-- {whose}: {counted(len(page.messages), 'message')} --")
        lines = self.lines(page.messages, first_unread=first_unread, numbered=asked.before is UNSET, held=conversation)
        return [head, *lines, *self._offer_older(conversation, more=more)]

    def opened(self, page: HistoryReply, asked: History) -> list[Line]:
        """The lines that a conversation is shown with, once it is held; a divider says how many are unread."""
        conversation = asked_of(asked)
        unread = self._receipts.of(conversation).unread
        first_unread = self._receive_page(page, asked)
        more = self._list(page, asked)
        lines = self.lines(page.messages, first_unread=first_unread, unread=unread, held=conversation)
        lines = lines or [hint("Nothing was said here yet.")]
        if self._receipts.of(conversation).unread:
            lines += self._offer_older(conversation, more=more)
        for line in lines:
            line.opens = True
        return tagged(lines, conversation)

    def _list(self, page: HistoryReply, asked: History) -> bool:
        """From now on OLDER goes on here; gives whether there is something older."""
        self._listing = History(room=asked.room, with_=asked.with_, before=asked.before)
        more = page.more and bool(page.messages)
        self._older = replace(self._listing, before=page.messages[0].id) if more else None
        return more

    def _offer_older(self, conversation: str, *, more: bool) -> list[Line]:
        if not more:
            return []
        unread = self._receipts.of(conversation).unread
        is_counted = unread and not is_person(conversation)
        return [hint(f"{unread:,} older ones are unread: {_OLDER}" if is_counted else _OLDER)]

    def _receive_page(self, page: HistoryReply | SearchReply, asked: History) -> int | None:
        """Counts a page as shown; gives the id at which unread begins, if it begins there."""
        conversation = asked_of(asked)
        marker, name = self._receipts.of(conversation), self._receipts.name
        first_unread, before = marker.first_unread(asked, page.messages, name), marker.unread
        self._receipts.page(page.messages)
        self._receipts.room_page(asked, page.messages, more=page.more, conversation=conversation)
        if asked.with_ is UNSET:
            return first_unread
        if not self._conversations.is_divided:
            return None
        self._receipts.missed = max(0, self._receipts.missed - before + marker.unread)
        return first_unread

    def _match(self, messages: Sequence[StoredMessage]) -> None:
        self._receipts.page(messages)
        name = self._people.name
        self._matches |= {message.id: self._conversations.target_of(message, name) for message in messages}

    def found(self, page: SearchReply, asked: Search) -> list[Line]:
        """The lines for matches."""
        if asked.before is UNSET:
            self._matches.clear()
        self._match(page.messages)
        self._listing = replace(asked, before=UNSET, limit=Search(query="").limit, ref=UNSET)
        more = page.more and bool(page.messages)
        self._older = replace(self._listing, before=page.messages[-1].id) if more else None
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
        unread: int = 0,
        held: str = EVERYONE,
        is_news: bool = False,
    ) -> list[Line]:
        """Messages in their order, without those of muted people; behind each its number, if they are `numbered`.

        `unread` is how many are, for the line above them. A message to another room than the one that is `held` bears
        that room's name. Unless they are news the user asked for them, and looks: they call nobody.
        """
        formatter = formatter or self._formatter
        if not is_news:
            for message in messages:
                if message.id > self.seam:  # it may still be on its way here
                    self.shown.add(message.id)
        lines: list[Line] = []
        for message in messages:
            if message.id == first_unread:
                lines.append(Line(("unread", f"-- {unread:,} unread --" if unread else "-- unread from here --")))
            if self._people.is_muted(message.from_):
                continue
            is_match = words is not None or message.id == self._around
            note = number(message) if is_match or numbered else ""
            self._people.know(message.from_)
            if not message.deleted:
                self._deletions.show(message.id, message.time)
            text = DELETED if message.deleted else message.message
            conversation = self._conversations.target_of(message, self._people.name)
            where = conversation if conversation.startswith(ROOM) and conversation != held else ""
            line = formatter.line(
                message.time, message.from_, message.to, text, words, note, where=one_line(where), kind=message.kind
            )
            line.calls, line.number = line.calls and is_news, message.id
            lines += tagged(formatter.on_its_day(message.time, [line], conversation), conversation)
        if hidden := sum(self._people.is_muted(message.from_) for message in messages):
            lines.append(hint(f"({counted(hidden, 'message')} of muted people not shown.)"))
        return lines


def asking(conversation: str) -> History:
    """The command for the newest messages of a conversation."""
    if conversation == EVERYONE:
        return History()
    room = room_of(conversation)
    return History(with_=conversation) if room is UNSET else History(room=room)


def asked_of(asked: History) -> str:
    """The conversation that a page was asked of."""
    return target_of_room(asked.room) if asked.with_ is UNSET else asked.with_


def tagged(lines: list[Line], conversation: str) -> list[Line]:
    """The same lines; they belong to this conversation."""
    for line in lines:
        line.conversation = conversation
    return lines
