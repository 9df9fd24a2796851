"""The tokens of earlier logins, so that nobody is asked for a password twice: a file for each server, port and name.

A token that was got in TLS is never sent without, and none is kept for a server that is neither in TLS nor on this
machine: whoever answers at its address would be given it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from client.files import write_private
from client.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Kept(msgspec.Struct, frozen=True):
    """What a file holds, as JSON. `server` as it was typed, in small letters; so is `name`."""

    server: str
    port: int
    tls: bool
    name: str
    token: str

    def __repr__(self) -> str:
        return f"Kept({self.server}, {self.port}, {self.name})"


class Tokens:
    """The tokens for one server, in a folder. Any thread may call; `problem` says what could not be written."""

    def __init__(self, folder: Path, server: str, port: int, *, tls: bool) -> None:
        self.problem = ""
        self._folder = folder
        self._server = server.lower()
        self._port = port
        self._tls = tls

    def find(self, name: str) -> str:
        """The token for a name; empty if there is none."""
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=Kept).token
        except (OSError, ValueError):
            return ""

    def keep(self, name: str, token: str) -> None:
        """Writes it down, unless it is there or must not be kept."""
        if not (self._tls or is_here(self._server)) or self.find(name) == token:
            return
        kept = Kept(self._server, self._port, self._tls, name.lower(), token)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            write_private(self._path(name), msgspec.json.encode(kept).decode())
        except OSError as error:
            where = one_line(str(self._folder))
            self.problem = f"You will be asked for the password again: cannot write {where}: {error.strerror}."

    def drop(self, name: str) -> None:
        """Removes one that is not taken any more."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def forget(self, name: str) -> int:
        """Removes those for a name (all, if it is empty) at any port of the server; gives how many. Raises OSError."""
        paths = [
            path
            for path, kept in self._all()
            if kept.server == self._server and (not name or kept.name == name.lower())
        ]
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def has_tls(self) -> bool:
        """Whether one was got in TLS from this server, at this port."""
        try:
            return bool(self._in_tls())
        except OSError:
            return False  # what cannot be read was no use before either

    def forget_tls(self) -> int:
        """Removes those got in TLS from this server at this port, of all names; gives how many. Raises OSError."""
        paths = self._in_tls()
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _in_tls(self) -> list[Path]:
        place = (self._server, self._port, True)
        return [path for path, kept in self._all() if (kept.server, kept.port, kept.tls) == place]

    def _path(self, name: str) -> Path:
        # A hash, as neither a name nor what was typed for a server need be fit for a file's name.
        key = f"{self._server}\n{self._port}\n{self._tls}\n{name.lower()}"
        return self._folder / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _all(self) -> Iterator[tuple[Path, Kept]]:
        for path in self._folder.glob("*"):
            with suppress(ValueError, FileNotFoundError, IsADirectoryError):  # something else, or gone just now
                yield path, msgspec.json.decode(path.read_bytes(), type=Kept)


def is_here(server: str) -> bool:
    """Whether a server is on this machine, by the address typed."""
    try:
        return server.lower() == "localhost" or ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False
