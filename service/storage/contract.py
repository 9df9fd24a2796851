"""What the service asks of a storage: records, errors, and a named method for each read and write.

No SQL and no engine here. Each engine passes the same tests (tests/service/storage/test_contract.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from service.errors import ChatError, StorageFull

T = TypeVar("T")

MAX_ID: Final = 2**63 - 1  # of a message; a larger one is more than an engine's integers hold
TOKENS_PER_USER: Final = 50  # kept for one account, the newest; a script that logs in each minute fills no table
MAX_SEARCH_WORDS: Final = 16  # in one query; each costs time, some 20 ms at most


# -- errors -----------------------------------------------------------------------------------------------------------
class Refused(ChatError):
    """What is stored does not allow it; nothing was changed. `name` is the user's name that it is about, if any.

    service/accounts/refusals.py says what the peer is told.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name


class NameTaken(Refused):
    """There is an account of that name."""


class LooksAlike(Refused):
    """There is an account whose name can be mistaken for that one."""


class UnknownUser(Refused):
    """There is no account of that name."""


class AccountDisabled(Refused):
    """The operator has shut the account out."""


class PasswordChanged(Refused):
    """The password is another one than the one that was checked."""


class UnknownToken(Refused):
    """The token was never given out, or has expired, or was deleted."""


class NonceReused(Refused):
    """The sender has stored another message with that nonce."""


class TooManyWords(Refused):
    """The query has more than MAX_SEARCH_WORDS different words."""


class SearchTooSlow(Refused):
    """The search was given up: its words are common, but hardly ever in one message."""


# -- records ----------------------------------------------------------------------------------------------------------
class User(NamedTuple):
    """An account."""

    id: int
    name: str
    password_hash: str
    disabled_at: str | None

    def check_enabled(self) -> None:
        """Raises AccountDisabled."""
        if self.disabled_at is not None:
            raise AccountDisabled(self.name)

    def __repr__(self) -> str:  # for logs and exceptions: no hash
        return f"User(id={self.id}, name={self.name!r})"


class Login(NamedTuple):
    """An account and what waits for it, at one point in the order of all writes."""

    user_id: int
    name: str
    missed: int  # direct messages to the user that are not seen
    unread: int  # public messages by others after the user's read marker
    last_id: int  # the newest message that the user may see; 0 if there is none


class Message(NamedTuple):
    """One stored message, for a page; `recipient` is None on a public one."""

    id: int
    time: str
    sender: str
    recipient: str | None
    body: str

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Message(id={self.id})"


class Page(NamedTuple):
    """Messages in the order they were asked for; `more`: there are further ones that way."""

    messages: list[Message]
    more: bool


class Post(Struct, frozen=True):  # a Struct is made in a quarter of a named tuple's time; each message has two of them
    """A message to be stored; public if `recipient_id` is None. A nonce is stored once for each sender."""

    recipient_id: int | None
    body: str
    nonce: str | None

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Post(recipient_id={self.recipient_id}, nonce={self.nonce!r})"


class Stored(Struct, frozen=True):
    """What storing a message gave. `fresh` is false for a retry; id and time are then those of the first attempt."""

    id: int
    time: str
    fresh: bool
    seen: bool


class Shown(NamedTuple):
    """What was written to clients of one user that do not confirm."""

    user_id: int
    public_id: int  # the newest public message; 0: none
    direct_ids: list[int]


class Contents(NamedTuple):
    """What a sound database or backup holds."""

    users: int
    messages: int
    revision: str


Outcome = Stored | NonceReused | StorageFull  # of one message


# -- writes -----------------------------------------------------------------------------------------------------------
Done = Callable[[T], None] | None
Failed = Callable[[Exception], None] | None
HandOver = Callable[[Iterable[tuple[Callable[[Any], None], Any]]], None]


class Write(Generic[T]):
    """A write on its way. After its commit `done` gets the result; if there is none, `refused` gets the error.

    The error is a Refused, a StorageUnavailable, or the exception of a bug. The pairs of a callback and its argument
    go to the storage's `hand_over` in the order of the writes. `result` and `error` are the caller's once
    `Storage.wait` has returned: if `error` is None, `result` is set.
    """

    __slots__ = ("_finished", "done", "ended", "error", "refused", "result")
    result: T

    def __init__(self, done: Done[T], refused: Failed) -> None:
        self.done = done
        self.refused = refused
        self.error: Exception | None = None
        self.ended = False
        self._finished: threading.Event | None = None  # made only for those who wait: most writes are not waited for

    def waiting_event(self) -> threading.Event:
        """Set once this write has ended; call with the engine's lock held."""
        if self._finished is None:
            self._finished = threading.Event()
        return self._finished

    def finish(self) -> None:
        """Marks it as ended: its outcome is there and handed on. Call with the engine's lock held."""
        self.ended = True
        if self._finished is not None:
            self._finished.set()


