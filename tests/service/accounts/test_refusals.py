"""service/accounts/refusals.py: each refusal of the storage has its code and its text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from service.accounts.refusals import REFUSALS, as_peer_errors, to_peer_error
from service.errors import PeerError
from service.storage.records import (
    FOREVER,
    AccountDisabled,
    Banned,
    LimitReached,
    LooksAlike,
    Muted,
    NonceReused,
    NotAllowed,
    NotAMember,
    Refused,
    UnknownUser,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_refusal_has_its_line() -> None:
    """None is left out, and none has another's words."""
    assert set(REFUSALS) == set(Refused.__subclasses__())
    assert len({text for _, text in REFUSALS.values()}) == len(REFUSALS)


@pytest.mark.parametrize(
    ("refused", "code", "text"),
    [
        (UnknownUser("bob"), "unknown_user", 'there is no user "bob"'),
        (LooksAlike("{0}"), "username_taken", 'the name "{0}" looks like one that is taken; choose another one'),
        (NotAMember(), "not_a_member", "you are no member of this room"),
        (NotAMember("bob"), "not_a_member", '"bob" is no member of this room'),
        (NotAllowed(), "not_allowed", "you may not do that: it takes a higher rank"),
        (LimitReached("rooms"), "limit_reached", "there may be no more rooms; ask who runs the server"),
        (NonceReused(), "nonce_reused", "this nonce was used for another message; give each message its own"),
    ],
)
def test_a_refusal_is_told_with_its_name(refused: Refused, code: str, text: str) -> None:
    """Whatever characters the name has."""
    error = to_peer_error(refused)
    assert (error.code, str(error), error.fatal) == (code, text, False)


@pytest.mark.parametrize(
    ("refused", "text"),
    [
        (Muted, "you are muted here, and may read but not write; a moderator can lift that"),
        (Banned, "you are banned here; a moderator can lift that"),
        (partial(Banned, name="bob"), '"bob" is banned here; a moderator can lift that'),
    ],
)
@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        ("2026-11-21T09:31:30.000Z", 90),
        ("2026-11-21T09:30:00.001Z", 1),
        ("2026-11-21T09:29:00.000Z", 1),
        (FOREVER, None),
    ],
)
def test_what_ends_by_itself_is_told_with_its_end(
    refused: Callable[[str], Refused], text: str, until: str, seconds: float | None
) -> None:
    """In whole seconds, at least one; what has no end has no such time."""
    with freeze_time("2026-11-21T09:30:00Z"):
        error = to_peer_error(refused(until))
    assert (str(error), error.retry_after) == (text, seconds)


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
