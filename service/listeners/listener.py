"""A port: accepts clients or refuses them, gives each its thread, and ends those that do not log in in time.

Reads nothing of what they say: see connection.py. All listeners share the places for clients.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from service.chat.session import Session
from service.listeners.connection import Connection
from service.listeners.places import CROWDED
from service.net.transport import Stream, TlsStream, format_address
from service.origin import origin_of
from service.wire.codec import JSON_LINES
from service.wire.framing import LineDecoder

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from service.chat.session import Services
    from service.listeners.places import Places
    from service.origin import Origin
    from service.wire.codec import Codec

LOGIN_LOOK: Final = 0.25  # seconds at least between two checks for late logins; a check of 10,000 clients takes 2 ms
REFUSED_KEPT: Final = 16  # refused sockets that stay open a while, so that the error line arrives before a reset

_ACCEPT_PAUSE: Final = 0.1  # seconds to wait when accepting fails: descriptors run out and come back
_NO_PLACE: Final = "no place for another client; try again later"

_log: Final = logging.getLogger("chat.listener")


class Dialect(NamedTuple):
    """How the clients of a listener speak."""

    codec: Codec
    framing: Callable[[int], LineDecoder]  # makes the decoder of one client; lines have at most so many bytes


JSON: Final = Dialect(JSON_LINES, LineDecoder)


class Listener:
    """Owns a listening socket and the thread `chat-accept`. Accepts clients from the constructor on, until `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        dialect: Dialect,
        services: Services,
        places: Places,
        tls_context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        """`tls_context` is asked for each client: the certificate may be renewed. None: the port speaks no TLS."""
        self._listening = listening
        self._dialect = dialect
        self._services = services
        self._places = places
        self._tls_context = tls_context
        self._refused: deque[socket.socket] = deque()
        self._spare = _open_spare()  # a descriptor to refuse with when there is no other
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="chat-accept")
        self._thread.start()

    def stop(self) -> None:
        """Accepts nobody any more. Those that were accepted are in the places."""
        self._end.send(b"\0")
        self._thread.join()
        self._listening.close()

    def close(self) -> None:
        """Gives all descriptors back, after `stop`. Clients that were just refused have had their time to read it."""
        for refused in self._refused:
            refused.close()
        if self._spare is not None:
            os.close(self._spare)
        self._end.close()
        self._ended.close()

    # -- the thread chat-accept ---------------------------------------------------------------------------------------
    def _accept(self) -> None:
        number, look_at = 0, math.inf
        while True:
            left = None if look_at == math.inf else max(0.0, look_at - time.monotonic())
            ready, _, _ = select.select([self._listening, self._ended], [], [], left)
            if self._ended in ready:
                return
            if self._listening in ready:
                number += 1
                self._take_client(number)
                look_at = min(look_at, time.monotonic() + self._services.settings.login_timeout)
            if look_at <= time.monotonic():
                look_at = self._end_late()

    def _end_late(self) -> float:
        """Ends the clients that are late to log in. Gives when to look again (monotonic), inf if none has to log in.

        Here and not in the clients' own threads: these wait for bytes, for a share or for space, each in another way.
        A client of another listener may be ended here, too, in the same way as by its own.
        """
        strangers = [connection for connection in self._places.connections() if connection.session.account is None]
        now = time.monotonic()
        late = [stranger for stranger in strangers if stranger.login_by <= now]
        if late:
            self._services.delivery.post(_expire, late)
        return max(now + LOGIN_LOOK, min((stranger.login_by for stranger in strangers), default=math.inf))

    def _take_client(self, number: int) -> None:
        try:
            connected, address = self._listening.accept()
        except OSError as error:
            # Out of descriptors, or the client is gone already. Those that are in must not notice.
            _log.error("cannot accept a client: %s", error)
            if error.errno in {errno.EMFILE, errno.ENFILE} and self._refuse_on_spare():
                return
            select.select([self._ended], [], [], _ACCEPT_PAUSE)
            return
        try:
            self._admit(number, connected, address)
        except Exception:  # noqa: BLE001 (logged; the next client may fare better)
            _log.exception("a client was not admitted: %s", format_address(address))
            connected.close()

    def _admit(self, number: int, connected: socket.socket, address: tuple[object, ...]) -> None:
        """Gives a client a place and its thread, or says why not."""
        context = self._tls_context()
        stream = Stream(connected, address) if context is None else TlsStream(connected, address, context)
        origin = origin_of(str(address[0]))
        if not self._services.limiter.admit(origin):
            self._refuse(connected, address, "too many clients from your address; close one, or try again later")
        elif not self._places.make_place(origin.network):
            self._services.limiter.leave(origin)
            self._refuse(connected, address, CROWDED)
        else:
            self._serve(number, stream, origin)

    def _serve(self, number: int, stream: Stream, origin: Origin) -> None:
        outbox = self._services.delivery.open_outbox(stream, self._dialect.codec)
        session = Session(self._services, outbox, stream.peer, origin)
        connection = Connection(
            number,
            self._services,
            stream,
            self._dialect.framing,
            outbox,
            session,
            on_login=self._places.note_login,
            on_end=self._forget,
        )
        self._places.add(connection)
        try:
            connection.thread.start()
        except RuntimeError as error:
            _log.error("cannot start a thread: %s", error)
            self._forget(connection)
            self._services.delivery.post(lambda _: outbox.finish(*self._services.turn_away(_NO_PLACE)))
            self._services.delivery.post(lambda _: outbox.release())

    def _refuse(self, connected: socket.socket, address: tuple[object, ...], reason: str) -> None:
        # The log names what counts as one address: else each line of a flood out of an IPv6 network were another one.
        _log.info("refused %s: too_many_connections", origin_of(str(address[0])).address)
        with suppress(OSError):
            events = self._services.turn_away(reason)
            connected.send(b"".join(map(self._dialect.codec.encode, events)), socket.MSG_DONTWAIT)
            connected.shutdown(socket.SHUT_WR)
        # Closing at once could reset the connection before the line is read, if the client has said something.
        self._refused.append(connected)
        if len(self._refused) > REFUSED_KEPT:
            self._refused.popleft().close()

    def _refuse_on_spare(self) -> bool:
        """Refuses a client that would else hang in the backlog until there are descriptors. False: it cannot."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with suppress(OSError):
                self._refuse(*self._listening.accept(), _NO_PLACE)
        if self._refused:
            self._refused.popleft().close()  # its descriptor is the next spare one
        self._spare = _open_spare()
        return self._spare is not None

    # -- on other threads ---------------------------------------------------------------------------------------------
    def _forget(self, connection: Connection) -> None:
        self._services.limiter.leave(connection.session.origin)
        self._places.remove(connection)


def _expire(connections: list[Connection]) -> None:
    for connection in connections:
        connection.session.expire()


def _open_spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
