"""What crosses the border between the service and a storage: its limits, refusals and records. No SQL, no methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from msgspec import Struct

from service.errors import ChatError, StorageFull

if TYPE_CHECKING:
    from service.tally import Histogram

MAX_ID: Final = 2**63 - 1  # of a message; an engine's integers hold no larger one
TOKENS_PER_USER: Final = 50  # an account keeps its newest tokens: a script that logs in each minute fills no table
Role = Literal["member", "moderator", "owner"]  # in the main room, by rank
SERVER_NAME: Final = "server"  # of the account that speaks for the service itself; it has no password
SERVER_ID: Final = -1  # its id; those of people begin with 1
DELETED: Final = "deleted"  # begins the names of deleted accounts: deleted-<id>
MAX_SEARCH_WORDS: Final = 16  # in one query; each takes up to some 20 ms


# -- errors -----------------------------------------------------------------------------------------------------------
class Refused(ChatError):
    """The stored data does not allow the request; nothing was changed.

    `name` is the name of the user concerned, if any. service/accounts/refusals.py has the codes and texts for peers.
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
    """The user may read the message, and not delete it."""


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
        """Nobody logs in to it, or writes to it: the service's own, or a deleted one."""
        return not self.password_hash

    def __repr__(self) -> str:  # hides the hash from logs and exceptions
        return f"User(id={self.id}, name={self.name!r})"


class Login(NamedTuple):
    """An account and its counts at one point in the order of all writes."""

    user_id: int
    name: str
    missed: int  # direct messages that the user has not seen
    unread: int  # public messages by others after the user's read marker
    last_id: int  # the newest message that the user may read; 0 if none


class Message(NamedTuple):
    """One stored message of a page; a public one has no `recipient`."""

    id: int
    time: str
    sender: str
    recipient: str | None
    body: str  # empty if the message was deleted
    kind: str | None = None  # "action" or "notice"; None for a text
    deleted: str | None = None  # when

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Message(id={self.id})"


class Page(NamedTuple):
    """Messages in the requested order; `more` says whether others follow."""

    messages: list[Message]
    more: bool


class Post(Struct, frozen=True):  # creating a Struct takes a quarter of a named tuple's time; each message needs two
    """A message to store; public if `recipient_id` is None. A sender's nonce is stored only once."""

    recipient_id: int | None
    body: str
    nonce: str | None
    kind: str | None = None

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Post(recipient_id={self.recipient_id}, nonce={self.nonce!r})"


class Stored(Struct, frozen=True):
    """The result of storing a message. A retry is not `fresh`; it gets the id and time of the first attempt."""

    id: int
    time: str
    fresh: bool
    seen: bool


class Deleted(NamedTuple):
    """A message that was deleted; not `fresh` if that was done before."""

    id: int
    time: str  # of the deletion; it is never before that of an earlier one
    fresh: bool
    reader_ids: tuple[int, int] | None  # the two users of a direct message; None for a public one, which all may read


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


class Person(NamedTuple):
    """An account, as an operator sees it; times as text."""

    id: int
    name: str
    created: str
    last_seen: str
    disabled_at: str | None
    role: Role


class Act(NamedTuple):
    """Something that a moderator did, or an operator (then `actor` is None): to a user, or to a message."""

    time: str
    actor: str | None
    action: str
    user: str | None
    message_id: int | None
    role: Role | None
    reason: str | None


class Dossier(NamedTuple):
    """What is stored of a person besides messages."""

    person: Person
    read_id: int  # the read marker in the main room
    former_names: list[tuple[str, str]]  # and when each ended
    tokens: list[tuple[str, str]]  # when each was made, and when it expires
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
    schema: str


class Sizes(NamedTuple):
    """The bytes of the database's files, and those free on its disk."""

    database: int
    wal: int
    free: int


class BackupNote(NamedTuple):
    """The newest backup that was made: when, and to which file."""

    time: str
    file: str


Outcome = Stored | NonceReused | UnknownUser | StorageFull  # of one message
