"""What crosses the border between the service and a storage: its limits, refusals and records. No SQL, no methods."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 (news.py decodes these records, by their annotations)
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from msgspec import Struct

from service.errors import ChatError, StorageFull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.tally import Histogram

MAX_ID: Final = 2**63 - 1  # of a message; an engine's integers hold no larger one
TOKENS_PER_USER: Final = 50  # an account keeps its newest tokens: a script that logs in each minute fills no table
Role = Literal["member", "moderator", "owner"]  # in a room, by rank
Action = Literal["join", "leave", "invite", "kick", "ban", "unban", "mute", "unmute", "role"]  # on a member
FOREVER: Final = "9999-12-31T23:59:59.999Z"  # until when a ban or mute lasts that does not end by itself
DEFAULT_LIFETIME: Final = 2_592_000  # seconds that a token lives after its last use: 30 days
SERVER_NAME: Final = "server"  # of the account that speaks for the service itself; it has no password
SERVER_ID: Final = -1  # its id; those of people begin with 1
DELETED: Final = "deleted"  # begins the names of deleted accounts: deleted-<id>
MAX_DELETED: Final = 1_000  # ids of deleted messages in one page of `since`; of more it says only that there are more
MAX_BANS: Final = 10_000  # that hold, from one room: each page of them sorts them, in 2 ms
MAX_SEARCH_WORDS: Final = 16  # in one query; each takes up to some 20 ms


# -- errors -----------------------------------------------------------------------------------------------------------
class Refused(ChatError):
    """The stored data does not allow the request; nothing was changed.

    `name` is that of the user or room concerned, if any, unless a subclass says otherwise. The codes and texts for
    peers are in service/accounts/refusals.py.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name


class NameTaken(Refused):
    """An account has that name."""


class LooksAlike(Refused):
    """An account has a name that can be confused with that one."""


class UnknownUser(Refused):
    """No account has that name."""


class AccountDisabled(Refused):
    """The operator has disabled the account."""


class PasswordChanged(Refused):
    """The password was changed after it was checked."""


class UnknownToken(Refused):
    """The token never existed, has expired, or was deleted."""


class NonceReused(Refused):
    """The sender has stored another message with that nonce."""


class UnknownMessage(Refused):
    """There is no such message, or none that the user may read."""


class NotAllowed(Refused):
    """The user may read the message, and not delete it; or knows the room, and ranks too low for the act.

    `name` says why, in words.
    """

    def __init__(self, name: str = "it takes a higher rank") -> None:
        super().__init__(name)


class UnknownRoom(Refused):
    """There is no such room, or a private one that the user may not know of."""


class RoomExists(Refused):
    """There is a room with that name."""


class RoomLooksAlike(Refused):
    """There is a room whose name can be confused with that one."""


class NotAMember(Refused):
    """The user is no member of the room; `name` is empty, or of the one who was to be acted on."""


class Muted(Refused):
    """The user may not write in the room now; `until` is a time, or FOREVER."""

    def __init__(self, until: str) -> None:
        super().__init__()
        self.until = until


class Banned(Refused):
    """The user may not enter the room, or the one to be invited may not; `until` is a time, or FOREVER."""

    def __init__(self, until: str, name: str = "") -> None:
        super().__init__(name)
        self.until = until


class LimitReached(Refused):
    """There may be no more of these; `name` says of what, in words."""


class UnknownHook(Refused):
    """There is no webhook with that name, or none any more with that secret."""


class HookExists(Refused):
    """There is a webhook with that name."""


class TooManyWords(Refused):
    """The query has more than MAX_SEARCH_WORDS different words."""


class SearchTooSlow(Refused):
    """The search was stopped: its words are common, but rare together."""


# -- records ----------------------------------------------------------------------------------------------------------
class User(NamedTuple):
    """An account, as a login needs it. One that is closed has no password."""

    id: int
    name: str
    password_hash: str
    disabled_at: str | None

    def check_enabled(self) -> None:
        if self.disabled_at is not None:
            raise AccountDisabled(self.name)

    @property
    def is_closed(self) -> bool:
        """Nobody logs in to it, or writes to it: the service's own, a webhook's, or a deleted one."""
        return not self.password_hash

    def __repr__(self) -> str:  # hides the hash from logs and exceptions
        return f"User(id={self.id}, name={self.name!r})"


class Login(NamedTuple):
    """An account, its counts and its rooms at one point in the order of all writes."""

    user_id: int
    name: str
    missed: int  # direct messages that the user has not seen
    unread: int  # public messages by others after the user's read marker
    last_id: int  # the newest message that the user may read in the main room and her talks; 0 if none
    role: Role = "member"  # in the main room, as the next three
    read_id: int = 0
    muted_until: str | None = None
    topic: str = ""
    rooms: Sequence[RoomView] = ()  # her other rooms, and those that she is invited to, by name


