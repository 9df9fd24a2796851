"""The rows of the table of operations that are about rooms: who is in them, and what moderators do. Pure.

Each acts in the room that is held; a moderator's may have another one before what it takes: KICK #ops bob.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from client.chat.actions import Action, Argument, AtTerminal, InChat, InTalk, Mistake, Operation, Operations, first_word
from client.text import shortened
from service.wire.limits import MAX_MINUTES, MAX_REASON, MAX_TOPIC
from service.wire.protocol import Bans, Create, Join, Members, Moderate, Rooms, SetRoom

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.wire.protocol import Act, Role

_WHO: Final = Argument("Who? ", is_name=True)
_WHICH: Final = Argument("Which room? ", is_name=True, is_room=True)
_MAYBE_ROOM: Final = Argument("", is_name=True, is_room=True, is_optional=True)
_MARKED: Final = Argument("", is_name=True, is_room=True, is_optional=True, needs_mark=True)
_MAYBE_TEXT: Final = Argument("", is_optional=True)
_AFTER: Final = Argument("", is_name=True, is_optional=True)
_ROLES: Final[dict[str, Role]] = {"member": "member", "moderator": "moderator", "owner": "owner"}


def _enter(command: Join | Create) -> Action:
    return AtTerminal(lambda terminal: terminal.enter(command), InChat(lambda chat: chat.ask(command)))


def _create(room: str, topic: str | None) -> Action:
    return _too_long("topic", topic, MAX_TOPIC) or _enter(Create(room=room, topic=topic or ""))


def _topic(room: str | None, text: str | None) -> Action | InTalk:
    if mistake := _too_long("topic", text, MAX_TOPIC):
        return mistake
    if text is None:
        return InTalk(lambda talk: talk.in_room(room, "TOPIC", lambda name: InChat(lambda chat: chat.show_topic(name))))
    return InTalk(lambda talk: talk.in_room(room, "TOPIC", lambda name: SetRoom(room=name, topic=text)))


def _members(room: str | None, after: str | None) -> InTalk:
    behind = UNSET if after is None else after
    return InTalk(lambda talk: talk.in_room(room, "MEMBERS", lambda name: Members(room=name, after=behind)))


def _bans(room: str | None, after: str | None) -> InTalk:
    behind = UNSET if after is None else after
    return InTalk(lambda talk: talk.in_room(room, "BANS", lambda name: Bans(room=name, after=behind)))


def _role(room: str | None, username: str, role: str) -> Action | InTalk:
    wanted = _ROLES.get(role.strip().casefold())
    if wanted is None:
        return Mistake("ROLE takes a name and a role: member, moderator or owner, such as ROLE bob moderator.")
    return InTalk(
        lambda talk: talk.in_room(
            room, "ROLE", lambda name: Moderate(room=name, username=username, action="role", role=wanted)
        )
    )


def _moderator(
    operation: str, usage: str, explain: str, action: Act, *, ends: bool = False, reasoned: bool = True
) -> Operation:
    """The row of an act on somebody; one that `ends` may take minutes."""

    def make(room: str | None, username: str, text: str | None = None) -> Action | InTalk:
        minutes: int | UnsetType = UNSET
        reason = text
        if ends and text and (number := first_word(text)[0]).isdecimal():
            if not 1 <= int(number[:9]) <= MAX_MINUTES:
                return Mistake(f"{operation} takes 1 to {MAX_MINUTES:,} minutes; without a number there is no end.")
            minutes, reason = int(number), first_word(text)[1]
        if mistake := _too_long("reason", reason, MAX_REASON):
            return mistake
        why = reason or UNSET
        return InTalk(
            lambda talk: talk.in_room(
                room,
                operation,
                lambda name: Moderate(room=name, username=username, action=action, minutes=minutes, reason=why),
            )
        )

    return Operation(
        operation, usage, explain, (_MARKED, _WHO, *([_MAYBE_TEXT] if reasoned else [])), make, is_of_rooms=True
    )


def _too_long(what: str, text: str | None, most: int) -> Mistake | None:
    if text is None or len(text) <= most:
        return None
    return Mistake(f'A {what} has at most {most} characters; this one has {len(text)}: "{shortened(text)}"')


def _invite(username: str, room: str | None) -> InTalk:
    return InTalk(
        lambda talk: talk.in_room(room, "INVITE", lambda name: Moderate(room=name, username=username, action="invite"))
    )


def _row(
    name: str, usage: str, explain: str, arguments: tuple[Argument, ...], make: Callable[..., Action | InTalk]
) -> Operation:
    return Operation(name, usage, explain, arguments, make, is_of_rooms=True)


ROOM_OPERATIONS: Final[Operations] = (
    Operation(
        "ROOMS",
        "ROOMS",
        "the rooms that you can join, and yours",
        (_AFTER,),
        lambda after: Rooms(after=after or UNSET),
        is_of_rooms=True,
    ),
    _row("JOIN", "JOIN room", "come into a room", (_WHICH,), lambda room: _enter(Join(room=room))),
    _row("LEAVE", "LEAVE [room]", "leave a room", (_MAYBE_ROOM,), lambda room: InTalk(lambda talk: talk.leave(room))),
    _row("CREATE", "CREATE room [topic]", "make a room; you are its owner", (_WHICH, _MAYBE_TEXT), _create),
    _row("INVITE", "INVITE name [room]", "ask somebody into a room", (_WHO, _MAYBE_ROOM), _invite),
    _row("MEMBERS", "MEMBERS [room]", "who is in a room", (_MAYBE_ROOM, _AFTER), _members),
    _row("TOPIC", "TOPIC [text]", "what the room is about, or is to be about", (_MARKED, _MAYBE_TEXT), _topic),
    _row(
        "PRIVATE",
        "PRIVATE room",
        "hide a room from all but its members, for good",
        (_WHICH,),
        lambda room: SetRoom(room=room, private=True),
    ),
    _moderator("KICK", "KICK name [reason]", "take somebody out of the room", "kick"),
    _moderator("BAN", "BAN name [minutes] [reason]", "keep somebody out of the room", "ban", ends=True),
    _moderator("UNBAN", "UNBAN name", "let somebody in again", "unban", reasoned=False),
    _row("BANS", "BANS [room]", "who is kept out of a room", (_MAYBE_ROOM, _AFTER), _bans),
    _moderator("SILENCE", "SILENCE name [minutes] [reason]", "let somebody read, not write", "mute", ends=True),
    _moderator("UNSILENCE", "UNSILENCE name", "let somebody write again", "unmute", reasoned=False),
    _row(
        "ROLE",
        "ROLE name role",
        "make somebody member, moderator or owner",
        (_MARKED, _WHO, Argument("Member, moderator or owner? ")),
        _role,
    ),
)
