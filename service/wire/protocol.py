"""The types of commands and events, independent of their encoding.

No I/O, no threads, no clock. The service decodes `Command`s and encodes `Event`s; the client does the reverse. Protocol
version 1 fixes names and shapes; docs/protocol.txt describes them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.wire.limits import (
    DEFAULT_PAGE,
    DEFAULT_SEARCH_PAGE,
    MAX_ID,
    MAX_LIFETIME,
    MAX_MINUTES,
    MAX_NONCE,
    MAX_PAGE,
    MAX_QUERY,
    MAX_REASON,
    MAX_REF,
    MAX_TOPIC,
)

Ref = Annotated[str, Meta(max_length=MAX_REF)]
Nonce = Annotated[str, Meta(max_length=MAX_NONCE)]
Id = Annotated[int, Meta(ge=0, le=MAX_ID)]  # ids are positive; 0 means "before the first"
Count = Annotated[int, Meta(ge=0, le=MAX_ID)]
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Query = Annotated[str, Meta(max_length=MAX_QUERY)]
Reason = Annotated[str, Meta(max_length=MAX_REASON)]
Kind = Literal["text", "action", "notice"]  # "text" is taken as left out
RoomName = Annotated[str, Meta(min_length=1)]  # what is empty or no string never means the main room
Topic = Annotated[str, Meta(max_length=MAX_TOPIC)]
Minutes = Annotated[int, Meta(ge=1, le=MAX_MINUTES)]
Lifetime = Annotated[int, Meta(ge=0, le=MAX_LIFETIME)]  # seconds; 0: no token is made
Role = Literal["member", "moderator", "owner"]  # by rank
Act = Literal["invite", "kick", "ban", "unban", "mute", "unmute", "role"]  # of `moderate`
Ids = Annotated[list[Id], Meta(min_length=1, max_length=MAX_PAGE)]


_SECRET: Final = frozenset({"password", "old", "new", "token", "message", "query", "reason", "topic"})


class _Discreet(Struct):
    """Its repr, as in a log or an exception, hides passwords, tokens and texts."""

    def __repr__(self) -> str:
        fields = (f"{name}={'…' if name in _SECRET else repr(getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(fields)})"


# -- client to service ------------------------------------------------------------------------------------------------
class Command(_Discreet, kw_only=True, tag_field="command", tag=str.lower):
    """What a client sends. Each direct reply repeats its `ref`."""

    ref: Ref | UnsetType = UNSET


class Entry(Command, kw_only=True, omit_defaults=True):
    """What a session asks for at its login.

    `quiet`: it announces nobody, and shows nothing by itself. `rooms`: the client knows rooms; it confirms, too.
    `presence`: it is told of changes in place of whole lists of users.
    """

    confirm: bool = False
    quiet: bool = False
    rooms: bool = False
    presence: Literal["changes"] | UnsetType = UNSET


class Login(Entry):
    """Logs in. Without a password: asks whether the name is registered."""

    username: str
    password: str | UnsetType = UNSET
    lifetime: Lifetime | UnsetType = UNSET


class Register(Entry):
    """Creates an account and logs in."""

    username: str
    password: str
    lifetime: Lifetime | UnsetType = UNSET


class Resume(Entry):
    """Logs in with the token of an earlier login."""

    token: str


class Pm(Command):
    """Sends a message to a room, or to the main room. Without a text: asks whether one may follow.

    `created`: only if that is when the room was made, as one of the same name may have been made since.
    """

    room: RoomName | UnsetType = UNSET
    created: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    nonce: Nonce | UnsetType = UNSET


class Dm(Command):
    """Sends a direct message. Without a text: asks which users are online."""

    to: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    nonce: Nonce | UnsetType = UNSET


class Users(Command):
    """Asks which users are online."""


class Missed(Command):
    """Asks for direct messages that the user has not seen, oldest first."""

    limit: Limit = DEFAULT_PAGE


class Seen(Command):
    """Marks messages as seen: all up to `id`, also of one room or one talk only, or exactly `ids`."""

    room: RoomName | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    id: Id | UnsetType = UNSET
    ids: Ids | UnsetType = UNSET


class History(Command):
    """Asks for a page of a room, or of the talk with one user; `before` and `after` are exclusive ids."""

    room: RoomName | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    before: Id | UnsetType = UNSET
    after: Id | UnsetType = UNSET
    limit: Limit = DEFAULT_PAGE


class Search(Command):
    """Asks for messages that have all the words, or words that begin with them, newest first."""

    query: Query
    room: RoomName | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    before: Id | UnsetType = UNSET
    limit: Limit = DEFAULT_SEARCH_PAGE


class Delete(Command):
    """Deletes the text of a message; the reason is for the log of moderation only."""

    id: Id
    reason: Reason | UnsetType = UNSET


class Since(Command):
    """Asks for all that the user may read after an id, of all conversations, oldest first.

    `deleted_after`: also for the ids of what was deleted at that time or later.
    """

    id: Id
    limit: Limit = DEFAULT_PAGE
    deleted_after: str | UnsetType = UNSET
    room: RoomName | UnsetType = UNSET  # it is of all rooms: one that is named is refused


class Rooms(Command):
    """Asks for a page of the rooms that the user may see, by name; `after` is exclusive."""

    after: str | UnsetType = UNSET
    limit: Limit = DEFAULT_PAGE


class Create(Command):
    """Makes a room; the user is its owner."""

    room: RoomName
    topic: Topic = ""
    private: bool = False


class Join(Command):
    """Becomes a member of a room."""

    room: RoomName


class Leave(Command):
    """Ends a membership."""

    room: RoomName


class Members(Command):
    """Asks for a page of a room's members, by name; `after` is exclusive."""

    room: RoomName
    after: str | UnsetType = UNSET
    limit: Limit = MAX_PAGE


