"""Statements that judge who may delete a message, and note that it was done. None begins or ends a transaction.

What empties it is in each engine's deletion.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.storage.records import Deleted, NotAllowed, Role, RoomRef, UnknownMessage
from service.storage.statements import acts
from service.storage.statements.rooms import higher, outranks

if TYPE_CHECKING:
    from service.storage.statements.connection import Connection

# The message, and its sender's rank in the main room and in the room.
_MESSAGE: Final = """
    SELECT m.sender_id, m.recipient_id, m.room_id, m.body, m.deleted_at, s.role, b.role,
        r.name, r.created_at, r.private, r.gone_at
    FROM message AS m
    JOIN user AS s ON s.id = m.sender_id
    LEFT JOIN room AS r ON r.id = m.room_id
    LEFT JOIN member AS b ON b.room_id = m.room_id AND b.user_id = m.sender_id
    WHERE m.id = ?
"""


class Judged(NamedTuple):
    """A message that the actor may delete."""

    id: int
    sender_id: int
    recipient_id: int | None
    room: RoomRef | None
    body: str
    deleted_at: str | None  # since when it is

    @property
    def searched(self) -> tuple[int, int, int | None, int | None, str]:
        """What the search index takes of it."""
        return self.id, self.sender_id, self.recipient_id, None if self.room is None else self.room.id, self.body

    def as_deleted(self, time: str) -> Deleted:
        """What is told of its deletion at that time."""
        readers = None if self.recipient_id is None else (self.sender_id, self.recipient_id)
        return Deleted(self.id, time, fresh=self.deleted_at is None, reader_ids=readers, room=self.room)


def judge(connection: Connection, actor_id: int | None, message_id: int) -> Judged:
    """Judges what the actor may do, in the order of the writes. Raises UnknownMessage, NotAllowed."""
    row = connection.execute(_MESSAGE, (message_id,)).fetchone()
    if row is None:
        raise UnknownMessage
    sender_id, recipient_id, room_id, body, deleted_at, main_role, room_role, name, created, private, gone_at = row
    room = None if room_id is None else RoomRef(room_id, name, created, bool(private))
    if actor_id is not None and actor_id != sender_id:
        if recipient_id is not None:
            raise NotAllowed("only its sender may delete it") if recipient_id == actor_id else UnknownMessage
        if gone_at is not None:
            raise UnknownMessage
        _check_rank(connection, actor_id, room, main_role, room_role or "member")
    return Judged(message_id, sender_id, recipient_id, room, body, deleted_at)


def _check_rank(connection: Connection, actor_id: int, room: RoomRef | None, main_role: Role, room_role: Role) -> None:
    """Refuses who does not outrank the sender, who has these roles in the main room and in the room.

    Raises NotAllowed where the actor may read the message, else UnknownMessage.
    """
    own_main, own_room = connection.execute(
        "SELECT u.role, m.role FROM user AS u LEFT JOIN member AS m ON m.room_id = :room AND m.user_id = u.id "
        "WHERE u.id = :actor",
        {"room": None if room is None else room.id, "actor": actor_id},
    ).fetchone()
    own: Role = own_room or "member"
    others = room_role
    if room is None or not room.private:  # in a private room the role there alone counts
        own, others = higher(own, own_main), higher(others, main_role)
    if not outranks(own, others):
        raise NotAllowed if room is None or own_room is not None else UnknownMessage


def note(connection: Connection, actor_id: int | None, found: Judged, now: str, reason: str | None) -> None:
    """Notes it in the log of acts, unless its sender deletes it without a word."""
    if actor_id == found.sender_id and reason is None:
        return
    acts.note(
        connection,
        *(now, actor_id, "delete"),
        room_id=None if found.room is None else found.room.id,
        user_id=found.sender_id,
        message_id=found.id,
        reason=reason,
    )
