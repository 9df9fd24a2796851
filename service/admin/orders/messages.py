"""Orders that delete messages, and that see to it that they are gone from the files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from service.admin.desk import Desk, Order, Progress, Row, counted
from service.errors import PeerError
from service.storage.records import UnknownMessage

if TYPE_CHECKING:
    from service.admin.desk import Work

TOLD_EVERY: Final = 50  # pieces of some milliseconds between two lines of progress
_PAUSE: Final = 0.1  # seconds between two attempts to empty the -wal, which a program may read for long


class DeleteMessage(Order, frozen=True, tag="delete-message"):
    """Deletes the text of a message."""

    id: int
    reason: str | None = None

    def __str__(self) -> str:
        return f"delete-message {self.id}"


class Purge(Order, frozen=True, tag="purge"):
    """Removes messages of before a time; with `room` only those there; with `dry_run` it only counts them."""

    before: str
    public: bool
    direct: bool
    room: str | None = None
    dry_run: bool = False

    def __str__(self) -> str:
        kinds = " and ".join(kind for kind in ("public", "direct") if getattr(self, kind))
        return f"purge {self.room or kinds} before {self.before}" + (" (dry run)" if self.dry_run else "")


class Erase(Order, frozen=True, tag="erase"):
    """Removes from the files what was deleted."""

    changes: ClassVar[bool] = False  # the deletions were logged


def delete_message(order: DeleteMessage, desk: Desk) -> Work:
    deletion = desk.storage.delete_message(None, order.id, order.reason, done=desk.service.tell_deleted)
    try:
        deleted = desk.storage.result(deletion)
    except UnknownMessage as error:  # its text for users speaks of what they may read
        raise PeerError("unknown_message", f"there is no message with the id {order.id}") from error
    desk.await_delivery()
    done = "deleted" if deleted.fresh else f"was deleted before, at {deleted.time}"
    yield Row({"id": deleted.id, "deleted": deleted.time, "fresh": deleted.fresh}, [f"message {deleted.id}: {done}"])


def purge(order: Purge, desk: Desk) -> Work:
    if order.dry_run:
        count = desk.storage.count_older(order.before, public=order.public, direct=order.direct, room=order.room)
        yield Row(
            {"before": order.before, "would_remove": count}, [f"{counted(count, 'message')} older; none was removed"]
        )
        return
    removed = after_id = pieces = 0
    more = True
    while more:
        piece = desk.storage.purge_some(
            order.before, after_id, public=order.public, direct=order.direct, room=order.room
        )
        count, after_id, more = desk.storage.result(piece)
        removed, pieces = removed + count, pieces + 1
        if pieces % TOLD_EVERY == 0:
            yield Progress(f"removing, {removed:,} messages so far")
    yield Row({"before": order.before, "removed": removed}, [f"{counted(removed, 'message')} removed"])


def erase(_: Erase, desk: Desk) -> Work:
    pieces = 0
    while (left := desk.storage.erasure()).pending:
        pieces += 1
        if left.pending > 1 or not left.wal_is_next:
            desk.storage.result(desk.storage.erase_some())
            if pieces % TOLD_EVERY == 0:
                yield Progress(f"erasing, {left.pending:,} steps left")
            continue
        desk.storage.empty_wal()
        if desk.storage.erasure().pending:
            yield Progress("waiting until no program reads the database")
            time.sleep(_PAUSE)
    yield Row({"pending": 0}, ["what was deleted is gone from the files"])
