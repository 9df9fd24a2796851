"""What the storages of both engines do alike: the methods whose statements they share. contract.py describes them.

An engine defines how a read and how a write is done, and the other methods.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, TypeVarTuple

from service.errors import ChatError
from service.storage.statements import (
    accounts,
    acts,
    hooks,
    membership,
    moderation,
    names,
    operators,
    retries,
    room_lists,
    rooms,
)
from service.storage.statements.connection import Connection
from service.storage.write import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.storage.records import (
        Act,
        Action,
        BanPage,
        Closed,
        Dossier,
        Hook,
        KeptHook,
        KeptPage,
        KeptRoom,
        MemberPage,
        NonceReused,
        Overview,
        Person,
        Post,
        Role,
        RoomChange,
        RoomLimits,
        RoomPage,
        RoomRef,
        Stored,
        User,
    )
    from service.storage.write import Done, Failed

C = TypeVar("C", bound=Connection)
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def do_at_once(work: Callable[[], T], done: Done[T], refused: Failed) -> Write[T]:
    """Does a write on this thread, and tells its end; returns it ended."""
    write: Write[T] = Write(done, refused)
    try:
        write.result = work()
    except ChatError as error:
        write.error = error
    write.finish()
    if write.error is None and done is not None:
        done(write.result)
    elif write.error is not None and refused is not None:
        refused(write.error)
    return write


class Orders(Generic[C]):
    """The reads and writes for an operator's orders, by connections of the type C."""

    def read(self, query: Callable[[C, *Ts], T], *args: *Ts) -> T:
        """Returns what ``query(connection, *args)`` reads. Raises StorageUnavailable."""
        raise NotImplementedError

    def submit(self, work: Callable[[C, *Ts], T], *args: *Ts, done: Done[T] = None, refused: Failed = None) -> Write[T]:
        """Does ``work(connection, *args)`` as a write."""
        raise NotImplementedError

    def if_space(self, work: Callable[[C, *Ts], T]) -> Callable[[C, *Ts], T]:
        """Returns a work that is refused where no message may be stored, if the engine knows."""
        return work

    def noting(self, work: Callable[[C, *Ts], T]) -> Callable[[C, *Ts], T]:
        """Returns a work of whose result the engine takes note, if it has to: of a ban, or of a closed account."""
        return work

    def find_user(self, name: str) -> User | None:
        return self.read(accounts.find_user, name)

    def check_free(self, name: str, look: str) -> None:
        self.read(names.check_free, name, look)

    def users_page(self, after: str, limit: int, *, disabled: bool = False) -> list[Person]:
        return self.read(partial(operators.users_page, disabled=disabled), after, limit)

    def find_dossier(self, name: str) -> Dossier | None:
        return self.read(operators.find_dossier, name)

    def messages_of(self, user_id: int, after: int, limit: int) -> KeptPage:
        return self.read(operators.messages_of, user_id, after, limit)

    def overview(self, since: str) -> Overview:
        return self.read(operators.overview, since)

    def set_password(
        self, name: str, password_hash: str, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        return self.submit(accounts.set_password, name, password_hash, done=done, refused=refused)

    def disable(self, name: str, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        return self.submit(accounts.disable, name, now, done=done, refused=refused)

    def enable(self, name: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        return self.submit(accounts.enable, name, done=done, refused=refused)

    def rename_user(
        self, name: str, new_name: str, look: str, now: str, *, done: Done[User] = None, refused: Failed = None
    ) -> Write[User]:
        return self.submit(accounts.rename, name, new_name, look, now, done=done, refused=refused)

    def delete_user(self, name: str, now: str, *, done: Done[Closed] = None, refused: Failed = None) -> Write[Closed]:
        return self.submit(self.noting(accounts.delete), name, now, done=done, refused=refused)

    def hooks_page(self, after: str, limit: int) -> list[KeptHook]:
        return self.read(hooks.hooks_page, after, limit)

    def remove_hook(self, name: str, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        return self.submit(hooks.remove, name, done=done, refused=refused)

    def find_room(self, name: str) -> RoomRef | None:
        return self.read(rooms.find_room, name)

    def all_rooms(self, after: tuple[str, str], limit: int, *, gone: bool) -> list[KeptRoom]:
        return self.read(partial(room_lists.all_rooms, gone=gone), after, limit)

    def moderation_page(
        self,
        after_id: int,
        limit: int,
        *,
        room: str | None = None,
        user: str | None = None,
        action: str | None = None,
        since: str | None = None,
    ) -> list[Act]:
        find = partial(acts.moderation_page, room=room, user=user, action=action, since=since)
        return self.read(find, after_id, limit)

    def delete_room(self, room: str, *, done: Done[RoomChange] = None, refused: Failed = None) -> Write[RoomChange]:
        return self.submit(membership.delete_room, room, done=done, refused=refused)

    def moderate(
        self,
        actor_id: int | None,
        room: str | None,
        username: str,
        action: Action,
        *,
        limits: RoomLimits,
        role: Role | None = None,
        until: str | None = None,
        reason: str | None = None,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        work = self.noting(moderation.moderate)
        if actor_id is not None and room is not None:  # whoever makes a room may fill the log of acts there
            work = self.if_space(work)
        arguments = (actor_id, room, username, action, role, until, reason, limits)
        return self.submit(work, *arguments, done=done, refused=refused)


class Sessions(Orders[C]):
    """These, and the reads and writes for what users do."""

    def find_login(self, name: str) -> User | None:
        return self.read(accounts.find_login, name)

    def find_alike(self, looks: Sequence[str], beginning: str) -> list[str]:
        return self.read(names.find_alike, looks, beginning)

    def find_hook(self, secret_hash: bytes) -> Hook | None:
        return self.read(hooks.find, secret_hash)

    def rooms_page(self, user_id: int, after: str, limit: int) -> RoomPage:
        return self.read(room_lists.rooms_page, user_id, after, limit)

    def members_page(self, user_id: int, room: str | None, after: str, limit: int, online: Sequence[str]) -> MemberPage:
        return self.read(room_lists.members_page, user_id, room, after, limit, online)

    def bans_page(self, user_id: int, room: str | None, after: str, limit: int) -> BanPage:
        return self.read(room_lists.bans_page, user_id, room, after, limit)

    def log_out(self, token_hash: bytes, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        return self.submit(accounts.log_out, token_hash, done=done, refused=refused)

    def find_token_owner(
        self, token_hash: bytes, *, done: Done[int | None] = None, refused: Failed = None
    ) -> Write[int | None]:
        return self.submit(accounts.find_token_owner, token_hash, done=done, refused=refused)

    def change_password(
        self, user: User, password_hash: str, *, done: Done[None] = None, refused: Failed = None
    ) -> Write[None]:
        return self.submit(accounts.change_password, user, password_hash, done=done, refused=refused)

    def delete_expired_tokens(self, now: str, *, done: Done[int] = None, refused: Failed = None) -> Write[int]:
        return self.submit(accounts.delete_expired_tokens, now, done=done, refused=refused)

    def create_room(
        self,
        user_id: int,
        name: str,
        look: str,
        topic: str,
        *,
        private: bool,
        least: Role,
        limits: RoomLimits,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        arguments = (user_id, name, look, topic, private, least, limits)
        return self.submit(self.if_space(membership.create_room), *arguments, done=done, refused=refused)

    def join_room(
        self,
        user_id: int,
        room: str,
        *,
        limits: RoomLimits,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        return self.submit(membership.join_room, user_id, room, limits, done=done, refused=refused)

    def leave_room(
        self, user_id: int, room: str, *, done: Done[RoomChange] = None, refused: Failed = None
    ) -> Write[RoomChange]:
        return self.submit(membership.leave_room, user_id, room, done=done, refused=refused)

    def set_room(
        self,
        user_id: int,
        room: str | None,
        *,
        topic: str | None = None,
        private: bool | None = None,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        # Who sets the main room's topic has a role that an operator gave.
        work = membership.set_room if room is None else self.if_space(membership.set_room)
        return self.submit(work, user_id, room, topic, private, done=done, refused=refused)

    def find_stored(
        self, sender_id: int, post: Post, *, done: Done[Stored | NonceReused | None] = None, refused: Failed = None
    ) -> Write[Stored | NonceReused | None]:
        return self.submit(retries.find_stored, sender_id, post, done=done, refused=refused)
