"""Has a webhook say what came to it: as notices in its room, and nobody waits for it but who sent it.

Knows no HTTP and no form of a payload. A webhook has no session: what follows the commit goes to the readers alone.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from service.config import MESSAGE_BYTES, RECEIVE_COST, RECEIVE_COST_BYTES
from service.storage.records import Post
from service.wire.protocol import BroadcastEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.chat.session import Services
    from service.origin import Origin
    from service.storage.records import Hook, Stored

MOST_PIECES: Final = 64  # messages of one text: one INSERT takes as many; 64 KiB are 33 at most of 4,096 characters
_KIND: Final = "notice"


def cut_text(text: str, limit: int) -> list[str]:
    """Returns the text in pieces of at most `limit` characters, each as long as whole lines allow.

    A longer line is cut where the limit is. Line ends where the text is cut, and around it, are left out.
    """
    pieces = []
    left = text.strip("\n")
    while len(left) > limit:
        end = left.rfind("\n", 0, limit + 1)
        end = limit if end < 0 else end
        pieces.append(left[:end].rstrip("\n"))
        left = left[end:].lstrip("\n")
    return [*pieces, left] if left else pieces


def charge(services: Services, hook: Hook, origin: Origin, size: int) -> float:
    """Charges a body of so many bytes to the shares of the webhook and of the address.

    Returns 0, or the seconds until either has paid what it owes from before; then nothing is charged.
    """
    shares = services.shares
    if shares is None:
        return 0.0
    owed = max(shares.read(origin, hook.user_id, 0), shares.talk(origin, hook.user_id, 0))
    if not owed:
        shares.read(origin, hook.user_id, RECEIVE_COST + size / RECEIVE_COST_BYTES)
    return owed


def say(services: Services, hook: Hook, origin: Origin, pieces: Sequence[str], key: str | None, deadline: float) -> int:
    """Stores the pieces of one text and sends them to all in the room; returns the last one's id after the commit.

    A `key` that was used for the same text stores nothing. Raises TimeoutError at the `deadline` (monotonic): then the
    text may be stored or not; NonceReused for a key of another text, UnknownRoom for a room that is gone, UnknownHook,
    StorageUnavailable.
    """
    if services.shares is not None:
        costs = (max(1.0, len(piece.encode()) / MESSAGE_BYTES) for piece in pieces)
        services.shares.talk(origin, hook.user_id, sum(costs))
    nonces = [None if key is None else _make_nonce(hook, key, number) for number in range(len(pieces) + 1)]
    posts = [
        Post(None, piece, nonce, _KIND, hook.room, hook.created)
        for piece, nonce in zip(pieces, nonces[:-1], strict=True)
    ]
    saying = _Saying(services, hook, pieces)
    services.storage.release()
    services.storage.post_by_hook(
        hook.secret_hash, posts, beyond=nonces[-1], done=saying.deliver, refused=saying.refuse
    )
    return saying.wait(deadline)


def _make_nonce(hook: Hook, key: str, number: int) -> str:
    return hashlib.sha256(f"{hook.user_id} {number} {key}".encode(errors="surrogatepass")).hexdigest()


class _Saying:
    """One text under way."""

    def __init__(self, services: Services, hook: Hook, pieces: Sequence[str]) -> None:
        self._services = services
        self._hook = hook
        self._pieces = pieces
        self._ended = threading.Event()
        self._last_id = 0
        self._error: Exception | None = None

    def wait(self, deadline: float) -> int:
        """Returns the id of the last piece. Raises the error, or TimeoutError."""
        if not self._ended.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._last_id

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def deliver(self, outcomes: Sequence[Stored]) -> None:
        """After the commit: all in the room get what is no retry."""
        self._last_id = outcomes[-1].id
        try:
            for piece, stored in zip(self._pieces, outcomes, strict=True):
                if stored.fresh:
                    self._tell(piece, stored)
        finally:
            self._ended.set()  # it is stored, even if a bug kept it from being told

    def refuse(self, error: Exception) -> None:
        """Nothing was stored."""
        self._error = error
        self._ended.set()

    def _tell(self, piece: str, stored: Stored) -> None:
        services, hook = self._services, self._hook
        room = UNSET if hook.room is None else hook.room
        event = BroadcastEvent(stored.id, stored.time, hook.name, piece, _KIND, room)
        if stored.room_id is None:
            services.stored["public"] += 1
            services.delivery.broadcast(event, stored.id)
        else:
            services.stored["room"] += 1
            services.delivery.broadcast_to(stored.room_id, event)
