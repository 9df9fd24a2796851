"""What the service asks of a storage about webhooks. There is no SQL and no engine here; contract.py says what holds.

A webhook is an account without a password that speaks for a program; whoever knows its secret has it say something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.records import Hook, KeptHook, Post, Stored
    from service.storage.write import Done, Failed, Write


class HookOrders(Protocol):
    """The methods for an operator's orders."""

    def hooks_page(self, after: str, limit: int) -> list[KeptHook]:
        """Returns webhooks by name, from the one that follows `after`."""

    def add_hook(
        self,
        name: str,
        look: str,
        room: str | None,
        secret_hash: bytes,
        now: str,
        *,
        done: Done[None] = None,
        refused: Failed = None,
    ) -> Write[None]:
        """Makes a webhook, which speaks in that room; None is the main one.

        Its name is one that a new account could have, or that of a webhook that was removed: then it is that account.
        UnknownRoom, HookExists, NameTaken, LooksAlike; Banned from the main room.
        """

    def remove_hook(self, name: str, *, done: Done[None] = None, refused: Failed = None) -> Write[None]:
        """Ends a webhook; its messages stay, under its name. UnknownHook."""


class HookStorage(Protocol):
    """The methods for what comes to a webhook."""

    def find_hook(self, secret_hash: bytes) -> Hook | None:
        """Returns the webhook with that secret, if any."""

    def post_by_hook(
        self,
        secret_hash: bytes,
        posts: Sequence[Post],
        *,
        beyond: str | None = None,
        done: Done[list[Stored]] = None,
        refused: Failed = None,
    ) -> Write[list[Stored]]:
        """Stores the pieces of one text, all or none, in order and with nothing between them.

        The pieces are for the webhook's room, and have nonces all or none; `beyond` is the nonce that one more piece
        would have. If all are stored already the result is that of the first time, on a full disk too. It never waits:
        StorageUnavailable is raised if too much waits already. UnknownHook, NonceReused (the nonces were used for
        another text), UnknownRoom (the room is gone), StorageFull.
        """
