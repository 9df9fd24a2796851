"""Orders about rooms as a whole: which there are, and an end to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from service.admin.desk import Desk, Order, Row, counted

if TYPE_CHECKING:
    from service.admin.desk import Work

PAGE: Final = 500  # rooms that are read at once, a few milliseconds


class Rooms(Order, frozen=True, tag="rooms"):
    """A row for each room, by name; with `gone` also for those that are no more."""

    changes: ClassVar[bool] = False
    gone: bool = False


class DeleteRoom(Order, frozen=True, tag="delete-room"):
    """Ends a room. Its messages stay in the database."""

    name: str


def rooms(order: Rooms, desk: Desk) -> Work:
    after = ("", "")
    while page := desk.storage.all_rooms(after, PAGE, gone=order.gone):
        for room in page:
            yield Row(
                {
                    "name": room.name,
                    "members": room.members,
                    "messages": room.messages,
                    "private": room.private,
                    "created": room.created,
                    "gone": room.gone_at,
                    "topic": room.topic,
                }
            )
        after = page[-1].name, page[-1].created


def delete_room(order: DeleteRoom, desk: Desk) -> Work:
    change = desk.storage.result(desk.storage.delete_room(order.name, done=desk.service.tell_room))
    desk.await_delivery()
    members = len(change.members)
    yield Row(
        {"name": order.name, "members": members},
        [f"{order.name}: the room is deleted, for {counted(members, 'member')}; its messages stay in the database"],
    )
