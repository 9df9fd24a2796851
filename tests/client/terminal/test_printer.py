"""Lines on the screen, from any thread."""

from __future__ import annotations

from client.terminal.printer import styled


def test_styles_are_classes() -> None:
    """But for a sequence that the terminal gets as it is."""
    assert styled([("own", "a"), ("", "b"), ("[ZeroWidthEscape]", "c")]) == [
        ("class:own", "a"),
        ("", "b"),
        ("[ZeroWidthEscape]", "c"),
    ]
