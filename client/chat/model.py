"""What the user knows of the chat: what was shown, and what can be asked for next. Events come in, lines come out.

Pure: no socket, no thread, no printing; a function that is given to it tells the time. Not safe for two threads at
once: `Session` holds a lock round it.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.chat.paging import Page, fit
from client.chat.people import People
from client.chat.presence import Mode, Presence
from client.chat.receipts import Receipts
from client.chat.summary import Summary
from client.render.formatting import Formatter, search_words
from client.render.layout import Size
from client.text import Line, body, hint, one_line, shown_name, trouble
from service.clock import format_time
from service.wire.limits import MAX_PAGE
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BroadcastEvent,
    DirectEvent,
    Dm,
    ErrorReply,
    History,
    HistoryReply,
    Login,
    LoginOkReply,
    Missed,
    MissedReply,
    Pm,
    Register,
    RenamedEvent,
    Resume,
    Search,
    SearchReply,
    Seen,
    StoredMessage,
    Users,
    UsersReply,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Sequence


_CONTEXT: Final = 3  # messages of the main room before the first unread one
_ROUND: Final = 4  # rows of a screen round a page: above it whose it is, below it OLDER, the prompt and the bar
_AROUND: Final = 8  # messages up to a match, and after it
_OLDER: Final = "OLDER shows what came before."
_REMEMBERED: Final = 10_000  # ids, to drop a message that comes twice; the second comes within seconds of the first


def _now() -> datetime:
    return datetime.now(UTC)


class Model:
    """One user's view of the chat. `zone` None is the time zone of this machine."""

    def __init__(
        self, clock: Callable[[], datetime] = _now, zone: tzinfo | None = None, *, presence: Mode = "all"
    ) -> None:
        self.people = People()
        self.presence = Presence(presence, self.people.is_muted)
        self.receipts = Receipts()
        self.is_connected = True
        self.unsent: Pm | Dm | None = None  # the last message that was refused
        self._clock = clock
        self._zone = zone
        self._formatter = Formatter(clock, zone)
        self._shown: dict[int, None] = {}  # ids that must not be shown again as news, oldest first
        self._seam = 0  # messages up to this id do not come live
        self._summary: Summary | None = None  # until it is shown
        self._older: AnyCommand | None = History()
        self._listing: History | Search = History()  # what HISTORY or SEARCH has shown last
        self._latest = ""  # the server's time of what came live last
        self._lost_at = clock()
        self._matches: dict[int, str | UnsetType] = {}  # by id, those that SEARCH has shown: the name talked with
        self._around: int | None = None  # the match around which the next page lies
        self._gap = 0  # messages that came while the connection was lost
        self._space: Size | None = None  # what the next page may take of the screen

    @property
    def name(self) -> str:
        """The user's name; empty before the login."""
        return self.people.name

    def older(self) -> AnyCommand | None:
        """The command for the page before the last one shown by HISTORY or SEARCH; None if there is none."""
        return self._older

    def reading(self, limit: int) -> History | Search | None:
        """The command to begin reading with where HISTORY or SEARCH has begun; None if nothing is older than that."""
        return replace(self._listing, limit=min(MAX_PAGE, limit)) if self._older else None

    def read(self, page: HistoryReply | SearchReply, asked: History | Search) -> Page:
        """A page for reading on; it counts as shown."""
        formatter = self._formatter.anew()  # the days of the talk go on below
        older = page.messages[0].id if page.messages and page.more else None
        if isinstance(asked, Search):
            older = older and page.messages[-1].id
            self._match(page.messages)
            lines = self._page(page.messages[::-1], formatter, words=search_words(asked.query))
        else:
            lines = self._page(page.messages, formatter, self._receive_page(page, asked))
        return Page(lines, None if older is None else replace(asked, before=older, ref=UNSET))

    def fill(self, command: History, size: Size) -> History:
        """The same command for as many messages as may fit the screen; of its page those that do are shown."""
        rows = max(1, size.rows - _ROUND)
        self._space = Size(size.columns, rows)
        return replace(command, limit=min(MAX_PAGE, rows))

    def receive(self, event: AnyEvent, request: AnyCommand | None = None) -> list[Line]:
        """The lines for an event; `request` is the command that it answers, if it answers one."""
        if self._summary and self._summary.take(event, request):
            return self.summarize() if self._summary.is_complete else []
        match event:
            case BroadcastEvent() | DirectEvent():
                lines = self._live(event)
            case UsersReply():
                lines = self._users(event, request)
            case RenamedEvent():
                lines = self._renamed(event)
            case ErrorReply():
                lines = self._error(event, request)
            case _:
                lines = [] if request is None else self._reply(event, request)
        return lines

    def ask_for_summary(self) -> list[AnyCommand]:
        """What to ask right after a login, so that the summary can say more; the last reply becomes its lines."""
        return self._summary.ask() if self._summary else []

    def summarize(self) -> list[Line]:
        """What was missed, as far as it is known."""
        if self._summary is None:
            return []
        return self._summary.lines(self._clock().astimezone(self._zone), self._formatter.moment)

    def news(self) -> list[AnyCommand]:
        """The commands for what is missed and unread; none if nothing is."""
        commands: list[AnyCommand] = []
        if self.receipts.missed:
            commands.append(Missed())
        if unread := self.receipts.unread:
            commands.append(History(before=self.receipts.covered, limit=min(MAX_PAGE, unread + _CONTEXT)))
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

    def lose(self, reason: str) -> list[Line]:
        """What to say of a lost connection while the link tries again."""
        self.is_connected = False
        self._summary = None  # what was missed comes by itself when the connection is back
        self._lost_at = self._clock()
        self._gap = 0
        return [trouble(reason), hint("Trying again; what you type meanwhile waits.")]

    def catch_up(self, messages: Sequence[StoredMessage]) -> list[Line]:
        """The lines for messages that came while the connection was lost; each that was shown before is left out."""
        fresh = [message for message in messages if message.id not in self._shown]
        self._gap += len(fresh)
        for message in fresh:
            self._remember(message.id)
            self.receipts.live(message.id)
            self.people.note_direct(message.id, message.from_, message.to)
        return self._talk(fresh, self._formatter)

    def come_back(self, login: LoginOkReply) -> list[Line]:
        """A line that says where the gap was, and who came or went meanwhile."""
        self.is_connected = True
        self._seam, before = login.last_id, self._lost_at
        self.receipts.come_back(login)
        others = self.people.others()
        self.people.update(login.users)
        self._latest = max(self._latest, login.time)
        lines = self._came_or_went(login.time, self.presence.come_back(others, self.people.others()))
        _, since = self._formatter.time(format_time(before))
        return [hint(f"-- connected again: {_count(self._gap, 'message')} came since {since}--"), *lines]

    def unconfirmed(self, commands: Sequence[AnyCommand]) -> list[Line]:
        """What to say of messages whose reply did not come before the connection ended."""
        texts = [_text(command) for command in commands]
        return [Line(("trouble", "Not confirmed, so perhaps not sent: "), ("", body(text))) for text in texts if text]

    # -- replies ------------------------------------------------------------------------------------------------------
    def _reply(self, event: AnyEvent, request: AnyCommand) -> list[Line]:
        match event, request:
            case LoginOkReply(), Login() | Register() | Resume():
                lines = self._logged_in(event)
            case AckReply(), Pm() | Dm():
                lines = self._sent(event, request)
            case MissedReply(), Missed():
                lines = self._missed(event)
            case HistoryReply(), History():
                lines = self._history(event, request)
            case SearchReply(), Search():
                lines = self._found(event, request)
            case _:  # for a message that is no answer
                lines = self.unconfirmed([request])
        return lines

    def _logged_in(self, login: LoginOkReply) -> list[Line]:
        self._seam = login.last_id
        self.receipts.start(login)
        self._formatter.meet(login.username)
        lines = [self.people.meet(login.username, login.users)]
        if login.motd:
            lines.append(Line(("hint", "The server says: "), ("", body(login.motd))))
        self._summary = Summary(login)
        if not login.missed and not login.unread:
            lines += self.summarize()
            self._summary = None
        return lines

    def _sent(self, ack: AckReply, request: Pm | Dm) -> list[Line]:
        if ack.id is not UNSET:
            if ack.id in self._shown:  # it was stored, its ack was lost, and it came back with what was missed
                return []
            self._remember(ack.id)
            if ack.to == self.name:  # a note to oneself does not come back to this session, and the user has seen it
                self.receipts.direct(ack.id)
        to: str | UnsetType = UNSET
        status = ""
        if isinstance(request, Dm):
            to = ack.to or request.to or ""
            self.people.know(to)
            status = f" ({'stored until they log in' if ack.status == 'stored' else one_line(ack.status or 'sent')})"
        text = request.message or ""
        line = self._formatter.line(ack.time, self.name, to, text, kind=request.kind, status=status)
        return self._formatter.on_its_day(ack.time, [line])

    def _error(self, error: ErrorReply, request: AnyCommand | None) -> list[Line]:
        if isinstance(request, (Login, Register, Resume)):
            return []  # the login says it, with what to do next
        if isinstance(request, Seen):
            return []  # the user asked for nothing; the messages stay unseen and are offered again
        reason = one_line(error.message)
        if isinstance(request, (Pm, Dm)):
            self.unsent = request
        text = _text(request) if request is not None else ""
        if text:
            # The text is repeated: the line that it was typed on is gone.
            return [
                Line(("trouble", f"Not sent: {reason.rstrip('.')}."), ("hint", " Your text was: "), ("", body(text)))
            ]
        return [trouble(reason)]

    # -- people online ------------------------------------------------------------------------------------------------
    def _users(self, event: UsersReply, request: AnyCommand | None) -> list[Line]:
        others = self.people.others()
        self.people.update(event.users)
        self._latest = max(self._latest, event.time)
        lines = self._came_or_went(event.time, self.presence.change(others, self.people.others()))
        if isinstance(request, Users):
            lines.append(self.people.list_online())
        return lines

    def _renamed(self, event: RenamedEvent) -> list[Line]:
        who = "you are" if event.from_ == self.name else f"{shown_name(event.from_)} is"
        is_muted = self.people.is_muted(event.from_)
        self.people.rename(event.from_, event.to)
        return [] if is_muted else self._came_or_went(event.time, [f"* {who} now called {shown_name(event.to)}"])

    def tell_presence(self, number: int) -> list[Line]:
        """The line about who came and went meanwhile; `number` is that of `presence.take_wait`."""
        return self._came_or_went(self._latest, self.presence.tell(number))

    def _came_or_went(self, time: str, texts: Sequence[str]) -> list[Line]:
        lines: list[Line] = []
        for text in texts:
            line = Line(self._formatter.time(time), ("presence", text), head=1)
            lines += self._formatter.on_its_day(time, [line])
        return lines

    # -- messages -----------------------------------------------------------------------------------------------------
    def _live(self, message: BroadcastEvent | DirectEvent) -> list[Line]:
        self.receipts.live(message.id)
        self._latest = max(self._latest, message.time)
        if message.id in self._shown:
            return []
        self._remember(message.id)
        to = message.to if isinstance(message, DirectEvent) else UNSET
        if to == self.name:
            self.receipts.direct(message.id)
        if self.people.is_muted(message.from_):
            return []
        self.people.note_direct(message.id, message.from_, to)
        self.people.know(message.from_)
        self.presence.speak(message.from_)
        return self._formatter.on_its_day(
            message.time, [self._formatter.line(message.time, message.from_, to, message.message, kind=message.kind)]
        )

    def _missed(self, page: MissedReply) -> list[Line]:
        fresh = [message for message in page.messages if message.id not in self._shown]
        self.receipts.missed_page(page.messages, more=page.more)
        for message in fresh:
            self.people.note_direct(message.id, message.from_, message.to)
        lines = [hint(f"-- {_count(len(fresh), 'direct message')} missed --"), *self._page(fresh)]
        return [*lines, hint("There are more: MISSED shows the next ones.")] if page.more else lines

    def _history(self, page: HistoryReply, asked: History) -> list[Line]:
        is_room = asked.with_ is UNSET
        if self._space is not None and asked.limit == min(MAX_PAGE, self._space.rows):
            page, self._space = fit(page, self._space, self._formatter, self.people), None
        if asked.after is not UNSET:  # the talk after a match
            self.receipts.page(page.messages)
            return [*self._page(page.messages), *([hint(_OLDER)] if self._older else [])]
        first_unread = self._receive_page(page, asked)
        self._listing = History(with_=asked.with_, before=asked.before)
        more = page.more and bool(page.messages)
        self._older = History(with_=asked.with_, before=page.messages[0].id) if more else None
        whose = "the room" if is_room else f"you and {one_line(page.with_ or asked.with_ or '')}"
        if self._around is not None and asked.before == self._around + 1:
            lines = [hint(f"-- around #{self._around}, {whose} --"), *self._page(page.messages)]
            self._around = None
            return lines
        head = hint(f"-- {whose}: {_count(len(page.messages), 'message')} --")
        lines = [head, *self._page(page.messages, first_unread=first_unread)]
        if more and is_room and self.receipts.unread:
            lines.append(hint(f"{self.receipts.unread} older ones are unread: {_OLDER}"))
        elif more:
            lines.append(hint(_OLDER))
        return lines

    def _receive_page(self, page: HistoryReply | SearchReply, asked: History) -> int | None:
        """Counts a page as shown; gives the id at which unread begins, if it begins there."""
        if asked.with_ is not UNSET:
            self.receipts.page(page.messages)
            return None
        first_unread = self.receipts.first_unread(asked, page.messages)
        self.receipts.room_page(asked, page.messages, more=page.more)
        return first_unread

    def _match(self, messages: Sequence[StoredMessage]) -> None:
        self.receipts.page(messages)
        self._matches |= {message.id: self._conversation(message) for message in messages}

    def _found(self, page: SearchReply, asked: Search) -> list[Line]:
        if asked.before is UNSET:
            self._matches.clear()
        self._match(page.messages)
        self._listing = Search(query=asked.query, with_=asked.with_)
        more = page.more and bool(page.messages)
        self._older = Search(query=asked.query, with_=asked.with_, before=page.messages[-1].id) if more else None
        lines = [
            hint(f'-- {_count(len(page.messages), "message")} with "{one_line(asked.query)}" --'),
            *self._page(page.messages[::-1], words=search_words(asked.query)),  # the newest last, as everywhere else
        ]
        if page.messages:
            older = " OLDER shows older ones." if more else ""
            lines.append(hint(f"AROUND {page.messages[0].id} shows the talk around a match.{older}"))
        return lines

    def _page(
        self,
        messages: Sequence[StoredMessage],
        formatter: Formatter | None = None,
        first_unread: int | None = None,
        words: re.Pattern[str] | None = None,
    ) -> list[Line]:
        for message in messages:
            if message.id > self._seam:  # it may still be on its way here
                self._remember(message.id)
        lines = self._talk(messages, formatter or self._formatter, first_unread, words)
        for line in lines:
            line.calls = False  # the user asked for it, and looks
        return lines

    def _talk(
        self,
        messages: Sequence[StoredMessage],
        formatter: Formatter,
        first_unread: int | None = None,
        words: re.Pattern[str] | None = None,
    ) -> list[Line]:
        lines: list[Line] = []
        for message in messages:
            if message.id == first_unread:
                lines.append(hint("-- unread from here --"))
            if self.people.is_muted(message.from_):
                continue
            is_match = words is not None or message.id == self._around
            note = f"  #{message.id}" if is_match else ""
            self.people.know(message.from_)
            line = formatter.line(
                message.time, message.from_, message.to, message.message, words, note, kind=message.kind
            )
            lines += formatter.on_its_day(message.time, [line])
        if hidden := sum(self.people.is_muted(message.from_) for message in messages):
            lines.append(hint(f"({_count(hidden, 'message')} of muted people not shown.)"))
        return lines

    def _conversation(self, message: StoredMessage) -> str | UnsetType:
        return message.from_ if message.to == self.name else message.to

    def _remember(self, message_id: int) -> None:
        self._shown[message_id] = None
        if len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]


def _text(command: AnyCommand) -> str:
    """The text of the message that a command carries; empty if it carries none."""
    return (command.message or "") if isinstance(command, (Pm, Dm)) else ""


def _count(number: int, noun: str) -> str:
    return f"{number or 'No'} {noun}{'' if number == 1 else 's'}"
