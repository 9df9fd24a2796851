"""Puts the parts of the service together, and stops them in order.

The listeners accept the clients. Here is what is done for all of them: the certificate is renewed, and old tokens are
removed.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":  # `python3 server.py 12000`, in this folder: `python3 -m service 12000`
    # Python has put this folder there, whose modules must not be taken for others.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    runpy.run_module("service", run_name="__main__", alter_sys=True)

import logging
import threading
import time
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from socket import gethostname
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from service import programs
from service.accounts.authentication import Accounts
from service.accounts.limiter import Limiter
from service.accounts.names import look_of, map_name, reserved_looks
from service.accounts.shares import Shares
from service.admin.control import Control
from service.admin.desk import Desk
from service.admin.live import LiveService, find_web_address
from service.chat.elsewhere import Elsewhere
from service.chat.presence import Roster, take_snapshot
from service.chat.receipts import Receipts
from service.chat.retention import Retention
from service.chat.session import Services, Session
from service.clock import format_time, utcnow
from service.config import READERS, Settings, search_places
from service.delivery.loop import Delivery
from service.errors import ConfigError, PeerError
from service.health import Health
from service.listeners.admission import Admission
from service.listeners.descriptors import count_places
from service.listeners.listener import Listener
from service.listeners.places import Places
from service.listeners.proxies import Proxies
from service.listeners.visitors import Visitors
from service.motd import Motd
from service.net import tls
from service.net.transport import format_address, is_loopback, listen
from service.storage import is_url, open_storage
from service.storage.records import DELETED
from service.ticker import Ticker
from service.turns import UNLIMITED, QueueLimits, Turns
from service.wire.protocol import ByeReply

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from types import ModuleType

    from service.listeners.connection import Connection
    from service.listeners.web.files import Files
    from service.listeners.web.port import WebPort
    from service.storage.contract import Storage

LOGINS_AT_ONCE: Final = 32  # that are being stored or answered: one to 200 rooms, 200 times invited, takes 1.2 MB
PAGES_AT_ONCE: Final = 8  # of READERS, for pages, in turns between addresses; the others are for logins and searches
RECEIPTS_INTERVAL: Final = 2.0  # seconds between two writes of receipts, for clients that do not confirm
RECEIPTS_PACE: Final = 0.1  # seconds instead, while more than a batch of direct messages is among them
RESERVED_TOLD: Final = 10  # names in the line about reserved ones; an operator sees by these what to do
RETENTION_PACE: Final = 1.0  # seconds between two pieces of the removal of old messages; there may be none to do
PURGE_INTERVAL: Final = 3600.0  # seconds between removals of expired tokens
# Seconds for clients to leave at shutdown, after the wait for a locked database. In all it takes under 5.
STOP_TIMEOUT: Final = 2.0
_LOOPBACK: Final = "127.0.0.1"  # for metrics: whoever asks from elsewhere goes through a proxy of the operator's

_log: Final = logging.getLogger("chat.server")


class Server:
    """A running service: from the constructor on it accepts clients, until `stop`."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is the clock of the limits. Raises ConfigError if it cannot listen or speak TLS, SchemaError."""
        _check_main_room(settings.main_room)
        self._by_proxy = settings.proxy_protocol == "yes"
        if self._by_proxy and not settings.trusted_proxy:
            raise ConfigError("--proxy-protocol needs the proxy's address: --trusted-proxy, such as 10.0.0.2")
        most_clients = count_places(settings.max_connections, visitors=self._by_proxy or settings.web_port > 0)
        self._web = _load("service.listeners.web.port", "--web-port", "h11 websockets") if settings.web_port else None
        page = None if self._web is None else self._web.read_page()
        self._live: LiveService | None = None
        self._tls: ssl.SSLContext | None = None
        self._names: frozenset[str] = frozenset()  # by which browsers may call the web port
        self._load_certificate(settings)
        motd = Motd(settings.motd)
        metrics = _load("service.metrics", "--metrics", "prometheus_client") if settings.metrics else None
        listening = listen(settings.host, settings.port)
        roster = Roster[Session]()
        with ExitStack() as undo:  # if one of these fails
            undo.callback(listening.close)
            if metrics is not None:
                for_metrics = listen(_LOOPBACK, settings.metrics, metrics.WAITING)
                undo.callback(for_metrics.close)
            for_web = None
            if self._web is not None:
                for_web = listen(settings.web_host or settings.host, settings.web_port)
                undo.callback(for_web.close)
            self.delivery = Delivery(partial(take_snapshot, roster), ByeReply(reason="shutdown"))
            undo.callback(self.delivery.stop, 0)
            elsewhere = Elsewhere()
            storage = open_storage(
                settings.db,
                self.delivery.hand_over,
                max_db=settings.max_db,
                keep_free=settings.keep_free,
                take_news=elsewhere.take,
                node_name=f"{gethostname()}:{listening.getsockname()[1]}",
                figures=partial(self._figures, settings),
            )
            undo.callback(storage.close)
            _check_no_room(storage, settings.main_room)
            _tell_reserved(storage, settings.main_room)
            undo.pop_all()
        self.services = _make_services(settings, motd, storage, self.delivery, roster, now)
        roster.note_here = storage.set_present
        self.delivery.post(elsewhere.begin, self.services)
        self.health = Health(storage)
        self.ticker = self._make_ticker()
        self._lock = threading.Lock()  # guards _stopping
        self._stopping = False
        self.places = Places(most_clients, self.delivery, now)
        self.admission = Admission(self.services, self.places)
        self._live = LiveService(self.services, self.places.connections)
        self.ticker.start()
        self._control = _open_control(settings, Desk(storage, self._live))
        self._metrics = (
            None if metrics is None else metrics.Metrics(for_metrics, self.services, self.places, self.health)
        )
        if self._metrics is not None:
            _log.info("metrics at http://%s:%d/metrics, and /healthz", _LOOPBACK, settings.metrics)
        self._accept(listening, for_web, page)

    def _make_ticker(self) -> Ticker:
        services, ticker = self.services, Ticker()
        ticker.every(services.settings.users_interval, services.delivery.announce)
        ticker.every(RECEIPTS_INTERVAL, services.receipts.flush)
        ticker.every(RECEIPTS_PACE, services.receipts.flush_many)
        # Where several services share a database each does the next two: what one has removed the others do not find.
        ticker.every(PURGE_INTERVAL, self._purge_tokens)
        ticker.every(RETENTION_PACE, Retention(services.storage, services.settings).run_some)
        return ticker

    def _accept(self, listening: socket.socket, for_web: socket.socket | None, page: Files | None) -> None:
        """Opens the ports."""
        settings, address = self.services.settings, listening.getsockname()
        self.port: int = address[1]
        self.visitors = Visitors(Proxies(settings.trusted_proxy), self.services.shares)
        self._listener = Listener(
            listening, self.admission, lambda: self._tls, visitors=self.visitors if self._by_proxy else None
        )
        self._page: WebPort | None = None
        if self._web is not None:
            self._page = self._web.WebPort(
                for_web, self.admission, self.visitors, self.health, page, lambda: self._tls, lambda: self._names
            )
        if self._tls is None and not is_loopback(address) and not self._by_proxy:
            _log.warning(
                "without TLS everyone on the way can read passwords and messages. To make certificates: %s certs; to "
                "use them: --tls-cert and --tls-key",
                programs.ADMIN,
            )
        engine = self.services.storage.engine
        _log.info("listening on %s, database %s, %s", format_address(address), settings.db, engine)

    def reload(self) -> None:
        """Reads the certificate and the message of the day again, for logins to come. What is bad stays as it was."""
        settings, motd = self.services.settings, self.services.motd
        if not settings.tls_cert and not settings.motd:
            _log.info("SIGHUP: there is neither a --tls-cert nor a --motd to read again; the service goes on")
        for what, read in (
            ("certificate", partial(self._load_certificate, settings)),
            ("message of the day", motd.read),
        ):
            try:
                read()
            except ConfigError as error:
                _log.error("the %s stays as it was: %s", what, error)

    def _load_certificate(self, settings: Settings) -> None:
        """Takes the certificate and its names, or neither. Raises ConfigError."""
        context = None
        if settings.tls_cert or settings.tls_key:
            context, fingerprint = tls.load_certificate(settings.tls_cert, settings.tls_key)
        if self._web is not None:
            self._names = self._web.own_names(settings)
        if context is not None:
            self._tls = context
            _log.info("TLS with the certificate %s, SHA-256 fingerprint %s", settings.tls_cert, fingerprint)

    def drain(self) -> None:
        """Serves on, but tells whoever looks at its health that it ends: no new clients are to be sent here."""
        _log.info(
            "/healthz has status 503 from now on; the end comes in %g seconds, or at once at another signal",
            self.services.settings.drain,
        )
        self.health.end()

    def stop(self) -> None:
        """Stops accepting, stores what was accepted, says bye to all, sends what is due, closes. Idempotent.

        Bounded, whatever the database and the clients do: see STOP_TIMEOUT.
        """
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
        _log.info("stopping")
        self.health.end()
        storage = self.services.storage
        self.services.accounts.close()
        self.services.logins.close()
        self.services.pages.close()
        self.services.searches.close()
        self.services.indexing.close()
        storage.hurry()
        self._listener.stop()
        if self._page is not None:
            self._page.stop()
        if self._control is not None:
            self._control.stop()
        if self._metrics is not None:
            self._metrics.stop()
        self.ticker.stop()
        self.visitors.stop()
        connections = self.places.connections()
        for connection in connections:
            connection.stop()
        storage.settle()  # the acks of what was accepted come before the last word
        self.delivery.post(_say_bye, connections)
        deadline = time.monotonic() + STOP_TIMEOUT
        for connection in connections:
            connection.thread.join(max(0.0, deadline - time.monotonic()))
        self.delivery.stop(max(0.0, deadline - time.monotonic()))
        self.services.receipts.flush()
        storage.close()
        self._listener.close()
        if self._page is not None:
            self._page.close()
        _log.info("stopped")

    def _purge_tokens(self) -> None:
        self.services.storage.delete_expired_tokens(format_time(utcnow()))

    def _figures(self, settings: Settings) -> dict[str, Any]:
        """Returns what orders that are carried out elsewhere have to know of this service, and what it has to do."""
        known = {"main_room": settings.main_room, "web_address": find_web_address(settings)}
        if self._live is None:  # nothing before it accepts
            return known
        return {**asdict(self._live.load()), **known}


