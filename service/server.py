"""Puts the parts together, accepts clients, and shuts down in order."""

from __future__ import annotations

import errno
import logging
import math
import os
import resource
import select
import socket
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.accounts.authentication import Accounts
from service.accounts.limiter import Limiter
from service.accounts.shares import Shares
from service.admin import control
from service.admin.control import Control
from service.chat.presence import Roster, users_reply
from service.chat.receipts import Receipts
from service.chat.replies import refusal
from service.chat.session import Services, Session
from service.clock import format_time, utcnow
from service.config import (
    DESCRIPTORS_OWN,
    DESCRIPTORS_PER_READER,
    LEAVING_AT_ONCE,
    LOGIN_LOOK,
    OWN_PLACES_BURST,
    OWN_PLACES_RATE,
    PAGES_AT_ONCE,
    PURGE_INTERVAL,
    READERS,
    RECEIPTS_INTERVAL,
    RECEIPTS_PACE,
    REFUSED_KEPT,
    STOP_TIMEOUT,
    SWITCH_INTERVAL,
    SWITCH_PER_CLIENT,
    Settings,
    search_places,
)
from service.delivery.loop import Delivery
from service.errors import ConfigError, PeerError
from service.listeners.connection import Connection
from service.listeners.places import Members, Strangers
from service.net import tls
from service.net.transport import Stream, TlsStream, format_address, is_loopback, listen
from service.origin import origin_of
from service.storage import open_storage
from service.ticker import Ticker
from service.token_bucket import TokenBuckets
from service.turns import UNLIMITED, QueueLimits, Turns
from service.wire.codec import JSON_LINES
from service.wire.protocol import ByeReply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_log: Final = logging.getLogger("chat.server")
_CROWDED: Final = "too many clients here just now; try again later"
_ACCEPT_PAUSE: Final = 0.1  # seconds to wait when accepting fails: descriptors run out and come back


