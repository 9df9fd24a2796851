"""Whom, and which room, a command means by a name. Does nothing with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from service.accounts.names import map_name
from service.errors import PeerError
from service.storage.records import UnknownUser

if TYPE_CHECKING:
    from msgspec import UnsetType

    from service.chat.session import Session


def known_name(text: str) -> str:
    """Returns the user's name that `text` means. An invalid one is an unknown user."""
    try:
        return map_name(text)
    except PeerError:
        raise PeerError("unknown_user", "there is no such user") from None


def known_room(session: Session, text: str) -> str | None:
    """Returns the room's name that `text` means, None for the main room. An invalid one is an unknown room."""
    try:
        name = map_name(text)
    except PeerError:
        raise PeerError("unknown_room", "there is no such room") from None
    return None if name == session.services.settings.main_room else name


def named(room: str | None) -> str | UnsetType:
    """Returns the field `room` of a reply: nothing that is said of the main room bears it."""
    return UNSET if room is None else room


def find_partner(session: Session, name: str) -> tuple[int, str]:
    """Returns the id and the mapped name of the user of a talk. Raises PeerError."""
    known = known_name(name)
    partner_id = session.services.accounts.find_id(known)
    return _find_closed(session, known) if partner_id is None else partner_id, known


def _find_closed(session: Session, name: str) -> int:
    """Returns the id of a deleted account; its talk can be read by who wrote with it. Raises UnknownUser."""
    storage, own_id = session.services.storage, session.logged_in_account().id
    user = storage.find_user(name)
    if user is None or not storage.history_page((own_id, user.id), None, None, 1).messages:
        raise UnknownUser(name)
    return user.id
