"""The port for clients that speak lines of JSON, plain or in TLS: each that comes is admitted, or told why not.

Reads nothing of what they say, but the header of a proxy that comes before: see connection.py.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from service.listeners.acceptor import Acceptor
from service.listeners.admission import JSON, NO_PLACE
from service.listeners.places import CROWDED
from service.net import proxy
from service.net.transport import Stream, TlsStream, format_address
from service.origin import origin_of

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from service.errors import ErrorCode
    from service.listeners.admission import Admission, Dialect
    from service.listeners.visitors import Visit, Visitors

_NO_PROXY: Final = "this port takes clients through a proxy only; ask who runs the server for the address"
_NO_HEADER: Final = "this port waits for the proxy's PROXY header first; set the proxy up to send it (version 1 or 2)"

_log: Final = logging.getLogger("chat.listener")


class Listener:
    """Accepts clients from the constructor on, until `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        admission: Admission,
        tls_context: Callable[[], ssl.SSLContext | None],
        dialect: Dialect = JSON,
        visitors: Visitors | None = None,
    ) -> None:
        """`tls_context` is asked for each client: the certificate may be renewed. None: the port speaks no TLS.

        With `visitors` each client has to come through a proxy that is trusted, and that says from where it came.
        """
        self._admission = admission
        self._services = admission.services
        self._tls_context = tls_context
        self._dialect = dialect
        self._visitors = visitors
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
        if self._visitors is None:
            reason = self._admit(connected, address)
            if reason is not None:
                self._acceptor.refuse(connected, address, self._last_word(reason))
        elif not self._visitors.proxies.is_trusted(str(address[0])):
            fault = "it is none of --trusted-proxy"
            self._acceptor.refuse(connected, address, self._last_word(_NO_PROXY, "bad_request"), fault)
        elif not self._visitors.receive(connected, address, self._serve):
            self._acceptor.refuse(connected, address, self._last_word(CROWDED))

    def _admit(self, connected: socket.socket, address: tuple[object, ...]) -> str | None:
        context = self._tls_context()
        stream = Stream(connected, address) if context is None else TlsStream(connected, address, context)
        return self._admission.admit(stream, origin_of(str(address[0])), self._dialect)

    def _last_word(self, reason: str, code: ErrorCode = "too_many_connections") -> bytes:
        return b"".join(map(self._dialect.codec.encode, self._services.turn_away(reason, code)))

    # -- the thread of a visit ----------------------------------------------------------------------------------------
    def _serve(self, visit: Visit) -> None:
        """Reads the proxy's header, and admits the client behind it."""
        try:
            address = _read_header(visit) or visit.address
        except (proxy.ProxyError, TimeoutError) as error:
            _log.info("refused the proxy %s: it sent no PROXY header: %s", format_address(visit.address), error)
            visit.say_at_once(self._last_word(_NO_HEADER, "bad_request"))
            return
        _log.debug("%s comes through the proxy %s", format_address(address), format_address(visit.address))
        visit.hand_on()
        reason = self._admit(visit.socket, address)
        if reason is None:
            self._acceptor.look_again()
            return
        visit.take_back()
        _log.info("refused %s: too_many_connections", origin_of(str(address[0])).address)
        visit.say_at_once(self._last_word(reason))


def _read_header(visit: Visit) -> tuple[str, int] | None:
    """Reads it and nothing behind it. None: the proxy comes for itself. Raises ProxyError and OSErrors."""
    header = b""
    while more := proxy.missing(header):
        received = visit.receive_first(more)
        if not received:
            raise ConnectionError("the proxy went before its header was there")
        header += received
    return proxy.parse(header)