class RoomRef(NamedTuple):
    """Which room: its name alone does not tell, as another room may have had it before."""

    id: int
    name: str
    created: str
    private: bool


class RoomView(NamedTuple):
    """A room as one user sees it; that user is no member where `role` is None."""

    id: int
    name: str
    created: str
    topic: str
    private: bool
    members: int
    last_id: int  # its newest message; 0 if none
    role: Role | None = None
    unread: int = 0
    read_id: int = 0
    muted_until: str | None = None
    invited: bool = False


class RoomLimits(NamedTuple):
    """How many there may be."""

    members: int  # of one room
    rooms: int  # that are not gone
    per_account: int  # memberships of one account; invitations to one account as well
    invitations: int  # to one room
    bans: int = MAX_BANS  # from one room


class RoomPage(NamedTuple):
    """Rooms by name; `more` says whether others follow."""

    rooms: list[RoomView]
    more: bool


class MemberView(NamedTuple):
    """A member of a room."""

    user_id: int
    name: str
    role: Role
    muted_until: str | None  # in the past: it has ended


class MemberPage(NamedTuple):
    """Members of a room by name; `rank` is that of who asks."""

    rank: Role
    members: list[MemberView]
    more: bool


class BanView(NamedTuple):
    """A ban from a room; `by` is None for the operator's."""

    name: str
    by: str | None
    reason: str | None
    time: str
    until: str


class BanPage(NamedTuple):
    """Bans by name; `more` says whether others follow."""

    bans: list[BanView]
    more: bool


class MemberChange(NamedTuple):
    """What was done to a user in a room, as its members are told."""

    action: Action
    user_id: int  # 0: the name is nobody's
    name: str
    time: str
    role: Role | None = None  # the one after it, of a join or a change of the role
    by: str | None = None  # None: nobody asked for it, or the operator did
    reason: str | None = None
    until: str | None = None
    was_member: bool = False  # just before it
    was_invited: bool = False


class RoomChange(NamedTuple):
    """What a write has changed in a room. Without changes it was so before.

    `room` None is the main one. `ended` are the invitations that ended otherwise than by joining or a ban.
    """

    room: RoomRef | None
    changes: Sequence[MemberChange] = ()
    view: RoomView | None = None  # after the change: for who asked; of an invitation for the invited
    last_id: int = 0  # the newest id that was given, in the order of the writes
    fresh: bool = True  # whether something has changed
    gone: bool = False  # nobody is a member any more
    ended: Sequence[int] = ()  # user ids
    members: Sequence[int] = ()  # of a room that an operator deleted: the ids of those who were members


class KeptRoom(NamedTuple):
    """A room, as an operator sees it; with `gone_at` nobody else does."""

    name: str
    created: str
    topic: str
    private: bool
    members: int
    messages: int  # that were ever sent there
    gone_at: str | None


class SinceNews(NamedTuple):
    """A page of all conversations, and what was deleted meanwhile."""

    page: Page
    time: str  # not later than that of a deletion that is not shown
    deleted: Sequence[int] | None = None  # None if it was not asked for
    deleted_more: bool = False


class Message(NamedTuple):
    """One stored message of a page: a direct one has a `recipient`, one to a room a `room`, a public one neither."""

    id: int
    time: str
    sender: str
    recipient: str | None
    body: str  # empty if the message was deleted
    kind: str | None = None  # "action" or "notice"; None for a text
    deleted: str | None = None  # when
    room: str | None = None  # its name

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Message(id={self.id})"


class Page(NamedTuple):
    """Messages in the requested order; `more` says whether others follow."""

    messages: list[Message]
    more: bool


class Post(Struct, frozen=True):  # creating a Struct takes a quarter of a named tuple's time; each message needs two
    """A message to store: to a user, a room, or the main room. A sender's nonce is stored only once."""

    recipient_id: int | None
    body: str
    nonce: str | None
    kind: str | None = None
    room: str | None = None  # its name; whether the sender may write there is judged when it is stored
    created: str | None = None  # when the room must have been made; None: whenever

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Post(recipient_id={self.recipient_id}, nonce={self.nonce!r})"


class Stored(Struct, frozen=True):
    """The result of storing a message. A retry is not `fresh`; it gets the id and time of the first attempt."""

    id: int
    time: str
    fresh: bool
    seen: bool
    room_id: int | None = None


class Hook(NamedTuple):
    """A webhook, as what comes to it needs it: its account, the hash of its secret, and its room.

    All about the room is None for the main one.
    """

    user_id: int
    name: str
    secret_hash: bytes
    room_id: int | None
    room: str | None
    created: str | None  # when the room was made
    gone_at: str | None  # since when it is no more

    @property
    def is_gone(self) -> bool:
        """Whether its room is: then it can say nothing."""
        return self.gone_at is not None

    def __repr__(self) -> str:
        return f"Hook(user_id={self.user_id}, name={self.name!r})"


