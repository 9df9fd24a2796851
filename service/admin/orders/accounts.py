"""Orders for single accounts: made, shut out, let in, given a password, thrown out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from service.accounts.names import check_not_reserved, look_of
from service.accounts.refusals import to_peer_error
from service.admin.desk import Desk, Order, Row, counted
from service.admin.orders.moderation import NO_ROOMS
from service.clock import format_time, utcnow
from service.storage.records import Refused, UnknownUser

if TYPE_CHECKING:
    from service.admin.desk import Work
    from service.storage.records import User


class Add(Order, frozen=True, tag="add"):
    """Makes an account, also where registration is closed."""

    name: str
    password_hash: str


class SetPassword(Order, frozen=True, tag="password"):
    """Gives an account a new password."""

    name: str
    password_hash: str


class Disable(Order, frozen=True, tag="disable"):
    """Shuts an account out."""

    name: str


class Enable(Order, frozen=True, tag="enable"):
    """Lets an account in again."""

    name: str


class Kick(Order, frozen=True, tag="kick"):
    """Ends an account's sessions."""

    name: str


class CheckName(Order, frozen=True, tag="check-name"):
    """Looks whether an account of that name can be made."""

    changes: ClassVar[bool] = False
    THERE: ClassVar[str] = "is there already"
    name: str


def add(order: Add, desk: Desk) -> Work:
    check_not_reserved(order.name, desk.service.main_room)
    now = format_time(utcnow())
    desk.storage.result(desk.storage.add_user(order.name, look_of(order.name), order.password_hash, now))
    yield _tell(order, "the account is made")


def set_password(order: SetPassword, desk: Desk) -> Work:
    ended = partial(desk.service.end_sessions, "password_changed")
    desk.storage.result(desk.storage.set_password(order.name, order.password_hash, done=ended))
    yield _tell(order, "the password is changed; sessions and tokens have ended")


def disable(order: Disable, desk: Desk) -> Work:
    ended = partial(desk.service.end_sessions, "kicked")
    desk.storage.result(desk.storage.disable(order.name, format_time(utcnow()), done=ended))
    yield _tell(order, "the account is disabled; sessions and tokens have ended")


def enable(order: Enable, desk: Desk) -> Work:
    desk.storage.result(desk.storage.enable(order.name))
    yield _tell(order, "the account is enabled")


def check_name(order: CheckName, desk: Desk) -> Work:
    """Tells why it can not, or nothing."""
    why = None
    user = desk.storage.find_user(order.name)
    if user is not None and not user.is_closed:
        why = CheckName.THERE
    else:
        try:
            desk.storage.check_free(order.name, look_of(order.name))
        except Refused as refused:
            why = str(to_peer_error(refused))
    yield Row({"name": order.name, "why": why})


def kick(order: Kick, desk: Desk) -> Work:
    user = find_user(desk, order.name)
    count = desk.service.run(partial(desk.service.count_sessions, user.id))
    if count != 0:  # in the main room that is what a kick does
        act = desk.storage.moderate(None, None, order.name, "kick", limits=NO_ROOMS, done=desk.service.tell_room)
        desk.storage.result(act)
        desk.await_delivery()
    told = (
        "its sessions have ended, on every service"
        if count is None
        else f"{counted(count, 'session')} ended"
        if count
        else "is not online"
    )
    yield Row({"name": order.name, "sessions": count}, [f"{order.name}: {told}"])


def find_user(desk: Desk, name: str) -> User:
    """Returns the account. Raises UnknownUser, also for one that nobody can log in to."""
    user = desk.storage.find_user(name)
    if user is None or user.is_closed:
        raise UnknownUser(name)
    return user


def _tell(order: Add | SetPassword | Disable | Enable, what: str) -> Row:
    return Row({"name": order.name, "done": what}, [f"{order.name}: {what}"])
