"""service/storage/records.py: what a record says of itself."""

from __future__ import annotations

import pytest

from service.storage.records import AccountDisabled, User


@pytest.mark.parametrize(("password_hash", "is_closed"), [("hash", False), ("", True)])
def test_an_account_without_a_password_is_closed(password_hash: str, is_closed: bool) -> None:
    """Such as the service's own, and deleted ones."""
    assert User(1, "alice", password_hash, None).is_closed == is_closed


def test_a_disabled_account_is_refused_by_name() -> None:
    """One that is not passes."""
    User(1, "alice", "hash", None).check_enabled()
    with pytest.raises(AccountDisabled) as refused:
        User(1, "alice", "hash", "2026-11-21T09:30:00.000Z").check_enabled()
    assert refused.value.name == "alice"
