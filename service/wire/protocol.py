"""What a client and the service may say: the types of commands and events, whatever their form on the wire.

No I/O, no threads, no clock. Both sides use it: the service decodes `Command`s and encodes `Event`s, the client the
other way round. Names and shapes are fixed by protocol version 1; docs/protocol.txt has them for people.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.wire.limits import DEFAULT_PAGE, DEFAULT_SEARCH_PAGE, MAX_ID, MAX_NONCE, MAX_PAGE, MAX_QUERY, MAX_REF

Ref = Annotated[str, Meta(max_length=MAX_REF)]
Nonce = Annotated[str, Meta(max_length=MAX_NONCE)]
Id = Annotated[int, Meta(ge=0, le=MAX_ID)]  # ids are positive; 0 means "before the first"
Count = Annotated[int, Meta(ge=0, le=MAX_ID)]
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Query = Annotated[str, Meta(max_length=MAX_QUERY)]
Ids = Annotated[list[Id], Meta(min_length=1, max_length=MAX_PAGE)]


_SECRET: Final = frozenset({"password", "old", "new", "token", "message", "query"})


class _Discreet(Struct):
    """Printed, as by a log or in an exception, it shows no password, token or text."""

    def __repr__(self) -> str:
        fields = (f"{name}={'…' if name in _SECRET else repr(getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(fields)})"


# -- client to service ------------------------------------------------------------------------------------------------
class Command(_Discreet, kw_only=True, tag_field="command", tag=str.lower):
    """What a client says. A `ref` comes back on each direct reply."""

    ref: Ref | UnsetType = UNSET


class Login(Command):
    """Without a password: asks whether the name is registered."""

    username: str
    password: str | UnsetType = UNSET
    confirm: bool = False


class Register(Command):
    """Makes an account and logs in."""

    username: str
    password: str
    confirm: bool = False


class Resume(Command):
    """Logs in with the token of an earlier login."""

    token: str
    confirm: bool = False


class Pm(Command):
    """A public message; without a text, a question whether one may follow."""

    message: str | UnsetType = UNSET
    nonce: Nonce | UnsetType = UNSET


class Dm(Command):
    """A direct message; without a text, a question whom one could write to."""

    to: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    nonce: Nonce | UnsetType = UNSET


class Users(Command):
    """Who is online."""


class Missed(Command):
    """The direct messages not yet seen, oldest first."""

    limit: Limit = DEFAULT_PAGE


class Seen(Command):
    """Marks messages as seen: all up to `id`, or exactly `ids`."""

    id: Id | UnsetType = UNSET
    ids: Ids | UnsetType = UNSET


class History(Command):
    """A page of the public room, or of the talk with one user; `before` and `after` are ids, exclusive."""

    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    before: Id | UnsetType = UNSET
    after: Id | UnsetType = UNSET
    limit: Limit = DEFAULT_PAGE


class Search(Command):
    """Messages with all the words (or their beginnings), newest first."""

    query: Query
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    before: Id | UnsetType = UNSET
    limit: Limit = DEFAULT_SEARCH_PAGE


class Password(Command):
    """Changes the password."""

    old: str
    new: str


class Ping(Command):
    """Asks for a sign of life."""


class Ex(Command):
    """Leaves."""


AnyCommand = Login | Register | Resume | Pm | Dm | Users | Missed | Seen | History | Search | Password | Ping | Ex
COMMANDS: Final = tuple(kind.__struct_config__.tag for kind in AnyCommand.__args__)


# -- service to client ------------------------------------------------------------------------------------------------
class Event(_Discreet, tag_field="type", tag=True):
    """What the service says. A field left UNSET is not on the wire."""


class Reply(Event, kw_only=True):
    """What may answer a command, and then carries its `ref`."""

    ref: str | UnsetType = UNSET


class HelloEvent(Event, tag="hello"):
    """The greeting: what this service is and allows."""

    protocol: Count
    server: str
    version: str
    registration: str
    max_line: Count
    max_message: Count
    contact: str | UnsetType = UNSET  # whom to ask, such as for a forgotten password


class PasswordRequiredReply(Reply, tag="password_required"):
    """The name needs a password: its own if `registered`, else one to register it with."""

    username: str
    registered: bool


class LoginOkReply(Reply, tag="login_ok"):
    """Logged in. `last_id` is the seam: later messages come live, earlier ones are in `missed` and `history`."""

    username: str
    users: list[str]
    missed: Count
    unread: Count
    last_id: Id
    token: str
    time: str


class ReadyReply(Reply, tag="ready"):
    """The message may follow; for `dm`, these users are online."""

    command: str
    users: list[str] | UnsetType = UNSET


class AckReply(Reply, tag="ack"):
    """It is done and, for a message, on disk."""

    command: str
    id: Id | UnsetType = UNSET
    ids: list[Id] | UnsetType = UNSET
    time: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    nonce: str | UnsetType = UNSET


class BroadcastEvent(Event, tag="broadcast"):
    """A public message from someone."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    message: str


class DirectEvent(Event, tag="direct"):
    """A direct message to, or from another session of, this user."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    to: str
    message: str


class UsersReply(Reply, tag="users"):
    """Who is online, sorted: pushed on each change and every 30 seconds, and the reply to `users`."""

    users: list[str]
    time: str


class StoredMessage(_Discreet, kw_only=True):
    """One message in a page; `to` is missing on a public one."""

    id: Id
    time: str
    from_: str = msgspec.field(name="from")
    to: str | UnsetType = UNSET
    message: str


class MissedReply(Reply, tag="missed"):
    """Unseen direct messages, oldest first; `more`: there are further ones."""

    messages: list[StoredMessage]
    more: bool


class HistoryReply(Reply, kw_only=True, tag="history"):
    """A page of a conversation, oldest first; `more`: there are further ones in the direction asked."""

    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    messages: list[StoredMessage]
    more: bool


class SearchReply(Reply, kw_only=True, tag="search"):
    """What was found, newest first."""

    query: str
    with_: str | UnsetType = msgspec.field(default=UNSET, name="with")
    messages: list[StoredMessage]
    more: bool


class PongReply(Reply, tag="pong"):
    """The sign of life."""

    time: str


class ErrorReply(Reply, tag="error"):
    """A refusal. `message` is for a person; `fatal`: the service closes next; `retry_after` in seconds."""

    code: str
    message: str
    command: str | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET
    fatal: bool | UnsetType = UNSET


class ByeReply(Reply, tag="bye"):
    """The last word before the service closes, also after an `ex`: exit, shutdown, slow, kicked, password_changed."""

    reason: str


AnyEvent = (
    HelloEvent
    | PasswordRequiredReply
    | LoginOkReply
    | ReadyReply
    | AckReply
    | BroadcastEvent
    | DirectEvent
    | UsersReply
    | MissedReply
    | HistoryReply
    | SearchReply
    | PongReply
    | ErrorReply
    | ByeReply
)
EVENTS: Final = tuple(kind.__struct_config__.tag for kind in AnyEvent.__args__)