class SetRoom(Command, tag="set_room"):
    """Changes a room's topic, or makes it private."""

    room: RoomName
    topic: Topic | UnsetType = UNSET
    private: bool | UnsetType = UNSET


class Moderate(Command):
    """Acts on somebody in a room. `minutes`: when a ban or mute ends by itself. `role`: for the action of that name."""

    room: RoomName
    username: str
    action: Act
    role: Role | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    minutes: Minutes | UnsetType = UNSET


class Bans(Command):
    """Asks for a page of who is banned from a room, by name; `after` is exclusive."""

    room: RoomName
    after: str | UnsetType = UNSET
    limit: Limit = MAX_PAGE


class Logout(Command):
    """Ends the session and its token, and with it every session that came by that token."""


class Password(Command):
    """Changes the password."""

    old: str
    new: str


class Ping(Command):
    """Asks for a `pong`."""


class Ex(Command):
    """Ends the session."""


AnyCommand = (
    Login
    | Register
    | Resume
    | Pm
    | Dm
    | Users
    | Missed
    | Seen
    | History
    | Search
    | Since
    | Delete
    | Rooms
    | Create
    | Join
    | Leave
    | Members
    | SetRoom
    | Moderate
    | Bans
    | Password
    | Logout
    | Ping
    | Ex
)
COMMANDS: Final = tuple(kind.__struct_config__.tag for kind in AnyCommand.__args__)


# -- service to client ------------------------------------------------------------------------------------------------
class Event(_Discreet, tag_field="type", tag=True):
    """What the service sends. A field left UNSET is not on the wire."""


class Reply(Event, kw_only=True):
    """An event that can answer a command; it then carries the command's `ref`."""

    ref: str | UnsetType = UNSET


class HelloEvent(Event, tag="hello"):
    """The greeting: the service's name, version and limits."""

    protocol: Count
    server: str
    version: str
    registration: str
    max_line: Count
    max_message: Count
    features: list[str] | UnsetType = UNSET  # parts of the protocol that not every service of version 1 has
    main_room: str | UnsetType = UNSET  # the name of the public room
    contact: str | UnsetType = UNSET  # how users reach the operator, such as after they forget a password


