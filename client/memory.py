"""What the client remembers of one account between two starts: who is muted, and whether plain lines talk.

A folder per server, port and name; only its owner can read it. Nothing here asks, shows, or knows a terminal.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from client.files import reserved, write_private
from client.hosts import canonical

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Kept(msgspec.Struct):
    """What the file holds, as JSON. The first three say what it is for. `talk` is "all", "off", or "" if never said."""

    server: str
    port: int
    name: str
    talk: str = ""
    muted: list[str] = msgspec.field(default_factory=list)


class Memory:
    """The memory of one account. `write_profile` keeps `talk` in the profile, if it can; the profile's `talk` wins."""

    def __init__(
        self,
        folder: Path,
        server: str,
        port: int,
        name: str,
        *,
        profile_talk: str = "",
        write_profile: Callable[[str], bool] = lambda _: False,
    ) -> None:
        key = f"{canonical(server)}\n{port}\n{name.lower()}"  # hashed: it may not be fit for a file's name
        self.folder: Final = folder / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._new = Kept(canonical(server), port, name.lower())
        self._path = self.folder / "kept"
        self._write_profile = write_profile
        kept = self._read()
        self.talk: Final = profile_talk or kept.talk
        self.muted: Final = tuple(kept.muted)

    def keep_talk(self, talk: str) -> None:
        """Keeps "all" or "off" for the next start. Raises OSError."""
        if not self._write_profile(talk):
            self._change(lambda kept: setattr(kept, "talk", talk))

    def keep_muted(self, name: str, *, is_muted: bool) -> None:
        """Keeps for the next start whether somebody is muted. Raises OSError."""

        def change(kept: Kept) -> None:
            others = [other for other in kept.muted if other != name]
            kept.muted = [*others, name] if is_muted else others

        self._change(change)

    def _read(self) -> Kept:
        with suppress(OSError, ValueError, RecursionError):  # missing, or of no use: it begins anew
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        return msgspec.structs.replace(self._new, muted=[])

    def _change(self, change: Callable[[Kept], None]) -> None:
        """Changes the file as it is now: another client of the same account may have written it."""
        with reserved(self._path):
            kept = self._read()
            change(kept)
            write_private(self._path, msgspec.json.encode(kept).decode())