class Server:
    """A running service: from the constructor on it accepts clients, until `stop`."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is the clock of the limits. Raises ConfigError if it cannot listen or speak TLS, SchemaError."""
        self._most_clients = _make_room(settings.max_connections)
        self._tls: ssl.SSLContext | None = None
        self._load_certificate(settings)
        self._listener = listen(settings.host, settings.port)
        roster = Roster[Session]()
        with ExitStack() as undo:  # if one of these fails
            undo.callback(self._listener.close)
            self.delivery = Delivery(partial(users_reply, roster), ByeReply(reason="shutdown"))
            undo.callback(self.delivery.stop, 0)
            storage = open_storage(
                settings.db, self.delivery.hand_over, max_db=settings.max_db, keep_free=settings.keep_free
            )
            undo.pop_all()
        self.services = Services(
            settings=settings,
            storage=storage,
            pages=Turns(PAGES_AT_ONCE, QueueLimits(UNLIMITED)),
            searches=Turns(search_places() if settings.rate else READERS, QueueLimits(UNLIMITED)),
            indexing=Turns(1, QueueLimits(UNLIMITED)),
            accounts=Accounts(storage, settings),
            limiter=Limiter(settings, now),
            shares=Shares(settings, now) if settings.rate else None,
            receipts=Receipts(storage),
            delivery=self.delivery,
            roster=roster,
            now=now,
        )
        self.ticker = Ticker()
        self.ticker.every(settings.users_interval, self.delivery.announce)
        self.ticker.every(RECEIPTS_INTERVAL, self.services.receipts.flush)
        self.ticker.every(RECEIPTS_PACE, self.services.receipts.flush_many)
        self.ticker.every(PURGE_INTERVAL, self._purge_tokens)
        self._lock = threading.Lock()  # guards _connections, _strangers, _members and _stopping
        self._connections: set[Connection] = set()
        self._strangers = Strangers()  # those of them that have not logged in
        self._members = Members()  # those that have
        self._own_places = TokenBuckets(OWN_PLACES_RATE, OWN_PLACES_BURST, now)
        self._stopping = False
        self._refused: deque[socket.socket] = deque()
        self._spare = _open_spare()  # a descriptor to refuse with when there is no other
        self._end_accepting, self._accepting_ended = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="chat-accept")
        address: tuple[object, ...] = self._listener.getsockname()
        self.port = int(str(address[1]))
        self._control = Control(Path(settings.db), self._carry_out)
        self.ticker.start()
        self._control.start()
        self._acceptor.start()
        if self._tls is None and not is_loopback(address):
            _log.warning(
                "without TLS whoever is on the way reads passwords and messages. To make certificates: make certs; to "
                "use them: --tls-cert and --tls-key"
            )
        _log.info("listening on %s, database %s, %s", format_address(address), settings.db, storage.engine)

    def renew_certificate(self) -> None:
        """Reads the files of the certificate again, for who comes from now on; if they are bad the old one stays."""
        try:
            self._load_certificate(self.services.settings)
        except ConfigError as error:
            _log.error("the certificate stays as it was: %s", error)

    def _load_certificate(self, settings: Settings) -> None:
        if settings.tls_cert or settings.tls_key:
            self._tls, fingerprint = tls.load_certificate(settings.tls_cert, settings.tls_key)
            _log.info("TLS with the certificate %s, SHA-256 fingerprint %s", settings.tls_cert, fingerprint)

    def stop(self) -> None:
        """Stops accepting, stores what was accepted, says bye to all, sends what is due, closes. Idempotent.

        Bounded, whatever the database and the clients do: see STOP_TIMEOUT.
        """
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
        _log.info("stopping")
        storage = self.services.storage
        self.services.accounts.close()
        self.services.pages.close()
        self.services.searches.close()
        self.services.indexing.close()
        storage.hurry()
        self._end_accepting.send(b"\0")
        self._acceptor.join()
        self._control.stop()
        self.ticker.stop()
        with self._lock:
            connections = list(self._connections)
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
        for refused in self._refused:
            refused.close()
        if self._spare is not None:
            os.close(self._spare)
        self._end_accepting.close()
        self._accepting_ended.close()
        _log.info("stopped")

    # -- the thread chat-accept ---------------------------------------------------------------------------------------
    def _accept(self) -> None:
        number, look_at = 0, math.inf
        while True:
            left = None if look_at == math.inf else max(0.0, look_at - time.monotonic())
            ready, _, _ = select.select([self._listener, self._accepting_ended], [], [], left)
            if self._accepting_ended in ready:
                break
            if self._listener in ready:
                number += 1
                self._take_client(number)
                look_at = min(look_at, time.monotonic() + self.services.settings.login_timeout)
            if look_at <= time.monotonic():
                look_at = self._end_late()
        self._listener.close()

    def _end_late(self) -> float:
        """Ends those whose time to log in is over; gives when to look again (monotonic), inf if nobody has to log in.

        Here and not in the clients' own threads: these wait for bytes, for a share or for room, each in another way.
        """
        with self._lock:
            strangers = [connection for connection in self._connections if connection.session.account is None]
        now = time.monotonic()
        late = [stranger for stranger in strangers if stranger.login_by <= now]
        if late:
            self.delivery.post(_expire, late)
        return max(now + LOGIN_LOOK, min((stranger.login_by for stranger in strangers), default=math.inf))

    def _take_client(self, number: int) -> None:
        try:
            connected, address = self._listener.accept()
        except OSError as error:
            # Out of descriptors, or the client is gone already; those who are in must not notice.
            _log.error("cannot accept a client: %s", error)
            if error.errno in {errno.EMFILE, errno.ENFILE} and self._refuse_on_spare():
                return
            select.select([self._accepting_ended], [], [], _ACCEPT_PAUSE)
            return
        try:
            self._admit(number, connected, address)
        except Exception:  # noqa: BLE001 (logged; the next client may fare better)
            _log.exception("a client was not admitted: %s", format_address(address))
            connected.close()

    def _admit(self, number: int, connected: socket.socket, address: tuple[object, ...]) -> None:
        """Gives a client its thread, or says why not."""
        stream = Stream(connected, address) if self._tls is None else TlsStream(connected, address, self._tls)
        origin = origin_of(str(address[0]))
        if not self.services.limiter.admit(origin):
            self._refuse(connected, address, "too many clients from your address; close one, or try again later")
            return
        if not self._make_place(origin.network):
            self.services.limiter.leave(origin)
            self._refuse(connected, address, _CROWDED)
            return
        outbox = self.delivery.open_outbox(stream, JSON_LINES)
        session = Session(self.services, outbox, stream.peer, origin)
        connection = Connection(number, self.services, stream, outbox, session, self._welcome, self._forget)
        with self._lock:
            self._connections.add(connection)
            self._strangers.add(connection)
            _share_interpreter(len(self._connections))
        try:
            connection.thread.start()
        except RuntimeError as error:
            _log.error("no thread to be had: %s", error)
            self._forget(connection)
            busy = PeerError("too_many_connections", "no room for another client; try again later", fatal=True)
            self.delivery.post(lambda _: outbox.finish(*refusal(busy)))
            self.delivery.post(lambda _: outbox.release())

    def _make_place(self, network: str) -> bool:
        """Whether there is a place for one more, from there; if need be somebody gives up his.

        That is one who has not logged in; or else a session of an account that has many.
        """
        with self._lock:
            excess = len(self._connections) - self._most_clients
            if excess < 0:
                return True
            if excess >= LEAVING_AT_ONCE:  # who has to go is there for a moment still
                return False
            leaver = self._strangers.choose(network)
            end: Callable[[Connection], None] = self._drop
            if leaver is None:
                leaver, end = self._members.choose(), _give_way
            elif not self._may_replace(leaver, network):
                return False
            if leaver is None:
                return False
            self._strangers.discard(leaver)
            self._members.discard(leaver)
        self.delivery.post(end, leaver)
        return True

    def _may_replace(self, stranger: Connection, network: str) -> bool:
        """Whether a newcomer may have that place; one of his own address only so often, or none there could log in."""
        if stranger.session.origin.network != network:
            return True
        if self._own_places.wait_for_one(network):
            return False
        self._own_places.spend(network)
        return True

    def _refuse(self, connected: socket.socket, address: tuple[object, ...], reason: str) -> None:
        # What counts as one address: else each line of a flood out of an IPv6 network were another one.
        _log.info("refused %s: too_many_connections", origin_of(str(address[0])).address)
        with suppress(OSError):
            events = refusal(PeerError("too_many_connections", reason, fatal=True))
            connected.send(b"".join(map(JSON_LINES.encode, events)), socket.MSG_DONTWAIT)
            connected.shutdown(socket.SHUT_WR)
        # Closing at once could reset the connection before the line is read, if the client has said something.
        self._refused.append(connected)
        if len(self._refused) > REFUSED_KEPT:
            self._refused.popleft().close()

    def _refuse_on_spare(self) -> bool:
        """Refuses a client who would else hang in the backlog until there are descriptors; false if it cannot."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with suppress(OSError):
                self._refuse(*self._listener.accept(), "no room for another client; try again later")
        if self._refused:
            self._refused.popleft().close()  # its descriptor is the next spare one
        self._spare = _open_spare()
        return self._spare is not None

    def _welcome(self, connection: Connection) -> None:
        with self._lock:
            self._strangers.discard(connection)
            self._members.add(connection)

    def _forget(self, connection: Connection) -> None:
        self.services.limiter.leave(connection.session.origin)
        with self._lock:
            self._connections.discard(connection)
            self._strangers.discard(connection)
            self._members.discard(connection)
            _share_interpreter(len(self._connections))

    # -- on other threads ---------------------------------------------------------------------------------------------
    def _drop(self, stranger: Connection) -> None:
        """On the delivery thread: has a stranger give up his place; one who has begun to log in is a stranger again."""
        if stranger.session.drop(refusal(PeerError("too_many_connections", _CROWDED, fatal=True))):
            _log.info("refused %s: its place was needed", stranger.session.peer)
            return
        with self._lock:
            # Who has an account here may have been welcomed already; who gets one later will be, and is taken out then.
            if stranger in self._connections and stranger.session.account is None:
                self._strangers.add(stranger)

    def _carry_out(self, order: control.Order) -> None:
        """On the control's thread. Raises Refused, StorageUnavailable."""
        storage = self.services.storage
        storage.result(control.carry_out(storage, order, done=partial(self._end_sessions, order)))

    def _end_sessions(self, order: control.Order, user_id: int) -> None:
        """On the delivery thread, after the commit: what was begun with the old rights ends."""
        if order.action in control.ENDS_SESSIONS:
            for session in list(self.services.roster.sessions_of(user_id)):
                session.kick("password_changed" if order.action == "password" else "kicked")

    def _purge_tokens(self) -> None:
        self.services.storage.delete_expired_tokens(format_time(utcnow()))


