"""service/admin/arguments.py: what is typed, to its bounds."""

from __future__ import annotations

import argparse

import pytest

from service.admin.arguments import _parse_date, _parse_id, _parse_minutes, _parse_reason
from service.wire.limits import MAX_ID, MAX_MINUTES, MAX_REASON


def test_bounds_belong_to_what_is_taken() -> None:
    """A reason may be empty."""
    assert [_parse_id(text) for text in ("1", str(MAX_ID))] == [1, MAX_ID]
    assert [_parse_minutes(text) for text in ("1", "525600")] == [1, MAX_MINUTES]
    assert [len(_parse_reason(text)) for text in ("", "x" * MAX_REASON)] == [0, MAX_REASON]
    assert _parse_date("2026-01-31") == "2026-01-31T00:00:00.000Z"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((_parse_id, text) for text in ("0", "-1", "x", "", str(MAX_ID + 1), "9" * 5_000)),
        *((_parse_minutes, text) for text in ("0", "-1", "1.5", "", "525601", "9" * 5_000)),
        *((_parse_reason, text) for text in ("x" * (MAX_REASON + 1), "a\0b")),
        *((_parse_date, text) for text in ("", "31.1.2026", "2026-02-30")),
    ],
)
def test_beyond_them_nothing_is_taken(parse: type, text: str) -> None:
    """As a bad command."""
    with pytest.raises(argparse.ArgumentTypeError):
        parse(text)
