"""The tokens of earlier logins, so that no user is asked for a password twice: a file for each server, port and name.

A token that came in TLS is never sent without. For a server that is neither in TLS nor on this machine no token is
kept: the client would hand it to anyone who answers at that address.
"""

from __future__ import annotations

import hashlib
import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from client.files import write_private
from client.hosts import canonical
from client.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Kept(msgspec.Struct, frozen=True):
    """What a file holds, as JSON, in small letters. `server` is as typed where an older client wrote the file."""

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
        self._server = canonical(server)
        self._port = port
        self._tls = tls
        self._is_safe = tls or is_here(server)

    def find(self, name: str) -> str:
        """The token for a name; empty if there is none."""
        found = self._find(name)
        return found[1].token if found else ""

    def keep(self, name: str, token: str) -> None:
        """Writes a token down, unless it is there or must not be kept."""
        if not self._is_safe or self.find(name) == token:
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
        """Removes a token that the server does not take any more."""
        with suppress(OSError):
            if found := self._find(name):
                found[0].unlink(missing_ok=True)

    def forget(self, name: str) -> int:
        """Removes the tokens for a name ("": for all) at any port of the server; gives how many. Raises OSError."""
        paths = [
            path
            for path, kept in self._all()
            if canonical(kept.server) == self._server and (not name or kept.name == name.lower())
        ]
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def has_tls(self) -> bool:
        """Whether a token came in TLS from this server, at this port."""
        try:
            return bool(self._in_tls())
        except OSError:
            return False  # what cannot be read was of no use before either

    def forget_tls(self) -> int:
        """Removes the tokens that came in TLS from this server and port; gives how many. Raises OSError."""
        paths = self._in_tls()
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _in_tls(self) -> list[Path]:
        return [path for path, kept in self._all() if self._is_of(kept, tls=True)]

    def _find(self, name: str) -> tuple[Path, Kept] | None:
        if not self._is_safe:  # one for `localhost` is none for `localhost.`, which a name server is asked for
            return None
        path = self._path(name)
        with suppress(OSError, ValueError):
            return path, msgspec.json.decode(path.read_bytes(), type=Kept)
        with suppress(OSError):  # an older client has named the file by another spelling of the server
            for path, kept in self._all():
                if self._is_of(kept, tls=self._tls) and kept.name == name.lower():
                    return path, kept
        return None

    def _is_of(self, kept: Kept, *, tls: bool) -> bool:
        return (canonical(kept.server), kept.port, kept.tls) == (self._server, self._port, tls)

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
