"""Stores the tokens of earlier logins, so that users need not type passwords again: a file per server, port, name.

A token that came over TLS is never sent without TLS. For a server without TLS on another machine no token is stored:
the client would hand it to anyone that answers at that address.
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
    """What a file holds, as JSON, in lower case. In files of older clients `server` is as the user typed it."""

    server: str
    port: int
    tls: bool
    name: str
    token: str

    def __repr__(self) -> str:
        return f"Kept({self.server}, {self.port}, {self.name})"


class Tokens:
    """The tokens for one server, in a folder. Thread-safe; `problem` says what could not be written."""

    def __init__(self, folder: Path, server: str, port: int, *, tls: bool) -> None:
        self.problem = ""
        self._folder = folder
        self._server = canonical(server)
        self._port = port
        self._tls = tls
        self._is_safe = tls or is_here(server)

    def find(self, name: str) -> str:
        """Returns the token for a name; empty if there is none."""
        found = self._find(name)
        return found[1].token if found else ""

    def keep(self, name: str, token: str) -> None:
        """Stores a token, unless it is stored already or must not be."""
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
        """Removes a token that the server has refused."""
        with suppress(OSError):
            if found := self._find(name):
                found[0].unlink(missing_ok=True)

    def forget(self, name: str) -> int:
        """Removes the tokens for a name (or for all, if "") at any port of the server; returns how many.

        Raises OSError.
        """
        paths = [
            path
            for path, kept in self._all()
            if canonical(kept.server) == self._server and (not name or kept.name == name.lower())
        ]
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def has_tls(self) -> bool:
        """Returns whether a token came over TLS from this server and port."""
        try:
            return bool(self._in_tls())
        except OSError:
            return False  # an unreadable token was useless before, too

    def forget_tls(self) -> int:
        """Removes the tokens that came over TLS from this server and port; returns how many. Raises OSError."""
        paths = self._in_tls()
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _in_tls(self) -> list[Path]:
        return [path for path, kept in self._all() if self._is_of(kept, tls=True)]

    def _find(self, name: str) -> tuple[Path, Kept] | None:
        if not self._is_safe:  # a token for `localhost` must not go to `localhost.`, which DNS resolves
            return None
        path = self._path(name)
        with suppress(OSError, ValueError):
            return path, msgspec.json.decode(path.read_bytes(), type=Kept)
        with suppress(OSError):  # an older client used another spelling of the server for the file's name
            for path, kept in self._all():
                if self._is_of(kept, tls=self._tls) and kept.name == name.lower():
                    return path, kept
        return None

    def _is_of(self, kept: Kept, *, tls: bool) -> bool:
        return (canonical(kept.server), kept.port, kept.tls) == (self._server, self._port, tls)

    def _path(self, name: str) -> Path:
        # The file's name is a hash, because a name or a server as typed may not be fit for one.
        key = f"{self._server}\n{self._port}\n{self._tls}\n{name.lower()}"
        return self._folder / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _all(self) -> Iterator[tuple[Path, Kept]]:
        for path in self._folder.glob("*"):
            with suppress(ValueError, FileNotFoundError, IsADirectoryError):  # not a token's file, or removed meanwhile
                yield path, msgspec.json.decode(path.read_bytes(), type=Kept)


def is_here(server: str) -> bool:
    """Returns whether the typed address is this machine's own."""
    try:
        return server.lower() == "localhost" or ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False