class PasswordRequiredReply(Reply, tag="password_required"):
    """Asks for a password: the account's if `registered`, else a new one to register with."""

    username: str
    registered: bool


class RoomInfo(Struct, kw_only=True):
    """A room as one user sees it: without a role who is no member, with `invited` who may become one.

    A room of the same name with another `created` is another room.
    """

    room: str
    created: str
    topic: str
    private: bool
    members: Count
    role: str | UnsetType = UNSET
    unread: Count | UnsetType = UNSET
    read_id: Id | UnsetType = UNSET
    muted: bool | UnsetType = UNSET
    muted_until: str | UnsetType = UNSET
    invited: bool | UnsetType = UNSET


class LoginOkReply(Reply, kw_only=True, tag="login_ok"):
    """Confirms a login. Messages after `last_id` come live; `missed` and `history` have the earlier ones.

    From `role` on for clients that know rooms: about the main room, then the other rooms.
    """

    username: str
    users: list[str]
    missed: Count
    unread: Count
    last_id: Id
    token: str | UnsetType = UNSET
    time: str
    motd: str | UnsetType = UNSET  # the operator's message of the day, of several lines perhaps
    role: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    read_id: Id | UnsetType = UNSET
    muted: bool | UnsetType = UNSET
    muted_until: str | UnsetType = UNSET
    rooms: list[RoomInfo] | UnsetType = UNSET


class ReadyReply(Reply, tag="ready"):
    """Says that the message may follow; for `dm` with the users that are online."""

    command: str
    users: list[str] | UnsetType = UNSET


class AckReply(Reply, tag="ack"):
    """Confirms that the command is done; a message is then on disk."""

    command: str
    id: Id | UnsetType = UNSET
    ids: list[Id] | UnsetType = UNSET
    time: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    nonce: str | UnsetType = UNSET
    room: str | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    username: str | UnsetType = UNSET
    action: str | UnsetType = UNSET


class BroadcastEvent(Event, tag="broadcast"):
    """A message to everyone in a room; without `room` to the main room."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    message: str
    kind: str | UnsetType = UNSET
    room: str | UnsetType = UNSET


class DirectEvent(Event, tag="direct"):
    """A direct message to this user, or from another session of this user."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    to: str
    message: str
    kind: str | UnsetType = UNSET


class RenamedEvent(Event, tag="renamed"):
    """An account has another name from now on."""

    from_: str = msgspec.field(name="from")
    to: str
    time: str


class DeletedEvent(Event, tag="deleted"):
    """A message was deleted; without `by` the operator did it."""

    id: Id
    time: str
    by: str | UnsetType = UNSET
    room: str | UnsetType = UNSET


class RoomReply(Reply, kw_only=True, tag="room"):
    """What a room is now, for who made or joined it; a change of it, for its members; or that it is `gone`.

    Without `room` and `created` it is the main room.
    """

    room: str | UnsetType = UNSET
    created: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    members: Count | UnsetType = UNSET
    role: str | UnsetType = UNSET
    unread: Count | UnsetType = UNSET
    read_id: Id | UnsetType = UNSET
    muted: bool | UnsetType = UNSET
    muted_until: str | UnsetType = UNSET
    invited: bool | UnsetType = UNSET
    last_id: Id | UnsetType = UNSET
    gone: bool | UnsetType = UNSET


class MemberEvent(Event, kw_only=True, tag="member"):
    """Somebody joined or left a room, or a moderator acted on somebody; without `by` nobody asked for it."""

    room: str | UnsetType = UNSET
    username: str
    action: str
    role: str | UnsetType = UNSET
    by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    time: str


class ReadEvent(Event, kw_only=True, tag="read"):
    """Another session of this user has shown messages: those that its `seen` named."""

    room: str | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    id: Id | UnsetType = UNSET
    ids: list[Id] | UnsetType = UNSET


class PresenceEvent(Event, tag="presence"):
    """Who came online and who went, since the last one; each by its state now. `online` counts all."""

    arrived: list[str]
    left: list[str]
    online: Count
    time: str


