"""The shared works, and this engine's, that other services hear of: each tells it with its own transaction.

What is not here concerns nobody elsewhere. Messages tell themselves: the others read their rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, TypeVarTuple

from service.storage.news import AccountClosed, MessageDeleted, Renamed, RoomChanged, SessionsEnded, WasRead
from service.storage.postgres import deletion, markers, messages, users
from service.storage.statements import accounts, membership, moderation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Concatenate

    from service.storage.postgres.connection import Connection
    from service.storage.records import Closed, Deleted, RoomChange, User

P = ParamSpec("P")
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def told(work: Callable[[Connection, *Ts], T]) -> Callable[[Connection, *Ts], T]:
    """Returns the work that tells others of it, in place of one that does not; any other as it is."""
    return _TOLD.get(work, work)  # type: ignore[return-value]  # each takes and returns what its key does


def _room(
    work: Callable[Concatenate[Connection, P], RoomChange],
) -> Callable[Concatenate[Connection, P], RoomChange]:
    def work_and_tell(connection: Connection, /, *args: P.args, **named: P.kwargs) -> RoomChange:
        change = work(connection, *args, **named)
        if change.fresh:
            connection.tell(RoomChanged(change))
        return change

    return work_and_tell


# -- messages ---------------------------------------------------------------------------------------------------------
def _delete_message(connection: Connection, actor_id: int | None, message_id: int, reason: str | None) -> Deleted:
    deleted = deletion.delete(connection, actor_id, message_id, reason)
    if deleted.fresh:
        connection.tell(MessageDeleted(deleted, None if actor_id is None else _name(connection, actor_id)))
    return deleted


def _name(connection: Connection, user_id: int) -> str | None:
    row = connection.run('SELECT name FROM "user" WHERE id = %s', (user_id,)).fetchone()
    return None if row is None else row[0]


# -- accounts ---------------------------------------------------------------------------------------------------------
def _rename(connection: Connection, name: str, new_name: str, look: str, now: str) -> User:
    user = accounts.rename(connection, name, new_name, look, now)
    connection.tell(Renamed(user.id, name, user.name, now))
    return user


def _delete_user(connection: Connection, name: str, now: str) -> Closed:
    closed = accounts.delete(connection, name, now)
    connection.tell(AccountClosed(closed.user.id, closed.user.name, closed.rooms))
    return closed


def _change_password(connection: Connection, user: User, password_hash: str) -> None:
    accounts.change_password(connection, user, password_hash)
    connection.tell(SessionsEnded(user.id, "password_changed"))


def _set_password(connection: Connection, name: str, password_hash: str) -> int:
    user_id = accounts.set_password(connection, name, password_hash)
    connection.tell(SessionsEnded(user_id, "password_changed"))
    return user_id


def _disable(connection: Connection, name: str, now: str) -> int:
    user_id = accounts.disable(connection, name, now)
    connection.tell(SessionsEnded(user_id, "kicked"))
    return user_id


def _log_out(connection: Connection, token_hash: bytes) -> None:
    user_id = accounts.find_token_owner(connection, token_hash)
    accounts.log_out(connection, token_hash)
    if user_id is not None:
        connection.tell(SessionsEnded(user_id, "logout", token_hash))


# -- what was read ----------------------------------------------------------------------------------------------------
def _see_up_to(connection: Connection, user_id: int, message_id: int, now: str) -> int:
    read_id = users.see_up_to(connection, user_id, message_id, now)
    if read_id:
        connection.tell(WasRead(user_id, read_id))
    return read_id


def _see_room_up_to(connection: Connection, user_id: int, room: str | None, message_id: int) -> int:
    read_id = markers.see_room_up_to(connection, user_id, room, message_id)
    if read_id:
        connection.tell(WasRead(user_id, read_id, room=room, is_main=room is None))
    return read_id


def _see_talk_up_to(connection: Connection, user_id: int, other_id: int, message_id: int, now: str) -> int:
    read_id = markers.see_talk_up_to(connection, user_id, other_id, message_id, now)
    if read_id:
        connection.tell(WasRead(user_id, read_id, with_name=_name(connection, other_id)))
    return read_id


def _mark_seen(connection: Connection, user_id: int, message_ids: Sequence[int], now: str) -> bool:
    was_unseen = messages.mark_seen(connection, user_id, message_ids, now)
    if was_unseen:
        connection.tell(WasRead(user_id, ids=message_ids))
    return was_unseen


_TOLD: Final[Mapping[Callable[..., Any], Callable[..., Any]]] = {
    **{
        work: _room(work)
        for work in (
            moderation.moderate,
            membership.create_room,
            membership.join_room,
            membership.leave_room,
            membership.set_room,
            membership.delete_room,
        )
    },
    deletion.delete: _delete_message,
    accounts.rename: _rename,
    accounts.delete: _delete_user,
    accounts.change_password: _change_password,
    accounts.set_password: _set_password,
    accounts.disable: _disable,
    accounts.log_out: _log_out,
    users.see_up_to: _see_up_to,
    markers.see_room_up_to: _see_room_up_to,
    markers.see_talk_up_to: _see_talk_up_to,
    messages.mark_seen: _mark_seen,
}
