"""The message of the day: a file of the operator's, which each login is told. Knows no client."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from service.errors import ConfigError

MAX_MOTD: Final = 4_096  # characters: two screens full; every login carries it
_MAX_BYTES: Final = 4 * MAX_MOTD + 3  # of UTF-8, with a byte order mark

_log: Final = logging.getLogger("chat.motd")


class Motd:
    """The text of a file, as it was read last; empty without a file."""

    def __init__(self, path: str) -> None:
        """Reads it. An empty path is no file. Raises ConfigError."""
        self._path = path
        self.text = ""
        self.read()

    def read(self) -> None:
        """Reads the file again. Raises ConfigError; the text then stays as it was."""
        if self._path:
            self.text = _read(Path(self._path))
            _log.info("message of the day: %s, %d characters", self._path, len(self.text))


def _read(path: Path) -> str:
    if path.exists() and not path.is_file():  # reading a pipe could wait for ever
        raise ConfigError(f"cannot read --motd {path}: it is not a file")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read --motd {path}: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").strip("\n")
    except UnicodeDecodeError:
        text = "\0"
    if len(data) > _MAX_BYTES or len(text) > MAX_MOTD:
        raise ConfigError(f"--motd {path} is too long: a message of the day has at most {MAX_MOTD:,} characters")
    if "\0" in text:
        raise ConfigError(f"--motd {path} is no text in UTF-8")
    return text
