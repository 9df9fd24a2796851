"""What the user knows of the chat: what was shown, and what can be asked for next. Events come in, lines come out.

Pure: no socket, no thread, no printing; a function that is given to it tells the time. Not safe for two threads at
once: `Session` holds a lock round it.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.chat.addressing import EVERYONE, target_of_room
from client.chat.arrivals import Arrivals
from client.chat.backlog import Backlog, tagged
from client.chat.conversations import Conversations, Divides, Opening
from client.chat.deletions import Deletions
from client.chat.people import People, Recount
from client.chat.presence import Mode, Presence
from client.chat.receipts import Receipts
from client.chat.roll import Roll, RollCall
from client.chat.rooms import Rooms
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
    MemberEvent,
    MembersReply,
    Missed,
    MissedReply,
    Moderate,
    Pm,
    PresenceEvent,
    ReadEvent,
    Register,
    RenamedEvent,
    Resume,
    RoomReply,
    Search,
    SearchReply,
    Seen,
    StoredMessage,
    Users,
    UsersReply,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNSURE: Final = "Perhaps sent: the server lost its database just then. It is tried again, and nobody gets it twice: "


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Model:
    """One user's view of the chat. `zone` None is the time zone of this machine."""

    def __init__(
        self,
        clock: Callable[[], datetime] = _utc_now,
        zone: tzinfo | None = None,
        *,
        presence: Mode = "all",
        divides: Divides = "rooms",
    ) -> None:
        self.people = People()
        self.presence = Presence(presence, self.people.is_muted)
        self.receipts = Receipts()
        self.conversations = Conversations(self.receipts, divides)
        self.deletions = Deletions()
        self.is_connected = True
        self.unsent: Pm | Dm | None = None  # the last message that was refused
        self._clock = clock
        self._zone = zone
        self._formatter = Formatter(clock, zone, is_split=divides == "always")
        self.backlog = Backlog(self.conversations, self.people, self.receipts, self.deletions, self._formatter)
        self.roll = Roll(self.people)
        self.rooms = Rooms(self.conversations, self.people, self.presence, self._now, self._formatter.moment)
        self.arrivals = Arrivals(
            self.conversations,
            self.people,
            self.presence,
            self.receipts,
            self.deletions,
            self.backlog,
            self.rooms,
            self._formatter,
        )
        self.is_unsure = False  # of who is online
        self._is_recounting = False
        self._summary: Summary | None = None  # until it is shown
        self._latest = ""  # the server's time of what came live last
        self._lost_at = clock()
        self._gap = 0  # messages that came while the connection was lost

    def _now(self) -> datetime:
        return self._clock().astimezone(self._zone)

    @property
    def name(self) -> str:
        """The user's name; empty before the login."""
        return self.people.name

    @property
    def missed(self) -> int:
        """Direct messages that are unseen, and in no conversation's count if they stand apart."""
        told = self.conversations.unread_direct() if self.conversations.is_divided else 0
        return max(0, self.receipts.missed - told)

    def addressed(self, command: AnyCommand) -> AnyCommand:
        """The command for the present name of who was renamed since the user saw, or typed, the one in it.

        A message for a room is for the one that the user is in: one of the same name may be made meanwhile.
        """
        if isinstance(command, Dm) and command.to:
            return replace(command, to=self.people.present_name(command.to))
        if isinstance(command, (History, Search)) and command.with_:
            return replace(command, with_=self.people.present_name(command.with_))
        if isinstance(command, Pm) and command.room and (target := target_of_room(command.room)) in self.conversations:
            return replace(command, created=self.conversations[target].created or UNSET)
        return command

    def takes_recount(self) -> bool:
        """Whether to ask who is online, as the counts differ; once, until the answer."""
        is_due, self._is_recounting = self.is_unsure and not self._is_recounting, self.is_unsure
        return is_due

    def receive(self, event: AnyEvent, request: AnyCommand | None = None) -> list[Line]:
        """The lines for an event; `request` is the command that it answers, if it answers one."""
        if self._summary and self._summary.take(event, request):
            if isinstance(event, MissedReply):
                self.arrivals.count_missed(event.messages)
            return self.summarize() if self._summary.is_complete else []
        match event:
            case BroadcastEvent() | DirectEvent():
                self._latest = max(self._latest, event.time)
                lines = self.arrivals.live(event)
            case UsersReply() | PresenceEvent():
                lines = self._users(event, request)
            case DeletedEvent():
                lines = self._deleted(event.id, event.by, event.time, event.room)
            case RenamedEvent():
                lines = self._renamed(event)
            case ErrorReply():
                lines = self._error(event, request)
            case _:
                lines = self._happened(event) if request is None else self._reply(event, request)
        return lines

    def ask_for_summary(self) -> list[AnyCommand]:
        """What to ask right after a login, so that the summary can say more; the last reply becomes its lines."""
        return self._summary.ask() if self._summary else []

    def summarize(self) -> list[Line]:
        """What was missed, as far as it is known."""
        if self._summary is None:
            return []
        return self._summary.lines(self._now(), self._formatter.moment)

    def lose(self, reason: str) -> list[Line]:
        """What to say of a lost connection while the link tries again."""
        self.is_connected = False
        self._is_recounting = False
        self._summary = None  # what was missed comes by itself when the connection is back
        self._lost_at = self._clock()
        self._gap = 0
        lines = self.arrivals.give_up()
        return [*lines, trouble(reason), hint("Trying again; what you type meanwhile waits.")]

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None = ()) -> list[Line]:
        """The lines for what came while the connection was lost; a message that was shown before is left out.

        `deleted` are the ids of messages that were deleted meanwhile; None: they are too many to be told.
        """
        fresh = [message for message in messages if message.id not in self.backlog.shown]
        self._gap += len(fresh)
        lines = self.arrivals.caught_up(fresh)
        for message_id in deleted or ():
            if (sent := self.deletions.take(message_id)) is not None:
                _, moment = self._formatter.time(sent)
                text = f"-- the message of {moment.rstrip()} was deleted meanwhile --"
                lines.append(_deleting(message_id, hint(text)))
        if deleted is None:
            lines.append(hint("-- many messages were deleted meanwhile: HISTORY shows what is left --"))
        return lines

    def come_back(self, login: LoginOkReply) -> list[Line]:
        """A line that says where the gap was, and who came or went meanwhile."""
        self.is_connected = True
        self.backlog.seam, before = login.last_id, self._lost_at
        self.receipts.come_back(login)
        lost = self.conversations.start(login, is_back=True)
        others = self.people.others()
        self.people.update(login.users)
        self.is_unsure = False
        self.roll.forget()
        self._latest = max(self._latest, login.time)
        lines = self._came_or_went(login.time, self.presence.come_back(others, self.people.others()))
        lines += [trouble(f"You are no longer in {one.title}.") for one in lost if one.role]
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
            case HistoryReply(), Opening():
                lines = self.arrivals.opened(event, request)
            case HistoryReply(), History():
                lines = self.backlog.history(event, request)
            case SearchReply(), Search():
                lines = self.backlog.found(event, request)
            case MembersReply(), RollCall():
                lines = self._called(event, request)
            case _:  # the last for a message that got no answer
                lines = self.rooms.reply(event, request) or self.unconfirmed([request])
        if isinstance(request, Moderate):
            self.roll.forget()
        return lines

    def _called(self, page: MembersReply, asked: RollCall) -> list[Line]:
        """Who is in a room, which the client has asked by itself: nothing is shown."""
        self.roll.take(page, asked)
        if not page.more:
            self.conversations[target_of_room(asked.room)].members = len(page.members)
        return []

    def _logged_in(self, login: LoginOkReply) -> list[Line]:
        self.backlog.seam = login.last_id
        self.receipts.start(login)
        self.conversations.start(login)
        self._latest = login.time
        self._formatter.meet(login.username)
        lines = [self.people.meet(login.username, login.users)]
        if login.motd:
            lines.append(Line(("hint", "The server says: "), ("", body(login.motd))))
        if note := self.rooms.mute_note(self.conversations[EVERYONE]):
            lines.append(hint(note))
        invited = [one_line(room.room) for room in login.rooms or [] if room.invited]
        lines += [hint(f"You are invited to #{room}. JOIN {room} joins it.") for room in invited]
        self._summary = Summary(login, is_divided=self.conversations.is_divided)
        if not login.missed and not login.unread:  # there is nothing to ask for
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
            self.conversations[to]  # from now on it is in the list
            status = f" ({'stored until they log in' if ack.status == 'stored' else one_line(ack.status or 'sent')})"
        text = request.message or ""
        if ack.id is not UNSET and ack.time is not UNSET:
            self.deletions.send(ack.id, ack.time, text)
        target = to or self.rooms.target(request.room if isinstance(request, Pm) else UNSET)
        where = self.arrivals.where(target) if to is UNSET else ""
        line = self._formatter.line(ack.time, self.name, to, text, where=where, kind=request.kind, status=status)
        line.number = ack.id or 0
        return tagged(self._formatter.on_its_day(ack.time, [line], target), target)

    def _error(self, error: ErrorReply, request: AnyCommand | None) -> list[Line]:
        if isinstance(request, (Login, Register, Resume)):
            return []  # the login says it, with what to do next
        if isinstance(request, (Seen, RollCall)):
            return []  # the user asked for nothing; the messages stay unseen and are offered again
        lines = self.arrivals.give_up(request) if isinstance(request, Opening) else []
        reason, then = one_line(error.message), self.rooms.next_step(error, request)
        if isinstance(request, (Pm, Dm)) and error.maybe is True:
            return [Line(("trouble", _UNSURE), ("", body(_text(request))))]
        if isinstance(request, (Pm, Dm)):
            # EDIT would send the same again, where the server knows no such kind.
            self.unsent = replace(request, kind=UNSET) if error.code == "unknown_kind" else request
        text = _text(request) if request is not None else ""
        if text:
            # The text is repeated: the line that it was typed on is gone.
            why = f"Not sent: {reason.rstrip('.')}.{' ' if then else ''}{then}"
            return [Line(("trouble", why), ("hint", " Your text was: "), ("", body(text)))]
        return [*lines, trouble(f"{sentence(error.message)} {then}".rstrip())]

    # -- people online ------------------------------------------------------------------------------------------------
    def _users(self, event: UsersReply | PresenceEvent, request: AnyCommand | None) -> list[Line]:
        others = self.people.others()
        if isinstance(event, UsersReply):
            self.people.update(event.users)
        else:
            self.people.change(event.arrived, event.left)
        self.is_unsure = isinstance(event, PresenceEvent) and event.online != self.people.online
        self._is_recounting = self._is_recounting and self.is_unsure
        self._latest = max(self._latest, event.time)
        lines = self._came_or_went(event.time, self.presence.change(others, self.people.others()))
        if isinstance(request, Users) and not isinstance(request, Recount):
            lines.append(self.people.list_online())
        return lines

    def _happened(self, event: AnyEvent) -> list[Line]:
        """Something was done in a room, or read: what concerns the user is told whichever conversation is held."""
        if isinstance(event, ReadEvent):
            self.arrivals.read_elsewhere(event)
        if not isinstance(event, (MemberEvent, RoomReply)):
            return []
        target, always, texts = self.rooms.happen(event)
        if isinstance(event, MemberEvent):
            self.roll.happen(event)
            self._latest = max(self._latest, event.time)
        is_heard = target == self.conversations.held or not self.conversations.is_divided
        lines = self._came_or_went(self._latest, [always] if always else texts if is_heard else [], target)
        by_others = event.gone if isinstance(event, RoomReply) else event.by != self.name and event.action != "leave"
        for line in lines:
            line.calls = bool(always and by_others) and not line.is_day
        return lines

    def _renamed(self, event: RenamedEvent) -> list[Line]:
        who = f"{shown_name(event.from_)} is"
        if event.from_ == self.name:
            who = "you are"
            self._formatter.meet(event.to)
            self.receipts.name = event.to
        is_muted = self.people.is_muted(event.from_)
        self.people.rename(event.from_, event.to)
        self.roll.rename(event.from_, event.to)
        self.conversations.rename(event.from_, event.to)
        return [] if is_muted else self._came_or_went(event.time, [f"{who} now called {shown_name(event.to)}"])

    def tell_presence(self, number: int) -> list[Line]:
        """The line about who came and went meanwhile; `number` is that of `presence.take_wait`."""
        return self._came_or_went(self._latest, self.presence.tell(number))

    def _came_or_went(self, time: str, texts: Sequence[str], conversation: str = "") -> list[Line]:
        lines: list[Line] = []
        for text in texts:
            # No message looks so: shown_name.
            line = Line(self._formatter.time(time), ("presence", f"-- {text}"), head=1)
            lines += tagged(self._formatter.on_its_day(time, [line], conversation), conversation)
        return lines

    def _deleted(self, message_id: int, by: str | UnsetType, time: str, room: str | UnsetType = UNSET) -> list[Line]:
        """A message was deleted. Nothing is said of one that is not on show, unless the user asked for it."""
        self.arrivals.read_elsewhere(ReadEvent(ids=[message_id]))  # a direct one is missed no longer
        sent = self.deletions.take(message_id)
        if sent is None:
            return [_deleting(message_id, hint(f"Message {message_id} is deleted."))] if by == self.name else []
        if by is not UNSET and self.people.is_muted(by):  # in silence
            silent = _deleting(message_id, hint(""))
            silent.is_aside = True
            return [silent]
        who = "you" if by == self.name else "the operator" if by is UNSET else shown_name(by)
        _, moment = self._formatter.time(sent)
        target = target_of_room(room)
        where = f" in {one_line(target)}" if room is not UNSET and target != self.conversations.held else ""
        lines = self._came_or_went(time, [f"{who} deleted a message of {moment.rstrip()}{where}"])
        return [*lines[:-1], _deleting(message_id, lines[-1])]


def _deleting(message_id: int, line: Line) -> Line:
    """The same line; it says that this message is deleted."""
    line.deletes = message_id
    return line


def _text(command: AnyCommand) -> str:
    """The text of the message that a command carries; empty if it carries none."""
    return (command.message or "") if isinstance(command, (Pm, Dm)) else ""
