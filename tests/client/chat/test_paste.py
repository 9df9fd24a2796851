"""Pasted text."""

from __future__ import annotations

import pytest

from client.chat.paste import Paste, clean


@pytest.mark.parametrize(
    ("pasted", "text"),
    [("a\r\nb\rc\nd", "a\nb\nc\nd"), ("one line\r\n", "one line"), ("\n a\n\n", "\n a"), ("\r", "")],
)
def test_line_breaks_are_plain(pasted: str, text: str) -> None:
    """Each kind of line break is LF, and none at the end presses Enter."""
    assert clean(pasted) == text


def test_lines_of_a_paste() -> None:
    """What was typed before and behind belongs to the first and the last line; empty lines are none."""
    paste = Paste("so: ", "a\n\n  b\nc", "!")
    assert paste.whole == "so: a\n\n  b\nc!"
    assert paste.lines == ["so: a", "  b", "c!"]