def _share_interpreter(clients: int) -> None:
    """Sets how often a thread that waits for the interpreter wakes up to ask for it.

    When thousands of clients drop at once, thousands of threads wait; at CPython's interval they would do little but
    ask, and 10,000 took 43 s to end, in place of 2.
    """
    sys.setswitchinterval(max(SWITCH_INTERVAL, clients * SWITCH_PER_CLIENT))


def _say_bye(connections: list[Connection]) -> None:
    """In one go, so that nobody is told of the others' leaving."""
    for connection in connections:
        connection.session.kick("shutdown")


def _give_way(connection: Connection) -> None:
    connection.session.give_way()


def _expire(connections: list[Connection]) -> None:
    for connection in connections:
        connection.session.expire()


def _make_room(max_connections: int) -> int:
    """Asks the system for a descriptor for each client, and says how many clients there is room for.

    Raises ConfigError if there is none for even one.
    """
    own = DESCRIPTORS_OWN + READERS * DESCRIPTORS_PER_READER
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = own + max_connections if max_connections else hard
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    room = sys.maxsize if soft == resource.RLIM_INFINITY else soft - own
    if room < 1:
        raise ConfigError(f"the system allows {soft} open files and this needs {own + 1}; raise it: ulimit -n")
    if room < max_connections:
        _log.warning(
            "the system allows %d open files: at most %d clients at once, not %d; raise it: ulimit -Hn",
            soft,
            room,
            max_connections,
        )
    if not max_connections:
        _log.info("by the open files that the system allows, at most %d clients at once", room)
    return min(room, max_connections or room)


def _open_spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
