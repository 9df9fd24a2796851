"""The port for clients that speak lines of JSON, plain or in TLS: each that comes is admitted, or told why not.

Reads nothing of what they say: see connection.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.listeners.acceptor import Acceptor
from service.listeners.admission import JSON, NO_PLACE
from service.net.transport import Stream, TlsStream
from service.origin import origin_of

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from service.listeners.admission import Admission, Dialect


class Listener:
    """Accepts clients from the constructor on, until `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        admission: Admission,
        tls_context: Callable[[], ssl.SSLContext | None],
        dialect: Dialect = JSON,
    ) -> None:
        """`tls_context` is asked for each client: the certificate may be renewed. None: the port speaks no TLS."""
        self._admission = admission
        self._services = admission.services
        self._tls_context = tls_context
        self._dialect = dialect
        self._acceptor = Acceptor(
            "chat-accept",
            listening,
            self._take,
            lambda: self._last_word(NO_PLACE),
            admission.end_late,
            self._services.settings.login_timeout,
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Accepts nobody any more. Those that were accepted are in the places."""
        self._acceptor.stop()

    def close(self) -> None:
        """Gives all descriptors back, after `stop`."""
        self._acceptor.close()

    # -- the thread chat-accept ---------------------------------------------------------------------------------------
    def _take(self, connected: socket.socket, address: tuple[object, ...]) -> None:
        context = self._tls_context()
        stream = Stream(connected, address) if context is None else TlsStream(connected, address, context)
        reason = self._admission.admit(stream, origin_of(str(address[0])), self._dialect)
        if reason is not None:
            self._acceptor.refuse(connected, address, self._last_word(reason))

    def _last_word(self, reason: str) -> bytes:
        return b"".join(map(self._dialect.codec.encode, self._services.turn_away(reason)))
