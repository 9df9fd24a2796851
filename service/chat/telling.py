"""What follows the commit of a change in a room: who is told what, and who is in the room from then on.

On the delivery thread, so that it has its place among the room's messages. Decides nothing: the storage has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET
from msgspec.structs import asdict

from service.chat.replies import room_info
from service.storage.records import FOREVER
from service.wire.protocol import MemberEvent, RoomReply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec import UnsetType

    from service.chat.session import Services, Session
    from service.delivery.outbox import Outbox
    from service.storage.records import MemberChange, RoomChange, RoomRef
    from service.wire.protocol import Event, Reply

MAIN: Final = -1  # the main room's id for the delivery; in it are all sessions that know rooms
_ENDS_MEMBERSHIP: Final = frozenset({"leave", "kick", "ban"})


def tell(services: Services, change: RoomChange, asker: Session | None = None, reply: Reply | None = None) -> None:
    """Tells a change to whom it concerns. The session that asked for it gets the reply in the place of that.

    Sessions that do not know rooms are told nothing, but those that end are ended.
    """
    teller = _Teller(services, change.room, asker, reply)
    if change.fresh:
        for member_change in change.changes:
            teller.tell_member(member_change, change)
        if change.gone:
            teller.tell_gone(change.members)
        elif not change.changes and change.view is not None:
            teller.tell_all(room_event(change))
        for user_id in change.ended:
            teller.tell_uninvited(user_id, gone=change.gone)
    teller.reply()


def joined_reply(change: RoomChange, ref: str | UnsetType = UNSET) -> RoomReply:
    """Returns the room as it is for who has made or joined it."""
    assert change.view is not None  # noqa: S101 (for who asked there is one)
    return RoomReply(**asdict(room_info(change.view)), last_id=change.last_id, ref=ref)


def room_event(change: RoomChange) -> RoomReply:
    """Returns the room as all its members see it. Nothing that is said of the main room names it."""
    view = change.view
    assert view is not None  # noqa: S101 (after a change of the room there is one)
    if change.room is None:
        return RoomReply(topic=view.topic)
    return RoomReply(room=view.name, created=view.created, topic=view.topic, private=view.private, members=view.members)


class _Teller:
    """Tells one change. `asker` gets `reply` once: in place of the first line that is for it, or at the end."""

    def __init__(self, services: Services, room: RoomRef | None, asker: Session | None, reply: Reply | None) -> None:
        self._services = services
        self._room = room
        self._room_id = MAIN if room is None else room.id
        self._asker = asker
        self._reply = reply

    def tell_member(self, change: MemberChange, whole: RoomChange) -> None:
        """Tells the members and whom it concerns. Who enters is told of that from then on, who leaves of that last."""
        event = _member_event(self._room, change)
        if change.action == "join":
            self.tell_all(event)
            self._let_in(change.user_id, whole)
            return
        self.tell_all(event)
        if self._room is None:
            if change.action in ("kick", "ban"):
                for session in list(self._services.roster.sessions_of(change.user_id)):
                    session.kick("kicked")
        elif not change.was_member:
            if not self._room.private or change.was_invited or change.action == "invite":
                self._services.delivery.send(event, self._outboxes_of(change.user_id))
        elif change.action in _ENDS_MEMBERSHIP:
            self._let_out(change.user_id)
        if self._room is not None and change.action in _ENDS_MEMBERSHIP and (change.was_member or change.was_invited):
            self._services.losses.add_room(change.user_id, self._room)

    def tell_all(self, event: Event) -> None:
        """Tells the members' sessions."""
        reply, self._reply = self._reply, None
        outbox = None if self._asker is None or reply is None else self._asker.outbox
        self._services.delivery.broadcast_to(self._room_id, event, outbox, reply)

    def tell_gone(self, member_ids: Iterable[int]) -> None:
        """Tells those who were members just before, and lets them out."""
        room = self._room
        assert room is not None  # noqa: S101 (the main room stays)
        self.tell_all(_gone_event(room))
        for user_id in member_ids:
            self._let_out(user_id)
        self._services.losses.add_room(None, room, gone=True)

    def tell_uninvited(self, user_id: int, *, gone: bool) -> None:
        """Tells a user whose invitation has ended."""
        room = self._room
        assert room is not None  # noqa: S101 (nobody is invited to the main room)
        self._services.delivery.send(_gone_event(room), self._outboxes_of(user_id))
        self._services.losses.add_room(user_id, room, gone=gone)

    def reply(self) -> None:
        """Replies if that was not done yet."""
        if self._asker is not None and self._reply is not None:
            self._asker.outbox.append(self._reply)

    def _let_in(self, user_id: int, change: RoomChange) -> None:
        """The user's sessions get what is for the members from now on; those that have not asked are told of it."""
        event = joined_reply(change)
        self._services.delivery.send(event, self._outboxes_of(user_id))
        for session in self._services.roster.sessions_of(user_id):
            if session.knows_rooms:
                self._services.delivery.enter_room(self._room_id, session.outbox)

    def _let_out(self, user_id: int) -> None:
        for session in self._services.roster.sessions_of(user_id):
            self._services.delivery.leave_room(self._room_id, session.outbox)

    def _outboxes_of(self, user_id: int) -> list[Outbox]:
        sessions = self._services.roster.sessions_of(user_id)
        return [session.outbox for session in sessions if session.knows_rooms and session is not self._asker]


def _member_event(room: RoomRef | None, change: MemberChange) -> MemberEvent:
    return MemberEvent(
        room=UNSET if room is None else room.name,
        username=change.name,
        action=change.action,
        role=change.role if change.role is not None and change.action in ("join", "role") else UNSET,
        by=UNSET if change.by is None else change.by,
        reason=UNSET if change.reason is None else change.reason,
        until=UNSET if change.until in (None, FOREVER) else change.until,
        time=change.time,
    )


def _gone_event(room: RoomRef) -> RoomReply:
    return RoomReply(room=room.name, created=room.created, gone=True)