def _make_services(
    settings: Settings,
    motd: Motd,
    storage: Storage,
    delivery: Delivery,
    roster: Roster[Session],
    now: Callable[[], float],
) -> Services:
    return Services(
        settings=settings,
        motd=motd,
        storage=storage,
        logins=Turns(LOGINS_AT_ONCE, QueueLimits(UNLIMITED)),
        pages=Turns(PAGES_AT_ONCE, QueueLimits(UNLIMITED)),
        searches=Turns(search_places() if settings.rate else READERS, QueueLimits(UNLIMITED)),
        indexing=Turns(1, QueueLimits(UNLIMITED)),
        accounts=Accounts(storage, settings),
        limiter=Limiter(settings, now),
        shares=Shares(settings, now) if settings.rate else None,
        receipts=Receipts(storage),
        delivery=delivery,
        roster=roster,
        now=now,
    )


def _open_control(settings: Settings, desk: Desk) -> Control | None:
    """Takes orders beside a file. Where several services share a database, orders are carried out there."""
    if is_url(settings.db):
        return None
    control = Control(Path(settings.db), desk)
    control.start()
    return control


def _check_main_room(name: str) -> None:
    """Raises ConfigError."""
    try:
        mapped = map_name(name)
    except PeerError as error:
        raise ConfigError(f"--main-room: {error}") from error
    if mapped != name:
        raise ConfigError(f"--main-room: a room's name has small letters; write {mapped}")


