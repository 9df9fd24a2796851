"""Orders that end a name: an account gets another one, or is deleted. Nobody ever gets a name that was somebody's."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from service.accounts.names import check_not_reserved, look_of
from service.admin.desk import Desk, Order, Progress, Row, counted
from service.clock import format_time, utcnow
from service.storage.records import SERVER_ID, UnknownMessage

if TYPE_CHECKING:
    from service.admin.desk import Work
    from service.storage.records import User

LOOKED_AT: Final = 10_000  # messages of anybody in a piece, some 20 ms: there is no index of all that one has sent
# All clients are told of each deleted message: 200 a second, which a slow one can still read.
AT_ONCE: Final = 20
PAUSE: Final = 0.1  # seconds


class Rename(Order, frozen=True, tag="rename"):
    """Gives an account another name."""

    name: str
    new_name: str

    def __str__(self) -> str:
        return f"rename {self.name} {self.new_name}"


class DeleteUser(Order, frozen=True, tag="delete-user"):
    """Closes an account for good; its messages stay, or are deleted too, also those of one that is closed already."""

    name: str
    with_messages: bool = False


def rename(order: Rename, desk: Desk) -> Work:
    check_not_reserved(order.new_name, desk.service.main_room)
    now = format_time(utcnow())
    told = partial(desk.service.tell_renamed, order.name, now)
    desk.storage.result(desk.storage.rename_user(order.name, order.new_name, look_of(order.new_name), now, done=told))
    desk.await_delivery()
    done = f"is called {order.new_name} now; sessions have ended, passwords and tokens stay"
    yield Row({"name": order.name, "new_name": order.new_name, "done": done}, [f"{order.name}: {done}"])


def delete_user(order: DeleteUser, desk: Desk) -> Work:
    left = desk.storage.find_user(order.name) if order.with_messages else None
    if left is None or not left.is_closed or left.id == SERVER_ID:
        closed = desk.storage.delete_user(order.name, format_time(utcnow()), done=desk.service.tell_closed)
        left = desk.storage.result(closed).user
        desk.await_delivery()
        done = (
            f"the account is deleted, and called {left.name}; its messages follow"
            if order.with_messages
            else f"the account is deleted; its messages stay, as those of {left.name}"
        )
        yield Row({"name": order.name, "new_name": left.name, "done": done}, [f"{order.name}: {done}"])
    if order.with_messages:
        yield from _delete_messages(left, desk)


def _delete_messages(left: User, desk: Desk) -> Work:
    """Deletes all that a closed account wrote, in the order of the ids; broken off, it can be begun again."""
    count = after = 0
    while (page := desk.storage.messages_of(left.id, after, LOOKED_AT)).up_to:
        own = [kept.message for kept in page.messages if kept.message.sender == left.name]
        ids = [message.id for message in own if message.deleted is None]
        for start in range(0, len(ids), AT_ONCE):
            writes = [
                desk.storage.delete_message(None, message_id, None, done=desk.service.tell_deleted)
                for message_id in ids[start : start + AT_ONCE]
            ]
            for write in writes:
                with suppress(UnknownMessage):  # removed meanwhile, as it was old
                    desk.storage.result(write)
                    count += 1
            yield Progress(f"deleting messages, {count} so far")
            if desk.service.is_running:
                time.sleep(PAUSE)
        after = page.up_to
        yield Progress(f"deleting messages, up to id {after}")
    yield Row({"name": left.name, "deleted": count}, [f"{left.name}: {counted(count, 'message')} deleted"])
