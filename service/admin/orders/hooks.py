"""Orders about webhooks: made, listed, removed. Never sees the secret of one, only its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from service.accounts.names import check_not_reserved, look_of
from service.admin.desk import Desk, Order, Row
from service.clock import format_time, utcnow

if TYPE_CHECKING:
    from service.admin.desk import Work

PAGE: Final = 500  # webhooks that are read at once, some milliseconds


class AddHook(Order, frozen=True, tag="add-hook"):
    """Makes a webhook, which speaks in that room; without one in the main one."""

    name: str
    secret_hash: bytes
    room: str | None = None


class RemoveHook(Order, frozen=True, tag="remove-hook"):
    """Ends a webhook."""

    name: str


class Hooks(Order, frozen=True, tag="hooks"):
    """A row for each webhook, by name."""

    changes: ClassVar[bool] = False


def add_hook(order: AddHook, desk: Desk) -> Work:
    """The row has the web address of the service, empty if that is not known."""
    check_not_reserved(order.name, desk.service.main_room)
    room = None if order.room == desk.service.main_room else order.room
    now = format_time(utcnow())
    desk.storage.result(desk.storage.add_hook(order.name, look_of(order.name), room, order.secret_hash, now))
    yield Row({"name": order.name, "room": room, "url": desk.service.web_address})


def remove_hook(order: RemoveHook, desk: Desk) -> Work:
    desk.storage.result(desk.storage.remove_hook(order.name))
    done = "the webhook is removed; what it said stays"
    yield Row({"name": order.name, "done": done}, [f"{order.name}: {done}"])


def hooks(_: Hooks, desk: Desk) -> Work:
    after = ""
    while page := desk.storage.hooks_page(after, PAGE):
        for hook in page:
            yield Row(
                {
                    "name": hook.name,
                    "room": hook.room,
                    "gone": hook.gone_at,
                    "created": hook.created,
                    "last_used": hook.used,
                }
            )
        after = page[-1].name