class KeptHook(NamedTuple):
    """A webhook, as an operator sees it; times as text."""

    name: str
    room: str | None  # None: the main room
    gone_at: str | None  # since when that is no more
    created: str
    used: str | None  # when it last said something


class Deleted(NamedTuple):
    """A message that was deleted; not `fresh` if that was done before."""

    id: int
    time: str  # of the deletion; it is never before that of an earlier one
    fresh: bool
    reader_ids: tuple[int, int] | None  # the two users of a direct message; None for one to a room
    room: RoomRef | None = None  # whose members may read it; None for the main room, where all may, and for direct ones


class Purged(NamedTuple):
    """A piece of a purge."""

    removed: int  # messages
    after_id: int  # where the next piece begins
    more: bool


class Erasure(NamedTuple):
    """What was deleted, and may still stand in the file."""

    pending: int  # steps to take, of different length; 0: nothing is left
    wal_is_next: bool  # the -wal can be emptied only while no program reads the database


class Shown(NamedTuple):
    """Which messages were written to a user's clients that do not confirm."""

    user_id: int
    public_id: int  # the newest public message; 0 if none
    direct_ids: list[int]


class Contents(NamedTuple):
    """What a sound database or backup holds."""

    users: int
    messages: int
    revision: str
    misfit: str = ""  # which derived data does not fit the messages, such as after a row was deleted by hand


class Figures(NamedTuple):
    """What an engine has done, and what it takes, at one moment."""

    queued: int  # messages and other writes that wait to be stored
    written: int  # writes that were stored since the start
    commits: Histogram  # seconds of each transaction that was stored
    database_bytes: int
    wal_bytes: int  # of what is stored beside the file, and not in it yet


class NodeView(NamedTuple):
    """One of the services over a database that several share."""

    id: int
    name: str
    started: str
    beat_age: float  # seconds since it was last heard of
    users: int  # that are in its own list of users online
    figures: Mapping[str, Any]  # by the names of the fields of `Load` in admin/desk.py; main_room, web_address


class Closed(NamedTuple):
    """What is left of a deleted account, and the rooms that it left."""

    user: User
    rooms: Sequence[RoomChange]


class Person(NamedTuple):
    """An account, as an operator sees it; times as text."""

    id: int
    name: str
    created: str
    last_seen: str
    disabled_at: str | None
    role: Role


class Act(NamedTuple):
    """Something that a moderator did, or an operator (then `actor` is None): to a user, a message or a room."""

    id: int
    time: str
    actor: str | None
    action: str  # of Action, or delete (a message), topic, private, delete_room
    user: str | None
    message_id: int | None
    role: Role | None
    reason: str | None
    room: str | None = None
    until: str | None = None


class HeldMembership(NamedTuple):
    """A membership in a room that is not gone."""

    room: str
    role: Role
    joined: str
    muted_until: str | None
    read_id: int


class HeldInvitation(NamedTuple):
    """An invitation that was not accepted yet; `by` is who made it."""

    room: str
    by: str | None
    time: str


class HeldBan(NamedTuple):
    """A ban from a room, or from the main one, where `room` is None; it may have ended."""

    room: str | None
    by: str | None
    reason: str | None
    time: str
    until: str


class HeldMute(NamedTuple):
    """A mute in a room that goes on if the person joins again; it may have ended."""

    room: str
    until: str


class Dossier(NamedTuple):
    """What is stored of a person besides messages."""

    person: Person
    read_id: int  # the read marker in the main room
    muted_until: str | None  # there
    former_names: list[tuple[str, str]]  # and when each ended
    tokens: list[tuple[str, str]]  # when each was made, and when it expires
    memberships: list[HeldMembership]
    invitations: list[HeldInvitation]
    bans: list[HeldBan]
    mutes: list[HeldMute]  # in rooms that the person has left
    acts: list[Act]  # by the person, and to the person


class KeptMessage(NamedTuple):
    """A message with all that is stored of it."""

    message: Message
    nonce: str | None
    seen_at: str | None


class KeptPage(NamedTuple):
    """Messages of a person, among those up to the id `up_to`; that is 0 if there were none to look at."""

    messages: list[KeptMessage]
    up_to: int


class Overview(NamedTuple):
    """How much a database holds."""

    users: int
    disabled: int
    newest_id: int  # ever given to a message
    recent: int  # messages stored since the moment asked for
    rooms: int  # that are not gone, besides the main one
    schema: str


class Sizes(NamedTuple):
    """The bytes of the database's files, and those free on its disk; 0 if that is not known."""

    database: int
    wal: int
    free: int


class BackupNote(NamedTuple):
    """The newest backup that was made: when, and to which file."""

    time: str
    file: str


# Of one message.
Outcome = Stored | NonceReused | UnknownUser | StorageFull | UnknownRoom | NotAMember | Muted | Banned
