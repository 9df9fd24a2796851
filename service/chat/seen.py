"""The command `seen`, and what follows its commit: the user's other sessions are told what was read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET

from service.chat.addressing import find_partner, known_room, named
from service.clock import format_time, utcnow
from service.errors import PeerError
from service.wire.protocol import AckReply, ReadEvent

if TYPE_CHECKING:
    from service.chat.session import Services, Session
    from service.wire.protocol import Seen


def seen(session: Session, command: Seen) -> None:
    """Submits the marking; the ack follows its commit."""
    if (command.id is UNSET) == (command.ids is UNSET):
        raise PeerError("bad_request", 'give one of the fields "id" and "ids"')
    if command.room is not UNSET and command.with_ is not UNSET:
        raise PeerError("bad_request", 'give one of the fields "room" and "with"')
    ack = AckReply(command="seen", id=command.id, ids=command.ids, ref=command.ref)
    read = ReadEvent(id=command.id, ids=command.ids)
    account, storage, now = session.logged_in_account(), session.services.storage, format_time(utcnow())
    done, refused = partial(_acknowledge, session, ack, read), partial(session.refuse_write, command)
    if command.id is UNSET:
        if command.room is not UNSET or command.with_ is not UNSET:
            raise PeerError("bad_request", 'field "id" is missing: up to where the room or talk was seen')
        ids = [] if command.ids is UNSET else command.ids
        session.last_write = storage.mark_seen(account.id, ids, now, done=done, refused=refused)
    elif command.room is not UNSET:
        room = known_room(session, command.room)
        ack.room, read.room = named(room), room or session.services.settings.main_room
        session.last_write = storage.see_room_up_to(account.id, room, command.id, done=done, refused=refused)
    elif command.with_ is not UNSET:
        partner_id, ack.with_ = find_partner(session, command.with_)
        read.with_ = ack.with_
        session.last_write = storage.see_talk_up_to(account.id, partner_id, command.id, now, done=done, refused=refused)
    else:
        session.last_write = storage.see_up_to(account.id, command.id, now, done=done, refused=refused)


def _acknowledge(session: Session, ack: AckReply, read: ReadEvent, changed: int) -> None:
    """Runs on the delivery thread, after the commit. `changed`: 0 if nothing has; of an id, where the marker is now."""
    session.outbox.append(ack)
    if changed:
        if read.id is not UNSET:
            read.id = changed
        tell(session.services, session.logged_in_account().id, read, session)


def tell(services: Services, user_id: int, read: ReadEvent, asker: Session | None = None) -> None:
    """Tells the user's other sessions that know rooms. On the delivery thread."""
    others = services.roster.sessions_of(user_id)
    receivers = [other.outbox for other in others if other.knows_rooms and other is not asker]
    services.delivery.send(read, receivers)
