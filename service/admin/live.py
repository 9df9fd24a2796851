"""The running service, for operators' orders: its sessions, and what it tells them. Knows no order and no socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from service.admin.desk import Load, Online
from service.chat import deletion, endings, telling
from service.clock import format_time, utcnow
from service.errors import StorageUnavailable
from service.net.transport import format_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.admin.desk import Reason
    from service.chat.session import Services, Session
    from service.config import Settings
    from service.storage.records import Closed, Deleted, RoomChange, User
    from service.wire.protocol import BroadcastEvent

T = TypeVar("T")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (addresses of no machine)


class Connected(Protocol):
    """What is asked of a client's connection."""

    session: Session
    logged_in_at: str

    @property
    def way(self) -> str:
        """How its bytes travel."""


class LiveService:
    """A running service; desk.py describes the methods."""

    is_running = True

    def __init__(self, services: Services, connections: Callable[[], Iterable[Connected]]) -> None:
        """`connections` gives the clients that are there, logged in or not."""
        self._services = services
        self._connections = connections
        self._started = format_time(utcnow())
        self.main_room = services.settings.main_room
        self.web_address = find_web_address(services.settings)

    def run(self, function: Callable[[], T]) -> T:
        """Raises StorageUnavailable if the delivery thread could not do it."""
        self._services.storage.release()  # other threads may read during the wait
        results: list[T] = []
        self._services.delivery.run(lambda _: results.append(function()))
        if not results:  # the delivery thread has logged why, or has ended
            raise StorageUnavailable("the service could not do it; look into its log")
        return results[0]

    def online(self) -> list[Online]:
        found: list[Online] = []
        now = format_time(utcnow())  # for a client whose thread has not noted its login yet
        for connected in self._connections():
            account, session = connected.session.account, connected.session
            if account is not None:
                since, waiting = connected.logged_in_at or now, session.outbox.waiting
                found.append(Online(account.name, session.peer, since, connected.way, account.quiet, waiting))
        return sorted(found, key=lambda online: (online.name, online.since))

    def load(self) -> Load:
        services = self._services
        return Load(
            started=self._started,
            connections=len(list(self._connections())),
            writer_queue=services.storage.figures().queued,
            delivery_queue=services.delivery.queued,
            bcrypt_queue=services.accounts.waiting,
        )

    def nodes(self) -> None:
        """Orders come to a service only where the database is its own."""

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def count_sessions(self, user_id: int) -> int:
        return len(self._services.roster.sessions_of(user_id))

    def is_online(self, user_id: int) -> bool:
        return self._services.roster.is_listed(user_id)

    def end_sessions(self, reason: Reason, user_id: int) -> None:
        endings.end_sessions(self._services, user_id, reason)

    def broadcast(self, event: BroadcastEvent) -> None:
        self._services.stored["public"] += 1
        self._services.delivery.broadcast(event, event.id)

    def tell_renamed(self, old: str, time: str, user: User) -> None:
        endings.tell_renamed(self._services, user.id, old, user.name, time)

    def tell_deleted(self, deleted: Deleted) -> None:
        deletion.tell(self._services, deleted)

    def tell_closed(self, closed: Closed) -> None:
        endings.tell_closed(self._services, closed.user.id, closed.user.name, closed.rooms)

    def tell_room(self, change: RoomChange) -> None:
        telling.tell(self._services, change)


def find_web_address(settings: Settings) -> str:
    """Returns where programs reach the web port, as far as the settings tell: of a proxy in front they do not."""
    if not settings.web_port:
        return ""
    scheme = "https" if settings.tls_cert and settings.web_tls != "no" else "http"
    host = settings.web_host or settings.host
    named = next(iter(settings.web_name), "localhost" if host in _EVERYWHERE else host)
    return f"{scheme}://{format_address((named, settings.web_port))}"
