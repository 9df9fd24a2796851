"""Several pasted lines, which may become one message, a message for each line, or nothing. Pure.

Nothing of them is sent before the user has said which.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paste:
    """Pasted lines, and what the user had typed before and behind them."""

    before: str
    text: str
    after: str = ""

    @property
    def whole(self) -> str:
        """The line as it would be, with its line breaks."""
        return f"{self.before}{self.text}{self.after}"

    @property
    def lines(self) -> list[str]:
        """The lines of the whole, without those of white space alone."""
        return [line for line in self.whole.split("\n") if line.strip()]


class PastedError(Exception):
    """Several lines were pasted: this ends the question where they came in."""

    def __init__(self, paste: Paste) -> None:
        super().__init__("pasted")
        self.paste = paste


def clean(text: str) -> str:
    """What a terminal pastes, with LF for each line break and none at the end: pasting does not press Enter."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
