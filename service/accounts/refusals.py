"""What a peer or an operator is told when the storage refuses something: one table of codes and texts."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Final

from service.clock import utcnow
from service.errors import ErrorCode, PeerError
from service.storage import records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REFUSALS: Final[Mapping[type[records.Refused], tuple[ErrorCode, str]]] = {
    records.NameTaken: ("username_taken", 'the name "{name}" is taken; choose another one'),
    records.LooksAlike: ("username_taken", 'the name "{name}" looks like one that is taken; choose another one'),
    records.UnknownUser: ("unknown_user", 'there is no user "{name}"'),
    records.AccountDisabled: ("bad_credentials", "this account is disabled; ask {contact}"),
    records.PasswordChanged: (
        "bad_credentials",
        "the account was changed just now (its password, or its name); log in again",
    ),
    records.UnknownToken: ("bad_token", "the token is unknown, used up or expired; log in with your password"),
    records.NonceReused: ("nonce_reused", "this nonce was used for another message; give each message its own"),
    records.UnknownMessage: ("unknown_message", "there is no such message that you may read"),
    records.NotAllowed: ("not_allowed", "you may not do that: {name}"),
    records.UnknownRoom: ("unknown_room", 'there is no room "{name}"'),
    records.RoomExists: ("room_exists", 'there is a room "{name}"; choose another name'),
    records.RoomLooksAlike: ("room_exists", 'the name "{name}" looks like that of a room; choose another one'),
    records.NotAMember: ("not_a_member", "{who} no member of this room"),
    records.Muted: ("muted", "{who} muted here, and may read but not write; a moderator can lift that"),
    records.Banned: ("banned", "{who} banned here; a moderator can lift that"),
    records.LimitReached: ("limit_reached", "there may be no more {name}; ask {contact}"),
    records.UnknownHook: ("unknown_user", 'there is no webhook "{name}"'),
    records.HookExists: (
        "username_taken",
        'there is a webhook "{name}"; remove it first, if it shall get a new address',
    ),
    records.TooManyWords: ("bad_request", f'field "query": at most {records.MAX_SEARCH_WORDS} different words'),
    records.SearchTooSlow: ("bad_request", 'field "query": this takes too long; search for rarer words'),
}


def to_peer_error(refused: records.Refused, contact: str = "") -> PeerError:
    """Returns the PeerError for a refusal, with its code and text. `contact`: whom users may ask, as --contact says."""
    code, text = REFUSALS[type(refused)]
    who = f'"{refused.name}" is' if refused.name else "you are"
    told = text.format(name=refused.name, who=who, contact=contact or "who runs the server")
    return PeerError(code, told, retry_after=_seconds_left(refused))


def _seconds_left(refused: records.Refused) -> float | None:
    """Returns after how many seconds a mute or ban has ended; None where nothing ends by itself."""
    if not isinstance(refused, (records.Muted, records.Banned)) or refused.until == records.FOREVER:
        return None
    left = datetime.fromisoformat(refused.until) - utcnow()
    return max(1.0, ceil(left.total_seconds()))


@contextmanager
def as_peer_errors(contact: str = "") -> Iterator[None]:
    """Raises PeerError instead of Refused from the storage calls inside; `contact` is that of `to_peer_error`."""
    try:
        yield
    except records.Refused as refused:
        raise to_peer_error(refused, contact) from refused
