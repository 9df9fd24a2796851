"""The command `moderate`: invitations, kicks, bans, mutes and roles. The storage decides; telling.py tells."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET

from service.chat.addressing import known_name, known_room, named
from service.chat.rooms import acknowledge, check_line, room_limits
from service.clock import format_time, utcnow
from service.errors import PeerError
from service.wire.protocol import AckReply

if TYPE_CHECKING:
    from service.chat.session import Session
    from service.wire.protocol import Moderate


def moderate(session: Session, command: Moderate) -> None:
    """Submits the act; the ack follows its commit."""
    reason = None if command.reason is UNSET else command.reason
    check_line("reason", reason)
    if command.action == "role" and command.role is UNSET:
        raise PeerError("bad_request", 'field "role" is missing: the role to give')
    room, username = known_room(session, command.room), known_name(command.username)
    until = None
    if command.action in ("ban", "mute") and command.minutes is not UNSET:
        until = format_time(utcnow() + timedelta(minutes=command.minutes))
    ack = AckReply(command="moderate", room=named(room), username=username, action=command.action, ref=command.ref)
    session.last_write = session.services.storage.moderate(
        session.logged_in_account().id,
        room,
        username,
        command.action,
        role=command.role if command.action == "role" and command.role is not UNSET else None,
        until=until,
        reason=reason,
        limits=room_limits(session.services.settings),
        done=partial(acknowledge, session, ack),
        refused=partial(session.refuse_write, command),
    )