# -- the storage ------------------------------------------------------------------------------------------------------
class AccountStorage(Protocol):
    """What an operator's orders need. Names are mapped ones; times are as service/clock.py formats them."""

    def add_user(
        self, name: str, look: str, password_hash: str, now: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        """Makes an account; gives its id. All public messages so far count as read. NameTaken, LooksAlike."""

    def set_password(
        self, name: str, password_hash: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        """Replaces the hash and deletes all tokens; gives the account's id. UnknownUser."""

    def disable(self, name: str, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        """Shuts the account out and deletes all its tokens; gives its id. UnknownUser."""

    def enable(self, name: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        """Lets the account in again; gives its id. UnknownUser."""

    def result(self, write: Write[T]) -> T:
        """Waits for the write as `wait` does; returns its result or raises its error."""

    def close(self) -> None:
        """Stores what was submitted, and ends."""


class Storage(AccountStorage, Protocol):
    """An open database. Its methods may be called on any thread.

    A write returns before it is done; it waits only while too many others do. A read raises StorageUnavailable. Other
    errors that a method names are raised by a read, and are the error of a write. Only so many threads may read at
    once: a thread that has read calls `release` before it waits for anything else, and before its end.
    """

    @property
    def engine(self) -> str:
        """The engine's name and version, for the log."""

    # reads
    def find_user(self, name: str) -> User | None:
        """The account of that name."""

    def check_free(self, name: str, look: str) -> None:
        """Returns if the name may be registered. Raises NameTaken, LooksAlike."""

    def missed_page(self, user_id: int, up_to: int, limit: int) -> Page:
        """Direct messages to the user that are not seen, up to that id, oldest first."""

    def history_page(self, talk: tuple[int, int] | None, before: int | None, after: int | None, limit: int) -> Page:
        """Public messages, or those of the `talk` between two users. `before` and `after` are exclusive.

        With `after` oldest first, else newest first.
        """

    def search_page(self, query: str, user_id: int, with_id: int | None, before: int | None, limit: int) -> Page:
        """Messages that the user may read, with all the words of the query or words that begin so; newest first.

        With `with_id` only those of the talk with that user. Raises TooManyWords, SearchTooSlow.
        """

    # writes
    def register(
        self,
        name: str,
        look: str,
        password_hash: str,
        token_hash: bytes,
        now: str,
        expires_at: str,
        *,
        done: Done[Login] = None,
        refused: Failed = None,
    ) -> Write[Login]:
        """Makes an account, as `add_user` does, logged in by a first token. NameTaken, LooksAlike."""

    def log_in(
        self,
        user: User,
        token_hash: bytes,
        now: str,
        expires_at: str,
        *,
        done: Done[Login] = None,
        refused: Failed = None,
    ) -> Write[Login]:
        """Notes a login with the password of that `user`, and its new token. PasswordChanged, AccountDisabled."""

    def resume(
        self, token_hash: bytes, now: str, expires_at: str, *, done: Done[Login] = None, refused: Failed = None
    ) -> Write[Login]:
        """Logs in with a token, which then expires later. UnknownToken."""

    def find_token_owner(
        self, token_hash: bytes, *, done: Done[int | None] = None, refused: Failed = None
    ) -> Write[int | None]:
        """The id of the user whose token that is, or was. Changes nothing; it comes in the order of the writes."""

    def change_password(
        self, user: User, password_hash: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        """Replaces the hash, if it is that of `user` still, and deletes all tokens. PasswordChanged."""

    def note_presence(self, user_id: int, now: str, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        """Notes that the user was here."""

    def delete_expired_tokens(self, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        """Deletes the tokens that have expired; gives their number."""

    def store_posts(
        self,
        sender_id: int,
        posts: Sequence[Post],
        *,
        done: Done[Sequence[Outcome]] = None,
        refused: Failed = None,
    ) -> Write[Sequence[Outcome]]:
        """Stores messages of one sender in order; gives an outcome for each. A refusal concerns that message alone."""

    def see_up_to(
        self, user_id: int, message_id: int, now: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        """Marks all direct messages to the user up to that id as seen, and moves the read marker there.

        The marker never goes back, and not beyond the newest message.
        """

    def mark_seen(
        self, user_id: int, message_ids: Sequence[int], now: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        """Marks these direct messages to the user as seen; ids of other messages change nothing."""

    def store_receipts(
        self, shown: Sequence[Shown], now: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        """Marks what was written to several users as seen or read, as `mark_seen` and `see_up_to` do."""

    # waiting, and the end
    def wait(self, write: Write[Any]) -> None:
        """Returns once the write has ended; raises nothing. Releases this thread's reading."""

    def release(self) -> None:
        """Lets other threads read. Does nothing if this thread has not read."""

    def index_search(self) -> None:
        """Lets the search find all messages so far. Raises StorageUnavailable; older ones are found all the same."""

    def settle(self) -> None:
        """Returns once every write submitted so far has ended; raises nothing."""

    def hurry(self) -> None:
        """For a shutdown: reads under way end with StorageUnavailable, and writes no longer wait for locks."""
