"""Rooms in words: who is in them, who came, what moderators do, why something was refused and what to do next. Pure.

It keeps the conversations as the events say. Like the model that it belongs to it is not safe for two threads at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from client.chat.addressing import EVERYONE, ROOM, shown_target, target_of_room
from client.text import Line, counted, hint, named, one_line, sentence, shortened, shown_name
from service.wire.limits import MAX_MINUTES
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BansReply,
    Create,
    ErrorReply,
    Join,
    Leave,
    MemberEvent,
    Members,
    MembersReply,
    Moderate,
    Pm,
    RoomInfo,
    RoomReply,
    RoomsReply,
    SetRoom,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from client.chat.conversations import Conversation, Conversations
    from client.chat.people import People
    from client.chat.presence import Presence
    from client.text import Part

_DONE: Final = {  # by action: of somebody, and of the user
    "invite": ("{by} invited {whom} to {room}", "{by} invites you to {room}"),
    "kick": ("{by} took {whom} out of {room}", "{by} took you out of {room}"),
    "ban": ("{by} banned {whom} from {room}", "{by} banned you from {room}"),
    "unban": ("{by} ended the ban of {whom} from {room}", "{by} ended your ban from {room}"),
    "mute": ("{by} silenced {whom} in {room}", "{by} silenced you in {room}"),
    "unmute": ("{by} lets {whom} write in {room} again", "{by} lets you write in {room} again"),
    "role": ("{by} made {whom} {role} of {room}", "{by} made you {role} of {room}"),
}
_UNASKED: Final = {  # the same where it is one's own, or nobody is named: the operator, or who was it before has left
    "role": ("{whom} is {role} of {room} now", "you are {role} of {room} now"),
}
_NEXT: Final = {  # by an error's code: what to do
    "unknown_room": "ROOMS shows those that you can join.",
    "not_a_member": "JOIN {room} joins it.",
    "invalid_room": "A room's name is as a user's: a letter first, then letters, digits, - and _.",
    "room_exists": "JOIN {room} joins it, or take another name.",
    "unknown_message": "HISTORY and SEARCH show the numbers.",
}
_LISTED_TOPIC: Final = 60  # characters of a topic in a list of rooms, so that most take a row or two


class Rooms:
    """Turns what the server says of rooms into lines. `clock` and `read` are in the user's zone."""

    def __init__(
        self,
        conversations: Conversations,
        people: People,
        presence: Presence,
        clock: Callable[[], datetime],
        read: Callable[[str], datetime | None],
    ) -> None:
        self._conversations = conversations
        self._people = people
        self._presence = presence
        self._clock = clock
        self._read = read

    # -- what is answered ---------------------------------------------------------------------------------------------
    def reply(self, event: AnyEvent, request: AnyCommand) -> list[Line]:
        """The lines for a reply about rooms."""
        match event, request:
            case RoomReply(), Create() | Join():
                lines = [self._entered(event, is_new=isinstance(request, Create))]
            case RoomsReply(), _:
                lines = self._list_rooms(event)
            case MembersReply(), Members():
                lines = self._list_members(event, request)
            case BansReply(), _:
                lines = self._list_bans(event)
            case AckReply(), Leave():
                room = event.room or request.room
                self._conversations.drop(self.target(room))
                lines = [hint(f"You have left {self._title(room)}.")]
            case AckReply(), SetRoom():
                lines = [self._set(event, request)]
            case AckReply(), Moderate():
                done = _asked(event, request, self._people.name)
                self._note(done)
                lines = [hint(sentence(self._deed(done, "you", _for(request.minutes))))]
            case _:
                lines = []
        return lines

    def _entered(self, room: RoomReply, *, is_new: bool) -> Line:
        conversation = self._conversations.enter(room)
        if is_new:
            return hint(f"{conversation.title} is made, and you are its owner. INVITE bob asks bob in.")
        return hint(f"You are in {conversation.title}: {counted(conversation.members, 'member')}. MEMBERS lists them.")

    def _set(self, ack: AckReply, asked: SetRoom) -> Line:
        target = self.target(ack.room or asked.room)
        conversation = self._conversations[target]
        if asked.private:
            conversation.is_private = True
            return hint(f"{conversation.title} is private now: only its members see it.")
        conversation.topic = asked.topic or ""
        return self.topic(target)

    def topic(self, target: str) -> Line:
        """What a conversation is about."""
        conversation = self._conversations[target]
        topic = one_line(conversation.topic)
        return hint(f"-- {conversation.title}: {topic} --" if topic else f"-- {conversation.title} --")

    def list_conversations(self) -> list[Line]:
        """All conversations by number, with what is unread in each."""
        lines = []
        for tab in self._conversations.tabs():
            unread = f"  {tab.unread:,} unread" if tab.unread else ""
            mentions = f", {tab.mentions:,} with your name" if tab.mentions and not tab.is_talk else ""
            title: Part = ("match" if tab.mentions else "", tab.title)
            held = "  (here)" if tab.is_held else ""
            lines.append(Line(("time", f"{tab.number:>2} "), title, ("hint", f"{unread}{mentions}{held}")))
        return lines

    def _list_rooms(self, page: RoomsReply) -> list[Line]:
        lines = [_room_line(room) for room in page.rooms]
        lines = lines or [hint("There is no other room yet. CREATE and a name makes one.")]
        return [*lines, _behind("ROOMS", page.rooms[-1].room)] if page.more and page.rooms else lines

    def _list_members(self, page: MembersReply, asked: Members) -> list[Line]:
        title = self._title(page.room)
        names = []
        for member in page.members:
            marks = [member.role] * (member.role != "member") + ["silenced"] * bool(member.muted)
            marks += ["you"] * (member.name == self._people.name) + ["away"] * (not member.online)
            names.append(shown_name(member.name) + (f" ({', '.join(map(one_line, marks))})" if marks else ""))
        title = f"{title[:1].upper()}{title[1:]}"
        is_whole = asked.after is UNSET and not page.more
        number = f" ({counted(len(names), 'member')})" if is_whole else ""
        lines = [Line(("hint", f"{title}{number}:"), names=names)]
        listing = f"MEMBERS {shown_target(self.target(page.room))}"
        return [*lines, _behind(listing, page.members[-1].name)] if page.more and names else lines

    def _list_bans(self, page: BansReply) -> list[Line]:
        title = self._title(page.room)
        if not page.bans:
            return [hint(f"Nobody is banned from {title}.")]
        lines = []
        for ban in page.bans:
            by = "" if ban.by is UNSET else f" by {shown_name(ban.by)}"
            since = f" since {self._moment(ban.time)}" if self._moment(ban.time) else ""
            end = f", until {self._moment(ban.until)}" if ban.until else ""
            reason = f": {one_line(ban.reason)}" if ban.reason else ""
            lines.append(Line(named(ban.name), ("hint", f" banned from {title}{by}{since}{end}{reason}")))
        listing = f"BANS {shown_target(self.target(page.room))}"
        return [*lines, _behind(listing, page.bans[-1].name)] if page.more else lines

    # -- what happens -------------------------------------------------------------------------------------------------
    def happen(self, event: RoomReply | MemberEvent) -> tuple[str, str, list[str]]:
        """What was done in a room: its conversation, what to say whichever is held, and what to say in it."""
        if isinstance(event, RoomReply):
            return self._changed(event)
        target = self.target(event.room)
        if event.username != self._people.name:
            return target, "", self._others(event, target)
        text = self._deed(event, "" if event.by is UNSET else self._who(event.by))
        if event.action == "leave":
            text = f"you have left {self._title(event.room)}"
        after = self._concern(event, target)
        return target, ". ".join([text.rstrip("."), *after]), []

    def _concern(self, event: MemberEvent, target: str) -> list[str]:
        """Something was done to the user: gives what to do next, or what can still be done."""
        conversation, after = self._conversations[target], []
        match event.action:
            case "invite":
                conversation.is_invited = True
                after = [f"JOIN {one_line(target.removeprefix(ROOM))} joins it"]
            case "mute":
                conversation.muted_until = event.until or ""
                after = ["You can read there"]
            case "unmute":
                conversation.muted_until = None
            case "role":
                conversation.role = event.role or conversation.role
            case "leave" | "kick" | "ban" if target != EVERYONE:
                needs_invitation = conversation.is_private and event.action == "kick"
                after = ["It takes an invitation to come back"] * needs_invitation + self._elsewhere(target)
                self._conversations.drop(target)
        return after

    def _others(self, event: MemberEvent, target: str) -> list[str]:
        conversation = self._conversations[target]
        if event.action in {"join", "leave"}:
            conversation.members += 1 if event.action == "join" else -1
            if target != self._conversations.held:
                return []
            did = "joined" if event.action == "join" else "left"
            return self._presence.move(conversation.title, event.username, did, self._people.others())
        self._note(event)
        is_hidden = self._people.is_muted(event.username) or self._people.is_muted(event.by or "")
        return [] if is_hidden else [self._deed(event, "" if event.by is UNSET else self._who(event.by))]

    def _note(self, event: MemberEvent) -> None:
        """A moderator has done something to somebody, or to oneself: keeps what is changed by it."""
        target = self.target(event.room)
        if event.username == self._people.name:
            self._concern(event, target)
        else:
            self._conversations[target].members -= event.action in {"kick", "ban"}

    def _changed(self, room: RoomReply) -> tuple[str, str, list[str]]:
        """A room was changed; or the user is in it from now on, by another session; or it is no more."""
        target = self.target(room.room)
        conversation = self._conversations[target]
        title = conversation.title
        if room.gone:
            was_in = bool(conversation.role)
            after = self._elsewhere(target)
            self._conversations.drop(target)
            text = f"{title} is gone" if was_in else f"your invitation to {title} has ended"
            return target, ". ".join([text, *after]), []
        if room.role is not UNSET and not conversation.role:
            self._conversations.enter(room)
            return target, f"you are in {title} now", []
        before = conversation.topic, conversation.is_private
        conversation.learn(room)
        texts = []
        if conversation.topic != before[0]:
            topic = one_line(conversation.topic)
            texts.append(f"the topic of {title} is: {topic}" if topic else f"{title} has no topic now")
        if conversation.is_private and not before[1]:
            texts.append(f"{title} is private now")
        return target, "", texts

    def _elsewhere(self, target: str) -> list[str]:
        return ["TALK all turns to the main room"] if target == self._conversations.held != EVERYONE else []

    # -- words --------------------------------------------------------------------------------------------------------
    def _deed(self, event: MemberEvent, by: str, time: str = "") -> str:
        """An act in a sentence, with its end and its reason."""
        known, action = _DONE, one_line(event.action)
        if not by or event.by == event.username:  # one's own rank
            known, by = (_UNASKED, by) if action in _UNASKED else (_DONE, by or "the operator")
        whom, room = shown_name(event.username), self._title(event.room)
        if action in known:
            form = known[action][event.username == self._people.name]
            text = form.format(by=by, whom=whom, room=room, role=one_line(event.role or "member"))
        else:  # of a later service
            text = f"{by}: {action} of {whom} in {room}"
        time = f" until {self._moment(event.until)}" if event.until else time
        return f"{text}{time}{f': {one_line(event.reason)}' if event.reason else ''}"

    def next_step(self, error: ErrorReply, request: AnyCommand | None) -> str:
        """What follows an error's own words: until when it holds, or what to do; empty if nothing does."""
        target = self.target(getattr(request, "room", UNSET))
        words = _NEXT.get(error.code, "")
        if "{room}" in words:  # not where the user is in it: then it is somebody else who is no member
            is_in = target == EVERYONE or self._conversations.has_room(target.removeprefix(ROOM))
            words = "" if is_in else words.format(room=shown_target(target))
        if error.code in {"muted", "banned"} and error.retry_after:
            now = self._clock()
            until = now + timedelta(seconds=max(0, min(error.retry_after, MAX_MINUTES * 60)))
            words = f"It ends {'at' if until.date() == now.date() else 'on'} {_spelled(until, now)}."
        if error.code in {"unknown_room", "not_a_member"} and isinstance(request, Pm):
            words = " ".join([words, *(f"{text}." for text in self._elsewhere(target))])
        return words

    def mute_note(self, conversation: Conversation) -> str:
        """What to say where the user may not write; empty if they may."""
        until = conversation.muted_until
        moment = self._read(until or "")
        if until is None or (moment and moment <= self._clock()):
            return ""
        end = f" until {self._moment(until)}" if moment else ""
        return f"A moderator has silenced you here{end}. You can read."

    def _who(self, name: str) -> str:
        return "you" if name == self._people.name else shown_name(name)

    def _title(self, room: str | UnsetType) -> str:
        target = self.target(room)
        return "the main room" if target == EVERYONE else shown_target(target)

    def target(self, room: str | UnsetType) -> str:
        """The conversation that a room of this name is; the main room may be named, too."""
        return EVERYONE if room == self._conversations.main_room else target_of_room(room)

    def _moment(self, wire: str | UnsetType) -> str:
        moment = self._read(wire or "")
        return _spelled(moment, self._clock()) if moment else ""


def _asked(ack: AckReply, asked: Moderate, by: str) -> MemberEvent:
    """What the moderator `by` asked for, as the others are told."""
    return MemberEvent(
        room=ack.room or asked.room,
        username=ack.username or asked.username,
        action=asked.action,
        role=asked.role,
        by=by,
        reason=asked.reason,
        time="",
    )


def _behind(listing: str, last: str) -> Line:
    """How to go on with a list behind the last one of a page."""
    return hint(f"{listing} {one_line(last)} shows those behind.")


def _for(minutes: int | UnsetType) -> str:
    return "" if minutes is UNSET else f" for {counted(minutes, 'minute')}"


def _room_line(room: RoomInfo) -> Line:
    marks = [room.role or ""] + ["invited"] * bool(room.invited) + ["private"] * room.private
    told = [counted(room.members, "member"), *map(one_line, filter(None, marks))]
    topic = shortened(room.topic, _LISTED_TOPIC)
    return Line(("hint", f"{one_line(ROOM + room.room)} ({', '.join(told)})"), ("", f": {topic}" if topic else ""))


def _spelled(moment: datetime, now: datetime) -> str:
    return f"{moment:%H:%M}" if moment.date() == now.date() else f"{moment.day} {moment:%B %H:%M}"