class UsersReply(Reply, tag="users"):
    """The users online, sorted. The service sends it after each change, every 30 seconds, and as a reply to `users`."""

    users: list[str]
    time: str


class StoredMessage(_Discreet, kw_only=True):
    """One message in a page: one to a room has `room`, a direct one `to`, one to the main room neither.

    A deleted one has no text, and the time of its deletion.
    """

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    to: str | UnsetType = UNSET
    room: str | UnsetType = UNSET
    message: str
    kind: str | UnsetType = UNSET
    deleted: str | UnsetType = UNSET


class MissedReply(Reply, tag="missed"):
    """A page of direct messages that the user has not seen, oldest first; `more` says whether others follow."""

    messages: list[StoredMessage]
    more: bool


class HistoryReply(Reply, kw_only=True, tag="history"):
    """A page of a conversation, oldest first; `more` says whether others follow in the requested direction."""

    room: str | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    messages: list[StoredMessage]
    more: bool


class SearchReply(Reply, kw_only=True, tag="search"):
    """A page of messages that match, newest first."""

    query: str
    room: str | UnsetType = UNSET
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    messages: list[StoredMessage]
    more: bool


class SinceReply(Reply, kw_only=True, tag="since"):
    """A page of all conversations, oldest first. `deleted` has ids of messages that were deleted meanwhile.

    With `deleted_more` they were too many to be told.
    """

    messages: list[StoredMessage]
    more: bool
    time: str
    deleted: list[Id] | UnsetType = UNSET
    deleted_more: bool | UnsetType = UNSET


class RoomsReply(Reply, kw_only=True, tag="rooms"):
    """A page of rooms, by name."""

    rooms: list[RoomInfo]
    more: bool


class MemberInfo(Struct, kw_only=True):
    """A member of a room. `muted` is told to moderators, owners and the muted one."""

    name: str
    role: str
    online: bool
    muted: bool | UnsetType = UNSET
    muted_until: str | UnsetType = UNSET


class MembersReply(Reply, kw_only=True, tag="members"):
    """A page of a room's members, by name."""

    room: str | UnsetType = UNSET
    members: list[MemberInfo]
    more: bool


class BanInfo(Struct, kw_only=True):
    """A ban from a room; without `by` the operator's, without `until` for ever."""

    name: str
    by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    time: str
    until: str | UnsetType = UNSET


Row = StoredMessage | RoomInfo | MemberInfo | BanInfo  # of a page


class BansReply(Reply, kw_only=True, tag="bans"):
    """A page of who is banned from a room, by name."""

    room: str | UnsetType = UNSET
    bans: list[BanInfo]
    more: bool


class PongReply(Reply, tag="pong"):
    """Answers a `ping`."""

    time: str


class ErrorReply(Reply, tag="error"):
    """A refusal. `message` is for people; after a `fatal` one the service closes; `retry_after` is in seconds.

    With `maybe` what was asked for may be stored or not: the service itself does not know.
    """

    code: str
    message: str
    command: str | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET
    fatal: bool | UnsetType = UNSET
    maybe: bool | UnsetType = UNSET


class ByeReply(Reply, tag="bye"):
    """The last event before the service closes: exit, shutdown, slow, kicked, password_changed, logout."""

    reason: str


AnyEvent = (
    HelloEvent
    | PasswordRequiredReply
    | LoginOkReply
    | ReadyReply
    | AckReply
    | BroadcastEvent
    | DirectEvent
    | RenamedEvent
    | DeletedEvent
    | RoomReply
    | MemberEvent
    | ReadEvent
    | UsersReply
    | PresenceEvent
    | MissedReply
    | HistoryReply
    | SearchReply
    | SinceReply
    | RoomsReply
    | MembersReply
    | BansReply
    | PongReply
    | ErrorReply
    | ByeReply
)
EVENTS: Final = tuple(kind.__struct_config__.tag for kind in AnyEvent.__args__)
