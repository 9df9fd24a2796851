"""The running service, for operators' orders: its sessions, and what it tells them. Knows no order and no socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from service.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.admin.desk import Reason
    from service.chat.session import Services

T = TypeVar("T")


class LiveService:
    """A running service; desk.py describes the methods."""

    is_running = True

    def __init__(self, services: Services) -> None:
        self._services = services

    def run(self, function: Callable[[], T]) -> T:
        """Raises StorageUnavailable if the delivery thread could not do it."""
        self._services.storage.release()  # other threads may read during the wait
        results: list[T] = []
        self._services.delivery.run(lambda _: results.append(function()))
        if not results:  # the delivery thread has logged why, or has ended
            raise StorageUnavailable("the service could not do it; look into its log")
        return results[0]

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def count_sessions(self, user_id: int) -> int:
        return len(self._services.roster.sessions_of(user_id))

    def end_sessions(self, reason: Reason, user_id: int) -> None:
        for session in list(self._services.roster.sessions_of(user_id)):
            session.kick(reason)
