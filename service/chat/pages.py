"""Keeps out of a page what its reader has lost since it was read: texts that were deleted, rooms. Reads none itself."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from service.accounts.refusals import to_peer_error
from service.storage.records import NotAMember, UnknownRoom
from service.wire.protocol import (
    BansReply,
    ErrorReply,
    HistoryReply,
    MembersReply,
    MissedReply,
    RoomsReply,
    SearchReply,
    SinceReply,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.storage.records import RoomRef
    from service.wire.protocol import RoomInfo, StoredMessage

MessagesReply = HistoryReply | MissedReply | SearchReply | SinceReply
RoomPageReply = HistoryReply | SearchReply | MembersReply | BansReply
PageReply = MessagesReply | RoomsReply | MembersReply | BansReply
KEPT: Final = 4_096  # losses; a page takes milliseconds, so it never meets so many


class LostText(NamedTuple):
    """A message that was deleted."""

    message_id: int
    time: str


class LostRoom(NamedTuple):
    """A room that a user has no page of any more; where `user_id` is None, nobody has."""

    user_id: int | None
    room: str
    known: bool  # whether they may still know that there is one


class Losses:
    """The newest losses. Belongs to the delivery thread; any thread may read `count`."""

    def __init__(self, kept: int = KEPT) -> None:
        self.count = 0
        self._newest: deque[LostText | LostRoom] = deque(maxlen=kept)

    def add_text(self, message_id: int, time: str) -> None:
        self._add(LostText(message_id, time))

    def add_room(self, user_id: int | None, room: RoomRef, *, gone: bool = False) -> None:
        """Notes that the user is no longer a member, or not invited; or that the room is gone."""
        self._add(LostRoom(user_id, room.name, not (gone or room.private)))

    def _add(self, loss: LostText | LostRoom) -> None:
        self._newest.append(loss)
        self.count += 1

    def amend(self, page: PageReply, since: int, user_id: int) -> PageReply | ErrorReply | None:
        """Returns what to send to the user in place of a page that was read when `count` was `since`; None if it holds.

        That is an error if the page was of a room that is lost, or if it was too long ago to know.
        """
        new = self.count - since
        if not new:
            return None
        if new > len(self._newest):
            return _error(page, "storage_unavailable", "too much has changed while this page was read; try again")
        losses = list(self._newest)[-new:]
        lost = [loss for loss in losses if isinstance(loss, LostRoom) and loss.user_id in (user_id, None)]
        amended = _without_rooms(page, {loss.room: loss.known for loss in lost})
        if isinstance(amended, MessagesReply):
            amended = _without_texts(
                amended, {loss.message_id: loss.time for loss in losses if isinstance(loss, LostText)}
            )
        return None if amended is page else amended


def _without_rooms(page: PageReply, lost: dict[str, bool]) -> PageReply | ErrorReply:
    """Returns the page without these rooms, or the error that it is of one; the values say whether it may be known."""
    if not lost:
        return page
    if isinstance(page, RoomsReply):
        return replace(page, rooms=list(_still_known(page.rooms, lost)))
    if isinstance(page, RoomPageReply) and page.room is not UNSET and page.room in lost:
        refused = to_peer_error(NotAMember() if lost[page.room] else UnknownRoom(page.room))
        return _error(page, refused.code, str(refused))
    if isinstance(page, SearchReply | SinceReply):
        return replace(page, messages=[message for message in page.messages if message.room not in lost])
    return page


def _still_known(rows: Iterable[RoomInfo], lost: dict[str, bool]) -> Iterable[RoomInfo]:
    """Gives the rows as for who is no member of the lost rooms, without those that may not be known."""
    for row in rows:
        if row.room not in lost:
            yield row
        elif lost[row.room]:
            own = {"role": UNSET, "unread": UNSET, "read_id": UNSET, "muted": UNSET, "muted_until": UNSET}
            yield replace(row, **own, invited=UNSET)


def _without_texts(page: MessagesReply, times: dict[int, str]) -> MessagesReply:
    """Returns the page without these texts; the values say when they were deleted."""
    if not any(message.id in times for message in page.messages):
        return page
    if isinstance(page, HistoryReply | SinceReply):
        return replace(page, messages=[_without_text(message, times) for message in page.messages])
    return replace(page, messages=[message for message in page.messages if message.id not in times])


def _without_text(message: StoredMessage, times: dict[int, str]) -> StoredMessage:
    if message.id not in times:
        return message
    return replace(message, message="", kind=UNSET, deleted=times[message.id])


def _error(page: PageReply, code: str, text: str) -> ErrorReply:
    # A page is named as its command.
    return ErrorReply(code=code, message=text, command=str(page.__struct_config__.tag), ref=page.ref)
