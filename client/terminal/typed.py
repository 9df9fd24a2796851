"""What was typed, for the arrow keys, also after a restart. Only its owner can read it; no password gets here.

A file has a line of JSON for each line typed: clients of one account add to it in turn.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prompt_toolkit.history import History

from client.files import reserved, write_private
from client.text import sendable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST_LINES: Final = 1_000  # in the file, once a client has started; a month of talk for most
_LONGEST: Final = 4_096  # characters of a line; nobody looks for a longer one by the arrow keys
_MOST_BYTES: Final = 1 << 24  # of a file that is read: so many the lines above can have, each character escaped


class Typed(History):
    """The lines typed at one kind of prompt. Without `open` they are forgotten at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._path: Path | None = None

    def open(self, path: Path) -> None:
        """From now on lines come from the file and go there. Called before the first prompt."""
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """The newest line first; for prompt_toolkit."""
        if self._path is None:
            return []
        with suppress(OSError), reserved(self._path):
            lines = _read(self._path)
            if len(lines) > MOST_LINES:
                lines = lines[-MOST_LINES:]
                write_private(self._path, "".join(map(_encode, lines)))
            return reversed(lines)
        return []

    def store_string(self, string: str) -> None:
        """Adds a line to the file; for prompt_toolkit. A disk that is full costs the line, and nothing else."""
        if self._path is None or len(string) > _LONGEST or _may_be_password(string):
            return
        with suppress(OSError), reserved(self._path):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, _encode(string).encode())
            finally:
                os.close(descriptor)


def _may_be_password(line: str) -> bool:
    """Whether somebody seems to have typed a password behind the operation that would have asked for it."""
    word, *rest = line.split(maxsplit=1) or [""]
    return word.lower().removeprefix("/") == "password" and bool(rest)


def _encode(line: str) -> str:
    return json.dumps(sendable(line)) + "\n"


def _read(path: Path) -> list[str]:
    """The lines of a file, without those that are damaged. Raises OSError."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_BYTES))
            data = file.read()
    except FileNotFoundError:
        return []
    lines = []
    for row in data.split(b"\n"):
        with suppress(ValueError, RecursionError):
            line = json.loads(row)
            if isinstance(line, str):
                lines.append(line)
    return lines
