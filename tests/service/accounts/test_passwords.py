"""service/accounts/passwords.py: the one form of a password; test_authentication.py has the rest."""

from __future__ import annotations

import pytest

from service.accounts import passwords


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("Secure Password", "Secure Password"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\uff21", "\uff21"),
        ("\U0001f600", "\U0001f600"),
        ("x" * 1_024, "x" * 1_024),
        ("\u00e9" * 512, "\u00e9" * 512),
        ("x" * 1_025, None),
        ("\u00e9" * 512 + "x", None),
        ("\ufb2a" * 341, None),
        ("", None),
        ("a\nb", None),
        ("a\0b", None),
        ("a\x7fb", None),
        ("a\u200bb", None),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_passwords_are_prepared_as_rfc_8265_says(text: str, password: str | None) -> None:
    """Composition and kinds of spaces do not matter, case and width do; both forms have at most 1,024 bytes."""
    assert passwords.prepare(text) == password
