"""The web port: accepts who comes, for a visit; plain or in TLS. Reads nothing of what they say: see routes.py."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.errors import ConfigError
from service.listeners.acceptor import Acceptor
from service.listeners.web.answer import tell
from service.listeners.web.files import Files
from service.listeners.web.hook import Hooks
from service.listeners.web.http import serialize
from service.listeners.web.routes import Routes
from service.net.certificates import read_names
from service.net.transport import format_address, is_loopback

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Container

    from service.config import Settings
    from service.health import Health
    from service.listeners.admission import Admission
    from service.listeners.visitors import Visitors

_log: Final = logging.getLogger("chat.web")


class WebPort:
    """Accepts from the constructor on, until `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        admission: Admission,
        visitors: Visitors,
        health: Health,
        files: Files,
        tls_context: Callable[[], ssl.SSLContext | None],
        names: Callable[[], Container[str]],
    ) -> None:
        """`tls_context` and `names` are asked for each client: the certificate may be renewed.

        Without a context the port speaks no TLS. The names are those by which browsers may call this service.
        """
        settings = admission.services.settings
        self._visitors = visitors
        self._tls_context = tls_context if settings.web_tls != "no" else lambda: None
        self._acceptor = Acceptor(
            "chat-accept-web", listening, self._take, self._last_word, admission.end_late, settings.login_timeout
        )
        hooks = Hooks(admission.services)
        self._routes = Routes(
            admission, visitors.proxies, health, files, hooks, names, on_client=self._acceptor.look_again
        )
        address: tuple[object, ...] = listening.getsockname()
        if self._tls_context() is None and not is_loopback(address) and not settings.trusted_proxy:
            _log.warning(
                "without TLS everyone on the way can read what browsers send, passwords too. Give a certificate "
                "(--tls-cert, --tls-key), or put a proxy in front that speaks TLS (--trusted-proxy)"
            )
        _log.info("page at %s", self._name_page(address, settings))
        self._acceptor.start()

    def stop(self) -> None:
        """Accepts nobody any more. Those that were accepted are visitors, or in the places."""
        self._acceptor.stop()

    def close(self) -> None:
        """Gives all descriptors back, after `stop`."""
        self._acceptor.close()

    def _name_page(self, address: tuple[object, ...], settings: Settings) -> str:
        """Returns the page's address, as one types it on this machine."""
        scheme = "http" if self._tls_context() is None else "https"
        if ip_address(str(address[0])).is_unspecified:
            address = (next(iter(settings.web_name), "localhost"), address[1])
        return f"{scheme}://{format_address(address)}/"

    # -- the thread chat-accept-web -----------------------------------------------------------------------------------
    def _take(self, connected: socket.socket, address: tuple[object, ...]) -> None:
        if not self._visitors.receive(connected, address, self._routes.serve, self._tls_context(), _advise()):
            self._acceptor.refuse(connected, address, self._last_word())

    def _last_word(self) -> bytes:
        """For one that finds no room. In TLS there is none before the handshake."""
        answer = tell(503, "too many ask at once; try again later", (("Retry-After", "5"),))
        return serialize(answer, ()) if self._tls_context() is None else b""


def read_page() -> Files:
    """Returns the page's files, before any port is open. Raises ConfigError."""
    return Files()


def own_names(settings: Settings) -> frozenset[str]:
    """Returns the names by which browsers may call this service: the operator's and the certificate's.

    Raises ConfigError; also where the port is to speak TLS, and cannot.
    """
    if settings.web_tls == "yes" and not settings.tls_cert:
        raise ConfigError("--web-tls yes needs a certificate: --tls-cert and --tls-key")
    certified = read_names(Path(settings.tls_cert)) if settings.tls_cert else frozenset()
    return certified | set(settings.web_name)


def _advise() -> bytes:
    """For one that speaks no TLS at a port that does."""
    return serialize(tell(400, "this port speaks only TLS; begin the address with https://"), ())
