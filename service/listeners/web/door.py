"""Who may ask this port, from which page, and what a browser may do with the answer. Reads no bytes, sends none.

A browser sends a foreign page's requests here, too, with the reader's own address. So a name in Host that is not this
service's is refused (a foreign name may be made to lead here: DNS rebinding), and a page of another origin gets no
socket.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from service.listeners.web.answer import tell
from service.listeners.web.http import RequestError

if TYPE_CHECKING:
    from collections.abc import Container

    from service.listeners.web.answer import Fields
    from service.listeners.web.http import Request

_AUTHORITY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?")

_PORT_MAX: Final = 65_535

# Of these the page uses nothing, and a script that came in must not either.
_POLICIES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
_FIXED: Final[Fields] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", ", ".join(f"{policy}=()" for policy in _POLICIES)),
)
_CONTENT: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; "
    "connect-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class Caller(NamedTuple):
    """What a request's own fields say of how it came, once they were checked."""

    scheme: str  # ``http`` or ``https``, as the browser has it
    host: str  # with its port, where the browser shows one


def check_host(names: Container[str], request: Request) -> str:
    """Returns the request's Host. Raises RequestError if it is not one of this service's.

    `names` are the operator's and the certificate's, in small letters; ``*.`` at the start stands for one label.
    """
    host = request.value("host")
    if host is None or (parts := _AUTHORITY.fullmatch(host)) is None or int(parts[3] or 0) > _PORT_MAX:
        raise RequestError(tell(400, "send one Host, a name or an address"))
    address, name, _ = parts.groups()
    if not (_is_address(address or name) or (name and _is_own(names, name.lower()))):
        raise RequestError(tell(421, "this name is not known here; the operator can add it with --web-name"))
    return host


def _is_own(names: Container[str], name: str) -> bool:
    return name == "localhost" or name in names or f"*.{name.partition('.')[2]}" in names


def _is_address(text: str) -> bool:
    """A page that was led here by a foreign name never has an address as its Host."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_origin(caller: Caller, request: Request) -> None:
    """Raises RequestError if a page of another origin asks. Programs send no Origin; browsers always do for sockets."""
    origins = request.values("origin")
    if origins and [origin.lower() for origin in origins] != [f"{caller.scheme}://{caller.host}".lower()]:
        raise RequestError(tell(403, "another site's page may not connect here"))


def security_fields(caller: Caller | None, hsts: int) -> Fields:
    """Returns the fields of every answer. Without a checked caller the page that gets it may connect to nothing.

    `hsts`: seconds for which browsers are to come by TLS only; 0: says nothing of it.
    """
    if caller is None:
        return (("Content-Security-Policy", _CONTENT.format("'none'")), *_FIXED)
    # The grammar of policies has no IPv6 addresses; browsers of these days take 'self' for the socket, too.
    socket = "wss" if caller.scheme == "https" else "ws"
    own = "'self'" if caller.host.startswith("[") else f"'self' {socket}://{caller.host}"
    policy = _CONTENT.format(own)
    strict = (("Strict-Transport-Security", f"max-age={hsts}"),) if hsts and caller.scheme == "https" else ()
    return (("Content-Security-Policy", policy), *_FIXED, *strict)
