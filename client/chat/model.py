"""What the user knows of the chat: what was shown, and what can be asked for next. Events come in, lines come out.

Pure: no socket, no thread, no printing; a function that is given to it tells the time. Not safe for two threads at
once: `Session` holds a lock round it.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.chat.backlog import Backlog
from client.chat.deletions import Deletions
from client.chat.people import People
from client.chat.presence import Mode, Presence
from client.chat.receipts import Receipts
from client.chat.summary import Summary
from client.render.formatting import Formatter
from client.text import Line, body, counted, hint, one_line, sentence, shown_name, trouble
from service.clock import format_time
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BroadcastEvent,
    Delete,
    DeletedEvent,
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
    from collections.abc import Callable, Sequence


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
        self.deletions = Deletions()
        self.is_connected = True
        self.unsent: Pm | Dm | None = None  # the last message that was refused
        self._clock = clock
        self._zone = zone
        self._formatter = Formatter(clock, zone)
        self.backlog = Backlog(self.people, self.receipts, self.deletions, self._formatter)
        self._summary: Summary | None = None  # until it is shown
        self._latest = ""  # the server's time of what came live last
        self._lost_at = clock()
        self._gap = 0  # messages that came while the connection was lost

    @property
    def name(self) -> str:
        """The user's name; empty before the login."""
        return self.people.name

    def receive(self, event: AnyEvent, request: AnyCommand | None = None) -> list[Line]:
        """The lines for an event; `request` is the command that it answers, if it answers one."""
        if self._summary and self._summary.take(event, request):
            return self.summarize() if self._summary.is_complete else []
        match event:
            case BroadcastEvent() | DirectEvent():
                lines = self._live(event)
            case UsersReply():
                lines = self._users(event, request)
            case DeletedEvent():
                lines = self._deleted(event.id, event.by, event.time)
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

    def lose(self, reason: str) -> list[Line]:
        """What to say of a lost connection while the link tries again."""
        self.is_connected = False
        self._summary = None  # what was missed comes by itself when the connection is back
        self._lost_at = self._clock()
        self._gap = 0
        return [trouble(reason), hint("Trying again; what you type meanwhile waits.")]

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None = ()) -> list[Line]:  # noqa: ARG002
        """The lines for messages that came while the connection was lost; each that was shown before is left out."""
        fresh = [message for message in messages if message.id not in self.backlog.shown]
        self._gap += len(fresh)
        for message in fresh:
            self.backlog.shown.add(message.id)
            self.receipts.live(message.id)
            self.people.note_direct(message.id, message.from_, message.to)
            if message.to == self.name:
                self.receipts.direct(message.id)
        return self.backlog.lines(fresh, is_news=True)

    def come_back(self, login: LoginOkReply) -> list[Line]:
        """A line that says where the gap was, and who came or went meanwhile."""
        self.is_connected = True
        self.backlog.seam, before = login.last_id, self._lost_at
        self.receipts.come_back(login)
        others = self.people.others()
        self.people.update(login.users)
        self._latest = max(self._latest, login.time)
        lines = self._came_or_went(login.time, self.presence.come_back(others, self.people.others()))
        _, since = self._formatter.time(format_time(before))
        return [hint(f"-- connected again: {counted(self._gap, 'message')} came since {since}--"), *lines]

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
            case AckReply(), Delete():
                lines = self._deleted(request.id, self.name, format_time(self._clock()))
            case MissedReply(), Missed():
                lines = self.backlog.missed(event)
            case HistoryReply(), History():
                lines = self.backlog.history(event, request)
            case SearchReply(), Search():
                lines = self.backlog.found(event, request)
            case _:  # for a message that is no answer
                lines = self.unconfirmed([request])
        return lines

    def _logged_in(self, login: LoginOkReply) -> list[Line]:
        self.backlog.seam = login.last_id
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
            if ack.id in self.backlog.shown:  # it was stored, its ack was lost, and it came back with what was missed
                return []
            self.backlog.shown.add(ack.id)
            if ack.to == self.name:  # a note to oneself does not come back to this session, and the user has seen it
                self.receipts.direct(ack.id)
        to: str | UnsetType = UNSET
        status = ""
        if isinstance(request, Dm):
            to = ack.to or request.to or ""
            self.people.know(to)
            status = f" ({'stored until they log in' if ack.status == 'stored' else one_line(ack.status or 'sent')})"
        text = request.message or ""
        if ack.id is not UNSET and ack.time is not UNSET:
            self.deletions.send(ack.id, ack.time, text)
        line = self._formatter.line(ack.time, self.name, to, text, kind=request.kind, status=status)
        return self._formatter.on_its_day(ack.time, [line])

    def _error(self, error: ErrorReply, request: AnyCommand | None) -> list[Line]:
        if isinstance(request, (Login, Register, Resume)):
            return []  # the login says it, with what to do next
        if isinstance(request, Seen):
            return []  # the user asked for nothing; the messages stay unseen and are offered again
        reason = one_line(error.message)
        if isinstance(request, (Pm, Dm)):
            # EDIT would send the same again, where the server knows no such kind.
            self.unsent = replace(request, kind=UNSET) if error.code == "unknown_kind" else request
        text = _text(request) if request is not None else ""
        if text:
            # The text is repeated: the line that it was typed on is gone.
            return [
                Line(("trouble", f"Not sent: {reason.rstrip('.')}."), ("hint", " Your text was: "), ("", body(text)))
            ]
        return [trouble(sentence(error.message))]

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
        who = f"{shown_name(event.from_)} is"
        if event.from_ == self.name:
            who = "you are"
            self._formatter.meet(event.to)
            self.receipts.name = event.to
        is_muted = self.people.is_muted(event.from_)
        self.people.rename(event.from_, event.to)
        return [] if is_muted else self._came_or_went(event.time, [f"{who} now called {shown_name(event.to)}"])

    def tell_presence(self, number: int) -> list[Line]:
        """The line about who came and went meanwhile; `number` is that of `presence.take_wait`."""
        return self._came_or_went(self._latest, self.presence.tell(number))

    def _came_or_went(self, time: str, texts: Sequence[str]) -> list[Line]:
        lines: list[Line] = []
        for text in texts:
            line = Line(
                self._formatter.time(time), ("presence", f"-- {text}"), head=1
            )  # no message looks so: shown_name
            lines += self._formatter.on_its_day(time, [line])
        return lines

    # -- messages -----------------------------------------------------------------------------------------------------
    def _live(self, message: BroadcastEvent | DirectEvent) -> list[Line]:
        self.receipts.live(message.id)
        self._latest = max(self._latest, message.time)
        if message.id in self.backlog.shown:
            return []
        self.backlog.shown.add(message.id)
        to = message.to if isinstance(message, DirectEvent) else UNSET
        if to == self.name:
            self.receipts.direct(message.id)
        if self.people.is_muted(message.from_):
            return []
        self.people.note_direct(message.id, message.from_, to)
        self.people.know(message.from_)
        self.presence.speak(message.from_)
        self.deletions.show(message.id, message.time)
        return self._formatter.on_its_day(
            message.time, [self._formatter.line(message.time, message.from_, to, message.message, kind=message.kind)]
        )

    def _deleted(self, message_id: int, by: str | UnsetType, time: str) -> list[Line]:
        """A message was deleted. Nothing is said of one that is not on show, unless the user asked for it."""
        sent = self.deletions.take(message_id)
        if sent is None:
            return [hint(f"Message {message_id} is deleted.")] if by == self.name else []
        if by is not UNSET and self.people.is_muted(by):
            return []
        who = "you" if by == self.name else "the operator" if by is UNSET else shown_name(by)
        _, moment = self._formatter.time(sent)
        return self._came_or_went(time, [f"{who} deleted a message of {moment.rstrip()}"])


def _text(command: AnyCommand) -> str:
    """The text of the message that a command carries; empty if it carries none."""
    return (command.message or "") if isinstance(command, (Pm, Dm)) else ""
