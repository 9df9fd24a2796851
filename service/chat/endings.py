"""What ends sessions from outside: a new password, a logout, another name, the end of the account. Stores nothing.

On the delivery thread, after the commit, so that it has its place among the messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.chat import telling
from service.wire.protocol import RenamedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.chat.session import Services, Session
    from service.storage.news import EndReason
    from service.storage.records import RoomChange


def end_sessions(
    services: Services,
    user_id: int,
    reason: EndReason,
    *,
    besides: Session | None = None,
    token_hash: bytes | None = None,
) -> None:
    """Ends the account's sessions but that one; with a `token_hash` only those that came by that token."""
    for session in list(services.roster.sessions_of(user_id)):
        if session is not besides and token_hash in (None, session.logged_in_account().token_hash):
            session.kick(reason)


def tell_renamed(services: Services, user_id: int, old: str, name: str, time: str) -> None:
    """Everyone is told that the account has another name, and its sessions end."""
    services.accounts.forget_ids()
    services.roster.rename(user_id, name)
    services.delivery.broadcast(RenamedEvent(old, name, time), 0)
    end_sessions(services, user_id, "kicked")


def tell_closed(services: Services, user_id: int, name: str, rooms: Iterable[RoomChange]) -> None:
    """Nobody finds the account by its old name, its rooms see it leave, and its sessions end."""
    services.accounts.forget_ids()
    services.roster.rename(user_id, name)
    for change in rooms:
        telling.tell(services, change)
    end_sessions(services, user_id, "kicked")
