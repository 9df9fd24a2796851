"""Orders of an operator who moderates, and the log of all that was moderated."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from service.admin.desk import Desk, Order, Row
from service.clock import format_time, to_minute, utcnow
from service.storage.records import FOREVER, Action, Role, RoomLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.admin.desk import Work

PAGE: Final = 500  # acts that are read at once, a few milliseconds
_DONE: Final[Mapping[str, str]] = {
    "kick": "is no member of {room} any more",
    "ban": "is banned from {room}{until}",
    "unban": "is not banned from {room}",
    "mute": "is muted in {room}{until}",
    "unmute": "is not muted in {room}",
    "role": "is {role} of {room} now",
}
_KICKED: Final = "sessions have ended; it may come again"  # from the main room, whose member everyone stays
NO_ROOMS: Final = RoomLimits(0, 0, 0, 0)  # these are for rooms and invitations, which an operator makes none of


class Moderate(Order, frozen=True, tag="moderate"):
    """Does to a user in a room what its moderators and owners may do; without `room` in the main one."""

    name: str
    action: Action
    room: str | None = None
    role: Role | None = None
    minutes: int | None = None  # of a ban or mute that ends by itself
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.action} {self.name}" + (f" in {self.room}" if self.room else "")


class Moderation(Order, frozen=True, tag="moderation"):
    """A row for each act that the log has, oldest first: in a room, by or to a user, of a kind, since a time."""

    changes: ClassVar[bool] = False
    room: str | None = None
    user: str | None = None
    action: str | None = None
    since: str | None = None


def moderate(order: Moderate, desk: Desk) -> Work:
    room = None if order.room == desk.service.main_room else order.room
    until = None if order.minutes is None else format_time(utcnow() + timedelta(minutes=order.minutes))
    act = desk.storage.moderate(
        None,
        room,
        order.name,
        order.action,
        limits=NO_ROOMS,
        role=order.role,
        until=until,
        reason=order.reason,
        done=desk.service.tell_room,
    )
    change = desk.storage.result(act)
    desk.await_delivery()
    words = _KICKED if room is None and order.action == "kick" else _DONE[order.action]
    done = words.format(
        room=room or "the main room", role=order.role, until=f" until {to_minute(until)}" if until else ""
    )
    yield Row(
        {
            "name": order.name,
            "room": room,
            "action": order.action,
            "role": order.role,
            "until": until,
            "changed": change.fresh,
        },
        [f"{order.name}: {done}"],
    )


def moderation(order: Moderation, desk: Desk) -> Work:
    room = "" if order.room == desk.service.main_room else order.room
    after = 0
    while page := desk.storage.moderation_page(
        after, PAGE, room=room, user=order.user, action=order.action, since=order.since
    ):
        for act in page:
            yield Row(
                {
                    "time": act.time,
                    "by": act.actor,
                    "action": act.action,
                    "user": act.user,
                    "room": act.room,
                    "message": act.message_id,
                    "role": act.role,
                    "until": None if act.until == FOREVER else act.until,
                    "reason": act.reason,
                }
            )
        after = page[-1].id
