"""Orders that end a name: an account gets another one, or is deleted. Nobody ever gets a name that was somebody's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from service.accounts.names import check_not_reserved, look_of
from service.admin.desk import Desk, Order, Row
from service.clock import format_time, utcnow

if TYPE_CHECKING:
    from service.admin.desk import Work


class Rename(Order, frozen=True, tag="rename"):
    """Gives an account another name."""

    name: str
    new_name: str

    def __str__(self) -> str:
        return f"rename {self.name} {self.new_name}"


class DeleteUser(Order, frozen=True, tag="delete-user"):
    """Closes an account for good; its messages stay."""

    name: str


def rename(order: Rename, desk: Desk) -> Work:
    check_not_reserved(order.new_name, desk.service.main_room)
    now = format_time(utcnow())
    told = partial(desk.service.tell_renamed, order.name, now)
    desk.storage.result(desk.storage.rename_user(order.name, order.new_name, look_of(order.new_name), now, done=told))
    desk.service.run(_wait)
    done = f"is called {order.new_name} now; sessions have ended, passwords and tokens stay"
    yield Row({"name": order.name, "new_name": order.new_name, "done": done}, [f"{order.name}: {done}"])


def delete_user(order: DeleteUser, desk: Desk) -> Work:
    closed = desk.storage.delete_user(order.name, format_time(utcnow()), done=desk.service.tell_closed)
    left = desk.storage.result(closed)
    desk.service.run(_wait)
    done = f"the account is deleted; its messages stay, as those of {left.name}"
    yield Row({"name": order.name, "new_name": left.name, "done": done}, [f"{order.name}: {done}"])


def _wait() -> None:
    """On the delivery thread: what follows from the commit was done before this."""
