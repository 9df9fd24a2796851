"""Gives a client its place, its session and its thread, for all listeners; ends those that do not log in in time.

Accepts nobody and reads nothing: see acceptor.py and connection.py.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from service.chat.session import Session
from service.listeners.connection import Connection
from service.listeners.places import CROWDED
from service.wire.codec import JSON_LINES
from service.wire.framing import LineDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.chat.session import Services
    from service.listeners.places import Places
    from service.net.transport import Stream
    from service.origin import Origin
    from service.wire.codec import Codec

LOGIN_LOOK: Final = 0.25  # seconds at least between two checks for late logins; a check of 10,000 clients takes 2 ms
MANY: Final = "too many clients from your address; close one, or try again later"
NO_PLACE: Final = "no place for another client; try again later"

_log: Final = logging.getLogger("chat.listener")


class Dialect(NamedTuple):
    """How the clients of a listener speak."""

    codec: Codec
    framing: Callable[[int], LineDecoder]  # makes the decoder of one client; lines have at most so many bytes


JSON: Final = Dialect(JSON_LINES, LineDecoder)


class Admission:
    """The way in. All listeners share one, and with it the places and the numbers of connections."""

    def __init__(self, services: Services, places: Places) -> None:
        self.services = services
        self._places = places
        self._numbers = itertools.count(1)

    def admit(self, stream: Stream, origin: Origin, dialect: Dialect) -> str | None:
        """Gives a client a place and its thread, and returns None; or returns why not, in words for its user.

        The stream is the session's from now on, but not if this gives a reason. From any thread.
        """
        if not self.services.limiter.admit(origin):
            return MANY
        if not self._places.make_place(origin.network):
            self.services.limiter.leave(origin)
            return CROWDED
        try:
            connection = self._connect(stream, origin, dialect)
        except BaseException:  # no memory, as a rule
            self._places.give_back()
            self.services.limiter.leave(origin)
            raise
        self._places.add(connection)
        self._start(connection)
        return None

    def end_late(self) -> float:
        """Ends the clients that are late to log in. Gives when to look again (monotonic), inf if none has to log in.

        Here and not in the clients' own threads: these wait for bytes, for a share or for space, each in another way.
        A client of another listener may be ended here, too, in the same way as by its own.
        """
        strangers = [connection for connection in self._places.connections() if connection.session.account is None]
        now = time.monotonic()
        late = [stranger for stranger in strangers if stranger.login_by <= now]
        if late:
            self.services.delivery.post(_expire, late)
        return max(now + LOGIN_LOOK, min((stranger.login_by for stranger in strangers), default=math.inf))

    def _connect(self, stream: Stream, origin: Origin, dialect: Dialect) -> Connection:
        services = self.services
        outbox = services.delivery.open_outbox(stream, dialect.codec)
        session = Session(services, outbox, stream.peer, origin)
        return Connection(
            next(self._numbers),
            services,
            stream,
            dialect.framing,
            outbox,
            session,
            on_login=self._places.note_login,
            on_end=self._forget,
        )

    def _start(self, connection: Connection) -> None:
        services, outbox = self.services, connection.session.outbox
        try:
            connection.thread.start()
        except RuntimeError as error:
            _log.error("cannot start a thread: %s", error)
            self._forget(connection)
            services.delivery.post(lambda _: outbox.finish(*services.turn_away(NO_PLACE)))
            services.delivery.post(lambda _: outbox.release())

    # -- on the connection's thread -----------------------------------------------------------------------------------
    def _forget(self, connection: Connection) -> None:
        self.services.limiter.leave(connection.session.origin)
        self._places.remove(connection)


def _expire(connections: list[Connection]) -> None:
    for connection in connections:
        connection.session.expire()
