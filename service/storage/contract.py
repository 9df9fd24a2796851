"""What the service asks of a storage: a method for each read and write.

room_contract.py has those about rooms, hook_contract.py those about webhooks.

There is no SQL and no engine here; records.py has what the methods take and give, write.py a write under way. Each
engine passes the same tests (tests/service/storage/test_*contract.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from service.storage.hook_contract import HookOrders, HookStorage
from service.storage.records import DEFAULT_LIFETIME
from service.storage.room_contract import RoomOrders, RoomStorage
from service.storage.write import Done, Failed, HandOver, T, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.records import (
        BackupNote,
        Closed,
        Deleted,
        Dossier,
        Erasure,
        Figures,
        KeptPage,
        Login,
        NodeView,
        NonceReused,
        Outcome,
        Overview,
        Page,
        Person,
        Post,
        Purged,
        Shown,
        SinceNews,
        Sizes,
        Stored,
        User,
    )

__all__ = ["AccountStorage", "Done", "Failed", "HandOver", "Storage", "Write"]


class AccountStorage(RoomOrders, HookOrders, Protocol):
    """The methods for an operator's orders; Storage says what holds for reads and writes.

    Names are mapped ones; times have the format of service/clock.py. A method names the errors of its write at its end.
    """

    def find_user(self, name: str) -> User | None:
        """Returns the account with that mapped name, if any."""

    def check_free(self, name: str, look: str) -> None:
        """Raises NameTaken or LooksAlike if the name cannot be registered."""

    def users_page(self, after: str, limit: int, *, disabled: bool = False) -> list[Person]:
        """Returns accounts by name, from the one that follows `after`; with `disabled` only such.

        Those that nobody can log in to are none: the service's own, those of webhooks, and deleted ones.
        """

    def find_dossier(self, name: str) -> Dossier | None:
        """Returns what is stored of the person besides messages, also of a deleted account."""

    def messages_of(self, user_id: int, after: int, limit: int) -> KeptPage:
        """Looks at up to so many messages after the id `after`, for those by the user and direct ones to the user."""

    def overview(self, since: str) -> Overview:
        """Counts what there is."""

    def sizes(self) -> Sizes:
        """Measures the files, without opening them."""

    def newest_backup(self) -> BackupNote | None:
        """Returns the newest backup of this database, if one is known."""

    def nodes(self) -> list[NodeView]:
        """Returns the services over this database, by name; none where only one can be."""

    def count_present(self, user_id: int) -> int:
        """Returns on how many services the account is online, by `set_present`; 0 where only one can be."""

    def add_user(
        self, name: str, look: str, password_hash: str, now: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        """Creates an account; the result is its id. Earlier public messages count as read.

        Bans of the name are the account's from now on. NameTaken, LooksAlike; Banned from the main room.
        """

    def delete_message(
        self,
        actor_id: int | None,
        message_id: int,
        reason: str | None,
        *,
        done: Done[Deleted] = None,
        refused: Failed = None,
    ) -> Write[Deleted]:
        """Deletes a message's text, if the actor may; None is the operator. UnknownMessage, NotAllowed.

        Its sender may, and of a message to a room who ranks above the sender there. After that no page and no search
        has the text.
        """

    def purge_some(
        self,
        before: str,
        after_id: int,
        *,
        public: bool,
        direct: bool,
        room: str | None = None,
        done: Done[Purged] = None,
        refused: Failed = None,
    ) -> Write[Purged]:
        """Removes some messages of before that time, the oldest first, with ids beyond `after_id`; tells nobody.

        `public` are those of the main room and of all others. With `room` only those in the rooms that have or had
        that name. UnknownRoom.
        """

    def count_older(self, before: str, *, public: bool, direct: bool, room: str | None = None) -> int:
        """Returns how many messages a purge would remove. Raises UnknownRoom."""

    def erasure(self) -> Erasure:
        """Returns what was deleted and may still stand in the file; the upkeep erases it in the background."""

    def erase_some(self, *, done: Done[Erasure] = None, refused: Failed = None) -> Write[Erasure]:
        """Does a piece of the erasure now, except for the -wal; the result is what is left."""

    def empty_wal(self) -> None:
        """Empties the -wal if it can be done now and no service does that in the background."""

    def set_password(
        self, name: str, password_hash: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        """Replaces the hash and deletes all tokens; the result is the account's id. UnknownUser."""

    def disable(self, name: str, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        """Disables the account and deletes its tokens; the result is its id. UnknownUser."""

    def enable(self, name: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        """Enables the account again; the result is its id. UnknownUser."""

    def ensure_server(self, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        """Sees that there is the account SERVER_ID, with the name SERVER_NAME. NameTaken, by a user."""

    def store_posts(
        self,
        sender_id: int,
        posts: Sequence[Post],
        *,
        done: Done[Sequence[Outcome]] = None,
        refused: Failed = None,
    ) -> Write[Sequence[Outcome]]:
        """Stores messages of one sender in order; the result is an outcome for each.

        A refusal concerns one message only. Whether the sender may write in a room is judged in the order of the
        writes; a retry of what was stored gets its first result all the same.
        """

    def rename_user(
        self, name: str, new_name: str, look: str, now: str, *, done: Done[User] = None, refused: Failed = None
    ) -> Write[User]:
        """Gives an account another name; the result is the account with it. Tokens stay.

        The old name is nobody's for ever. Bans of the new name are the account's from now on, but for rooms where it is
        a member. UnknownUser also for a closed account. NameTaken, LooksAlike; Banned from the main room.
        """

    def delete_user(self, name: str, now: str, *, done: Done[Closed] = None, refused: Failed = None) -> Write[Closed]:
        """Closes an account; the result is what stays of it, under its last name. Messages stay, tokens go.

        It leaves its rooms: the result has these changes, with the name that it had. Invitations and bans of it end.
        From now on no message by it or to it is stored. The old name is nobody's for ever. UnknownUser also for a
        closed account.
        """

    def result(self, write: Write[T]) -> T:
        """Waits as `wait` does; returns the write's result or raises its error."""

    def release(self) -> None:
        """Lets another thread read. Does nothing if this thread has not read."""

    def close(self) -> None:
        """Completes all submitted writes, and closes the database."""


class Storage(AccountStorage, RoomStorage, HookStorage, Protocol):
    """An open database. Any thread may call its methods.

    A method for a write returns at once, except while the queue of writes is full. A method for a read raises
    StorageUnavailable if it cannot read, and the other errors that it names. The number of reading threads is limited:
    a thread that has read calls `release` before it waits for anything else, and before it ends.
    """

    @property
    def engine(self) -> str:
        """The engine's name and version, for the log."""

    # reads
    def find_login(self, name: str) -> User | None:
        """As `find_user`, and for a name that was somebody's a closed account."""

    def find_alike(self, looks: Sequence[str], beginning: str) -> list[str]:
        """Returns names of accounts, sorted, that have one of these looks, or a look with that beginning.

        Closed accounts are not among them.
        """

    def missed_page(self, user_id: int, up_to: int, limit: int) -> Page:
        """Returns direct messages that the user has not seen, up to the id `up_to`, oldest first."""

    def history_page(self, talk: tuple[int, int] | None, before: int | None, after: int | None, limit: int) -> Page:
        """Returns messages of the main room, or of a `talk` between two users. `before` and `after` are exclusive.

        With `after` the oldest message comes first, else the newest.
        """

    def since_page(self, user_id: int, after: int, limit: int, *, rooms: bool, deleted_after: str | None) -> SinceNews:
        """Returns all that the user may read after an id, oldest first, and what was deleted of what came before it.

        That is the main room, all talks and, with `rooms`, all rooms of which the user is a member. `deleted_after` is
        the time from which on deletions are asked for: at most MAX_DELETED of them are told.
        """

    def search_page(
        self,
        query: str,
        user_id: int,
        with_id: int | None,
        before: int | None,
        limit: int,
        *,
        room: str | None = None,
        rooms: bool = False,
    ) -> Page:
        """Returns messages of the main room and the user's talks that match the query, newest first.

        A message matches if it has each word of the query, or a word that begins with it. With `with_id` only the talk
        with that user is searched, with `room` only that room, the main one if it is empty; with `rooms` all rooms of
        which the user is a member, too. Raises TooManyWords, SearchTooSlow, UnknownRoom, NotAMember.
        """

    def figures(self) -> Figures:
        """Returns what was done so far; does not read the database."""

    # writes
    def set_present(self, user_id: int, present: bool) -> None:  # noqa: FBT001 (the two states of one thing)
        """Notes for other services that the account is in this one's list of users online, or no longer.

        It never waits, and fails at nothing: what cannot be written now is written later, and of several the last.
        """

    def probe(self, *, done: Done[None] = None, refused: Failed = None) -> None:
        """Stores something that changes nothing, to find out whether messages can be stored.

        It never waits. Raises StorageUnavailable if too much waits already.
        """

    def register(
        self,
        name: str,
        look: str,
        password_hash: str,
        token_hash: bytes | None,
        now: str,
        *,
        lifetime: int = DEFAULT_LIFETIME,
        done: Done[Login] = None,
        refused: Failed = None,
    ) -> Write[Login]:
        """As `add_user`, with a first token, if any; the user is logged in. `lifetime`: of the token, in seconds."""

    def log_in(
        self,
        user: User,
        token_hash: bytes | None,
        now: str,
        *,
        lifetime: int = DEFAULT_LIFETIME,
        done: Done[Login] = None,
        refused: Failed = None,
    ) -> Write[Login]:
        """Stores a login with the password of `user`, and a new token, if any.

        `lifetime`: the token's, in seconds after its last use. PasswordChanged, AccountDisabled, Banned.
        """

    def resume(self, token_hash: bytes, now: str, *, done: Done[Login] = None, refused: Failed = None) -> Write[Login]:
        """Stores a login with a token, which lives on for its lifetime. UnknownToken, Banned."""

    def log_out(self, token_hash: bytes, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        """Deletes a token, if it is there."""

    def find_token_owner(
        self, token_hash: bytes, *, done: Done[int | None] = None, refused: Failed = None
    ) -> Write[int | None]:
        """The result is the id of the token's user, also of an expired token. Keeps the order of the writes."""

    def change_password(
        self, user: User, password_hash: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        """Replaces the hash, if it still is the one in `user`, and deletes all tokens. PasswordChanged."""

    def note_presence(self, user_id: int, now: str, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        """Stores when the user was last here."""

    def delete_expired_tokens(self, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        """Deletes the expired tokens; the result is their number."""

    def find_stored(
        self, sender_id: int, post: Post, *, done: Done[Stored | NonceReused | None] = None, refused: Failed = None
    ) -> Write[Stored | NonceReused | None]:
        """Stores nothing: the result is that of a retry of the message, and None if it is none.

        Keeps the order of the writes.
        """

    def see_up_to(
        self, user_id: int, message_id: int, now: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        """Marks all direct messages to the user up to that id as seen, and moves the main room's read marker there.

        A marker never moves back, or beyond the newest id that was given. The result is the id where the marker is
        then, and 0 if nothing has changed.
        """

    def see_talk_up_to(
        self,
        user_id: int,
        other_id: int,
        message_id: int,
        now: str,
        *,
        done: Done[int] = None,
        refused: Failed = None,
    ) -> Write[int]:
        """Marks the other's direct messages to the user up to that id.

        The result is that id, or the newest one if it is beyond; 0 if none was unseen.
        """

    def mark_seen(
        self, user_id: int, message_ids: Sequence[int], now: str, *, done: Done[bool] = None, refused: Failed = None
    ) -> Write[bool]:
        """Marks these direct messages to the user as seen; ids of other messages have no effect.

        The result tells whether any was unseen.
        """

    def store_receipts(
        self, shown: Sequence[Shown], now: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        """Marks messages of several users as seen or read, as `mark_seen` and `see_up_to` do."""

    # waiting, and the end
    def wait(self, write: Write[Any]) -> None:
        """Returns once the write has ended; raises nothing. Releases this thread's reading."""

    def index_search(self) -> None:
        """Adds all messages so far to the search. Raises StorageUnavailable; the search then finds older ones only."""

    def settle(self) -> None:
        """Returns once all writes submitted so far have ended; raises nothing."""

    def hurry(self) -> None:
        """For a shutdown: ends running reads with StorageUnavailable, and stops writes from waiting for locks."""
