"""Greetings, errors and stored messages as events. Sends nothing; knows no session."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import UNSET, UnsetType

from service import __version__
from service.accounts.refusals import to_peer_error
from service.clock import format_time, utcnow
from service.errors import CommandError, ErrorCode, PeerError, StorageFull, StorageUnavailable
from service.storage.records import FOREVER, Refused
from service.wire.limits import PROTOCOL_VERSION
from service.wire.protocol import ErrorReply, HelloEvent, RoomInfo, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.config import Settings
    from service.storage.records import Message, RoomView
    from service.wire.protocol import Command

Entry = TypeVar("Entry")  # a row of a page, as the wire has it
FEATURES: Final = ["delete", "kind", "presence", "quiet", "rooms", "since"]  # of the protocol's second part
_log: Final = logging.getLogger("chat.session")
_LOGGED_REFUSALS: Final[frozenset[ErrorCode]] = frozenset(
    {"bad_credentials", "bad_token", "rate_limited", "login_timeout"}
)


def greeting(settings: Settings) -> HelloEvent:
    """Returns the event that describes this service and its limits."""
    return HelloEvent(
        protocol=PROTOCOL_VERSION,
        server=settings.name,
        version=__version__,
        registration=settings.registration,
        max_line=settings.max_line,
        max_message=settings.max_message,
        features=FEATURES,
        main_room=settings.main_room,
        contact=settings.contact or UNSET,
    )


def explain(error: Exception, command: Command | None, peer: str, contact: str = "") -> ErrorReply:
    """Returns the reply for an error of a command, or of the connection from `peer` if there is no command.

    A failure of the service is logged with an id that the reply names. `contact`: whom users may ask.
    """
    if isinstance(error, Refused):
        error = to_peer_error(error, contact)
    reply = ErrorReply(code="internal", message="")
    if command is not None:
        reply.command, reply.ref = str(command.__struct_config__.tag), command.ref
    if isinstance(error, CommandError):
        reply.command = error.command if error.command is not None else UNSET
        reply.ref = error.ref if error.ref is not None else UNSET
    if isinstance(error, PeerError):
        reply.code, reply.message = error.code, str(error)
        reply.fatal = True if error.fatal else UNSET
        reply.retry_after = UNSET if error.retry_after is None else error.retry_after
    elif isinstance(error, StorageUnavailable):
        reply.code = "storage_unavailable"
        reply.maybe = True if error.maybe else UNSET
        if isinstance(error, StorageFull):
            reply.message = "there is no space left on the server; nothing was stored. Tell who runs it"
        elif error.maybe:
            reply.message = "the database was lost just then, so this may be done or not; look before you do it again"
        else:
            reply.message = "the database cannot be used just now; nothing was stored, try again"
    else:
        incident = secrets.token_hex(4)
        _log.error("incident %s: %s %s", incident, reply.command or "connection", peer, exc_info=error)
        reply.message = f"something went wrong here; tell the operator: incident {incident}"
    account = f"{error.account} " if isinstance(error, PeerError) and error.account else ""
    level = logging.INFO if reply.code in _LOGGED_REFUSALS else logging.DEBUG
    _log.log(level, "refused %s %s%s: %s", reply.command or "connection", account, peer, reply.code)
    return reply


def stored_message(message: Message) -> StoredMessage:
    return StoredMessage(
        id=message.id,
        time=message.time,
        from_=message.sender,
        to=UNSET if message.recipient is None else message.recipient,
        room=UNSET if message.room is None else message.room,
        message=message.body,
        kind=message.kind or UNSET,
        deleted=message.deleted or UNSET,
    )


def fit(
    entries: Iterable[Entry], space: int, size_of: Callable[[Entry], int], *, more: bool
) -> tuple[list[Entry], bool]:
    """Returns the first entries of a page that fit into `space` bytes, and whether others follow.

    The first entry is always among them, or a client could never get past it. `size_of` returns an entry's bytes.
    """
    shown: list[Entry] = []
    for entry in entries:
        space -= size_of(entry)
        if space < 0 and shown:
            return shown, True
        shown.append(entry)
    return shown, more


def room_info(view: RoomView) -> RoomInfo:
    """Returns a room as the user sees it."""
    is_member = view.role is not None
    muted, muted_until = mute_fields(view.muted_until)
    return RoomInfo(
        room=view.name,
        created=view.created,
        topic=view.topic,
        private=view.private,
        members=view.members,
        role=UNSET if view.role is None else view.role,
        unread=view.unread if is_member else UNSET,
        read_id=view.read_id if is_member else UNSET,
        muted=muted,
        muted_until=muted_until,
        invited=True if view.invited else UNSET,
    )


def mute_fields(until: str | None) -> tuple[bool | UnsetType, str | UnsetType]:
    """Returns the fields `muted` and `muted_until`; one that has ended is none."""
    if until is None or until <= format_time(utcnow()):
        return UNSET, UNSET
    return True, UNSET if until == FOREVER else until
