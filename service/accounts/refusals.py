"""What a peer or an operator is told when the storage refuses something: one table of codes and texts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

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
    records.NotAllowed: ("not_allowed", "only its sender may delete that message, or in the room who ranks higher"),
    records.TooManyWords: ("bad_request", f'field "query": at most {records.MAX_SEARCH_WORDS} different words'),
    records.SearchTooSlow: ("bad_request", 'field "query": this takes too long; search for rarer words'),
}


def to_peer_error(refused: records.Refused, contact: str = "") -> PeerError:
    """Returns the PeerError for a refusal, with its code and text. `contact`: whom users may ask, as --contact says."""
    code, text = REFUSALS[type(refused)]
    return PeerError(code, text.format(name=refused.name, contact=contact or "who runs the server"))


@contextmanager
def as_peer_errors(contact: str = "") -> Iterator[None]:
    """Raises PeerError instead of Refused from the storage calls inside; `contact` is that of `to_peer_error`."""
    try:
        yield
    except records.Refused as refused:
        raise to_peer_error(refused, contact) from refused