def _check_no_room(storage: Storage, main_room: str) -> None:
    """Raises ConfigError where another room has the main room's name: nobody could reach that one."""
    room = storage.find_room(main_room)
    storage.release()
    if room is not None:
        raise ConfigError(
            f"--main-room: users have made a room with the name {main_room}; choose another name, or start with that "
            f"one and delete the room with `{programs.ADMIN} room delete {main_room}`"
        )


def _load(module: str, option: str, packages: str) -> ModuleType:
    """Returns a module that needs packages which are not for everyone. Raises ConfigError without them."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages.split():
            raise
        noun = "packages" if " " in packages else "a package"
        raise ConfigError(f"{option} needs {noun}: {sys.executable} -m pip install {packages}") from error


def _tell_reserved(storage: Storage, main_room: str) -> None:
    """Logs which accounts have names that nobody new may have: they could speak as the service, or as everyone."""
    names = storage.find_alike(reserved_looks(main_room), look_of(DELETED))
    storage.release()
    if names:
        others = f" and {len(names) - RESERVED_TOLD} more" if len(names) > RESERVED_TOLD else ""
        _log.warning(
            "who has one of these names can be taken for somebody else: %s%s. Give them other ones with "
            "`%s rename OLD NEW`",
            ", ".join(names[:RESERVED_TOLD]),
            others,
            programs.ADMIN,
        )


def _say_bye(connections: list[Connection]) -> None:
    """In one go, so that no client is told that the others leave."""
    for connection in connections:
        connection.session.kick("shutdown")
