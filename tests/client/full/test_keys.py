"""The keys of the full screen."""

from __future__ import annotations

import pytest

from client.full.keys import bind, key_rows
from client.render.layout import columns_of


@pytest.mark.parametrize(("columns", "first"), [(40, "Alt-1 to Alt-9: that"), (60, " Alt-1 to Alt-9       that")])
def test_the_words(columns: int, first: str) -> None:
    """They fit the screen, whatever its width."""
    rows = ["".join(text for _, text in row) for row in key_rows(columns, 20)]
    assert rows[0].startswith(first)
    assert max(map(columns_of, rows)) <= columns
    assert not any(row.endswith("\u2026") for row in rows)
    assert len(key_rows(columns, 3)) == 3


def test_keys_are_bound() -> None:
    """By the names that prompt_toolkit has for them, with others."""
    others = bind({"c-n": lambda _: None})
    bound = bind({"escape enter": lambda _: None, "pageup": lambda _: None}, others)
    assert sorted(len(binding.keys) for binding in bound.bindings) == [1, 1, 2]
