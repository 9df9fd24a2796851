"""The commands about rooms: create, join, leave, set_room, and the pages rooms, members and bans.

Decides nothing: the storage does, in the order of the writes. What follows a commit is in telling.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET

from service.accounts.names import look_of, looks_like, map_name
from service.chat.addressing import known_room, named
from service.chat.reading import fit_rows, send_page, turn
from service.chat.replies import mute_fields, room_info
from service.chat.telling import joined_reply, tell
from service.errors import PeerError
from service.storage.records import FOREVER, NotAllowed, RoomExists, RoomLimits, RoomLooksAlike
from service.wire.protocol import AckReply, BanInfo, BansReply, MemberInfo, MembersReply, RoomsReply

if TYPE_CHECKING:
    from collections.abc import Container

    from service.chat.session import Session
    from service.config import Settings
    from service.storage.records import BanView, MemberPage, MemberView, Role, RoomChange
    from service.wire import protocol

_MAY_CREATE: dict[str, Role] = {"open": "member", "moderators": "moderator"}  # the least role in the main room


# -- changes ----------------------------------------------------------------------------------------------------------
def create(session: Session, command: protocol.Create) -> None:
    """Submits a new room; the reply follows its commit."""
    settings = session.services.settings
    try:
        name = map_name(command.room)
    except PeerError as error:
        raise PeerError("invalid_room", str(error)) from None
    check_line("topic", command.topic)
    if name == settings.main_room:
        raise RoomExists(name)
    if looks_like(name, settings.main_room):
        raise RoomLooksAlike(name)
    if settings.rooms not in _MAY_CREATE:
        raise PeerError("not_allowed", "rooms are not made here; ask the operator")
    session.last_write = session.services.storage.create_room(
        session.logged_in_account().id,
        name,
        look_of(name),
        command.topic,
        private=command.private,
        least=_MAY_CREATE[settings.rooms],
        limits=room_limits(settings),
        done=partial(_reply_joined, session, command),
        refused=partial(session.refuse_write, command),
    )


def join(session: Session, command: protocol.Join) -> None:
    """Submits the membership; the reply follows its commit."""
    session.last_write = session.services.storage.join_room(
        session.logged_in_account().id,
        other_room(session, command.room),
        limits=room_limits(session.services.settings),
        done=partial(_reply_joined, session, command),
        refused=partial(session.refuse_write, command),
    )


def _reply_joined(session: Session, command: protocol.Create | protocol.Join, change: RoomChange) -> None:
    """Runs on the delivery thread, after the commit."""
    tell(session.services, change, session, joined_reply(change, command.ref))


def leave(session: Session, command: protocol.Leave) -> None:
    """Submits the end of the membership; the ack follows its commit."""
    room = other_room(session, command.room)
    session.last_write = session.services.storage.leave_room(
        session.logged_in_account().id,
        room,
        done=partial(acknowledge, session, AckReply(command="leave", room=room, ref=command.ref)),
        refused=partial(session.refuse_write, command),
    )


def set_room(session: Session, command: protocol.SetRoom) -> None:
    """Submits what is to change; the ack follows its commit."""
    topic = None if command.topic is UNSET else command.topic
    private = None if command.private is UNSET else command.private
    if topic is None and private is None:
        raise PeerError("bad_request", 'give one of the fields "topic" and "private", or both')
    check_line("topic", topic)
    room = known_room(session, command.room)
    if room is None and private is not None:
        raise NotAllowed("the main room is everyone's")
    session.last_write = session.services.storage.set_room(
        session.logged_in_account().id,
        room,
        topic=topic,
        private=private,
        done=partial(acknowledge, session, AckReply(command="set_room", room=named(room), ref=command.ref)),
        refused=partial(session.refuse_write, command),
    )


def other_room(session: Session, text: str) -> str:
    """Returns the name of a room that is not the main one, which nobody joins or leaves. Raises NotAllowed."""
    name = known_room(session, text)
    if name is None:
        raise NotAllowed("everyone is in the main room")
    return name


def room_limits(settings: Settings) -> RoomLimits:
    return RoomLimits(
        members=settings.max_members,
        rooms=settings.max_rooms,
        per_account=settings.rooms_per_account,
        invitations=settings.max_invitations,
    )


def check_line(field: str, text: str | None) -> None:
    """Raises PeerError for a text that cannot be stored."""
    if text is not None and "\0" in text:
        raise PeerError("bad_request", f'field "{field}": it may not contain NUL')


def acknowledge(session: Session, ack: AckReply, change: RoomChange) -> None:
    """Runs on the delivery thread, after the commit."""
    tell(session.services, change, session, ack)


# -- pages ------------------------------------------------------------------------------------------------------------
def rooms(session: Session, command: protocol.Rooms) -> None:
    """Sends a page of the rooms that the user may see."""
    session.settle()
    after = "" if command.after is UNSET else command.after
    with turn(session, session.services.pages) as since:
        page = session.services.storage.rooms_page(session.logged_in_account().id, after, command.limit)
    shown, more = fit_rows(session, map(room_info, page.rooms), more=page.more)
    send_page(session, command, RoomsReply(rooms=shown, more=more), since)


def members(session: Session, command: protocol.Members) -> None:
    """Sends a page of a room's members."""
    account, services = session.logged_in_account(), session.services
    room = known_room(session, command.room)
    session.settle()
    online: list[str] = []
    services.delivery.run(lambda _: online.extend(services.roster.names()))
    after = "" if command.after is UNSET else command.after
    with turn(session, services.pages) as since:
        page = services.storage.members_page(account.id, room, after, command.limit, online)
    there = frozenset(online)
    rows = [_member_info(member, page, account.id, there) for member in page.members]
    shown, more = fit_rows(session, rows, more=page.more)
    send_page(session, command, MembersReply(room=named(room), members=shown, more=more), since)


def _member_info(member: MemberView, page: MemberPage, asker_id: int, online: Container[str]) -> MemberInfo:
    is_told = page.rank != "member" or member.user_id == asker_id
    muted, muted_until = mute_fields(member.muted_until if is_told else None)
    is_online = member.name in online
    return MemberInfo(name=member.name, role=member.role, online=is_online, muted=muted, muted_until=muted_until)


def bans(session: Session, command: protocol.Bans) -> None:
    """Sends a page of who is banned from a room, to its moderators."""
    room = known_room(session, command.room)
    session.settle()
    after = "" if command.after is UNSET else command.after
    with turn(session, session.services.pages) as since:
        page = session.services.storage.bans_page(session.logged_in_account().id, room, after, command.limit)
    shown, more = fit_rows(session, map(_ban_info, page.bans), more=page.more)
    send_page(session, command, BansReply(room=named(room), bans=shown, more=more), since)


def _ban_info(ban: BanView) -> BanInfo:
    return BanInfo(
        name=ban.name,
        by=UNSET if ban.by is None else ban.by,
        reason=UNSET if ban.reason is None else ban.reason,
        time=ban.time,
        until=UNSET if ban.until == FOREVER else ban.until,
    )
