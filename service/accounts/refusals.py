"""What a peer or an operator is told when the storage refuses something: one table of codes and texts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from service.errors import ErrorCode, PeerError
from service.storage import contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REFUSALS: Final[Mapping[type[contract.Refused], tuple[ErrorCode, str]]] = {
    contract.NameTaken: ("username_taken", 'the name "{name}" is taken; choose another one'),
    contract.LooksAlike: ("username_taken", 'the name "{name}" looks like one that is taken; choose another one'),
    contract.UnknownUser: ("unknown_user", 'there is no user "{name}"'),
    contract.AccountDisabled: ("bad_credentials", "this account is disabled; ask {contact}"),
    contract.PasswordChanged: (
        "bad_credentials",
        "the account was changed just now (its password, or its name); log in again",
    ),
    contract.UnknownToken: ("bad_token", "the token is unknown, used up or expired; log in with your password"),
    contract.NonceReused: ("nonce_reused", "this nonce was used for another message; give each message its own"),
    contract.UnknownMessage: ("unknown_message", "there is no such message that you may read"),
    contract.NotAllowed: ("not_allowed", "only its sender may delete that message, or in the room who ranks higher"),
    contract.TooManyWords: ("bad_request", f'field "query": at most {contract.MAX_SEARCH_WORDS} different words'),
    contract.SearchTooSlow: ("bad_request", 'field "query": this takes too long; search for rarer words'),
}


def to_peer_error(refused: contract.Refused, contact: str = "") -> PeerError:
    """Returns the PeerError for a refusal, with its code and text. `contact`: whom users may ask, as --contact says."""
    code, text = REFUSALS[type(refused)]
    return PeerError(code, text.format(name=refused.name, contact=contact or "who runs the server"))


@contextmanager
def as_peer_errors(contact: str = "") -> Iterator[None]:
    """Raises PeerError instead of Refused from the storage calls inside; `contact` is that of `to_peer_error`."""
    try:
        yield
    except contract.Refused as refused:
        raise to_peer_error(refused, contact) from refused
