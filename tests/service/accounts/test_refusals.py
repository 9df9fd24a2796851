"""service/accounts/refusals.py: each refusal of the storage has its code and its text."""

from __future__ import annotations

import pytest

from service.accounts.refusals import REFUSALS, as_peer_errors, to_peer_error
from service.errors import PeerError
from service.storage.records import AccountDisabled, LooksAlike, NonceReused, Refused, UnknownUser


def test_every_refusal_has_its_line() -> None:
    """None is left out, and none has another's words."""
    assert set(REFUSALS) == set(Refused.__subclasses__())
    assert len({text for _, text in REFUSALS.values()}) == len(REFUSALS)


@pytest.mark.parametrize(
    ("refused", "code", "text"),
    [
        (UnknownUser("bob"), "unknown_user", 'there is no user "bob"'),
        (LooksAlike("{0}"), "username_taken", 'the name "{0}" looks like one that is taken; choose another one'),
        (NonceReused(), "nonce_reused", "this nonce was used for another message; give each message its own"),
    ],
)
def test_a_refusal_is_told_with_its_name(refused: Refused, code: str, text: str) -> None:
    """Whatever characters the name has."""
    error = to_peer_error(refused)
    assert (error.code, str(error), error.fatal) == (code, text, False)


@pytest.mark.parametrize(("contact", "whom"), [("", "who runs the server"), ("{the} office", "{the} office")])
def test_a_disabled_account_is_told_whom_to_ask(contact: str, whom: str) -> None:
    """As --contact says, or in general words."""
    assert str(to_peer_error(AccountDisabled("bob"), contact)) == f"this account is disabled; ask {whom}"


def test_calls_of_the_storage_raise_peer_errors() -> None:
    """Within the block; other exceptions stay what they are."""
    with pytest.raises(PeerError, match="no user"), as_peer_errors():
        raise UnknownUser("bob")
    with pytest.raises(ZeroDivisionError), as_peer_errors():
        raise ZeroDivisionError
