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
    MAX_NONCE,
    MAX_PAGE,
    MAX_QUERY,
    MAX_REASON,
    MAX_REF,
)

Ref = Annotated[str, Meta(max_length=MAX_REF)]
Nonce = Annotated[str, Meta(max_length=MAX_NONCE)]
Id = Annotated[int, Meta(ge=0, le=MAX_ID)]  # ids are positive; 0 means "before the first"
Count = Annotated[int, Meta(ge=0, le=MAX_ID)]
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Query = Annotated[str, Meta(max_length=MAX_QUERY)]
Reason = Annotated[str, Meta(max_length=MAX_REASON)]
Kind = Literal["text", "action", "notice"]  # "text" is taken as left out
Ids = Annotated[list[Id], Meta(min_length=1, max_length=MAX_PAGE)]


_SECRET: Final = frozenset({"password", "old", "new", "token", "message", "query", "reason"})


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
    """What a session asks for at its login. `quiet`: it announces nobody, and shows nothing by itself."""

    confirm: bool = False
    quiet: bool = False


class Login(Entry):
    """Logs in. Without a password: asks whether the name is registered."""

    username: str
    password: str | UnsetType = UNSET


class Register(Entry):
    """Creates an account and logs in."""

    username: str
    password: str


class Resume(Entry):
    """Logs in with the token of an earlier login."""

    token: str


class Pm(Command):
    """Sends a public message. Without a text: asks whether one may follow."""

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
    """Marks messages as seen: all up to `id`, or exactly `ids`."""

    id: Id | UnsetType = UNSET
    ids: Ids | UnsetType = UNSET


class History(Command):
    """Asks for a page of the public room, or of the talk with one user; `before` and `after` are exclusive ids."""

    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    before: Id | UnsetType = UNSET
    after: Id | UnsetType = UNSET
    limit: Limit = DEFAULT_PAGE


class Search(Command):
    """Asks for messages that have all the words, or words that begin with them, newest first."""

    query: Query
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    before: Id | UnsetType = UNSET
    limit: Limit = DEFAULT_SEARCH_PAGE


class Delete(Command):
    """Deletes the text of a message; the reason is for the log of moderation only."""

    id: Id
    reason: Reason | UnsetType = UNSET


class Password(Command):
    """Changes the password."""

    old: str
    new: str


class Ping(Command):
    """Asks for a `pong`."""


class Ex(Command):
    """Ends the session."""


AnyCommand = (
    Login | Register | Resume | Pm | Dm | Users | Missed | Seen | History | Search | Delete | Password | Ping | Ex
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


class LoginOkReply(Reply, tag="login_ok"):
    """Confirms a login. Messages after `last_id` come live; `missed` and `history` have the earlier ones."""

    username: str
    users: list[str]
    missed: Count
    unread: Count
    last_id: Id
    token: str
    time: str
    motd: str | UnsetType = UNSET  # the operator's message of the day, of several lines perhaps


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


class BroadcastEvent(Event, tag="broadcast"):
    """A public message."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    message: str
    kind: str | UnsetType = UNSET


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


class UsersReply(Reply, tag="users"):
    """The users online, sorted. The service sends it after each change, every 30 seconds, and as a reply to `users`."""

    users: list[str]
    time: str


class StoredMessage(_Discreet, kw_only=True):
    """One message in a page; a public one has no `to`. A deleted one has no text, and the time of its deletion."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    to: str | UnsetType = UNSET
    message: str
    kind: str | UnsetType = UNSET
    deleted: str | UnsetType = UNSET


class MissedReply(Reply, tag="missed"):
    """A page of direct messages that the user has not seen, oldest first; `more` says whether others follow."""

    messages: list[StoredMessage]
    more: bool


class HistoryReply(Reply, kw_only=True, tag="history"):
    """A page of a conversation, oldest first; `more` says whether others follow in the requested direction."""

    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    messages: list[StoredMessage]
    more: bool


class SearchReply(Reply, kw_only=True, tag="search"):
    """A page of messages that match, newest first."""

    query: str
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    messages: list[StoredMessage]
    more: bool


class PongReply(Reply, tag="pong"):
    """Answers a `ping`."""

    time: str


class ErrorReply(Reply, tag="error"):
    """A refusal. `message` is for people; after a `fatal` one the service closes; `retry_after` is in seconds."""

    code: str
    message: str
    command: str | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET
    fatal: bool | UnsetType = UNSET


class ByeReply(Reply, tag="bye"):
    """The last event before the service closes the connection: exit, shutdown, slow, kicked, password_changed."""

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
    | UsersReply
    | MissedReply
    | HistoryReply
    | SearchReply
    | PongReply
    | ErrorReply
    | ByeReply
)
EVENTS: Final = tuple(kind.__struct_config__.tag for kind in AnyEvent.__args__)
