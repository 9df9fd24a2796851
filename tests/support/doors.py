"""The doors of the service for tests: a row for each way in, and which cases run at which. Holds no test.

What commands do is the same at every door, so a case runs only where the code of the door can make a difference.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.support.helpers import PASSWORD, Wire, enter, free_port
from tests.support.wires import WebWire

if TYPE_CHECKING:
    from service.server import Server
    from tests.support.helpers import Process
    from tests.support.tls import Authority, Pair


class Door(NamedTuple):
    """One way in: how a service opens it, and how clients come in by it."""

    name: str
    kind: type[Wire]  # of its clients
    settings: dict[str, Any]  # of the service, in place of none
    context: Any = None  # an SSLContext, where clients speak TLS

    @property
    def options(self) -> list[str]:
        """The settings as a program takes them."""
        return [word for key, value in self.settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]

    def port(self, service: Server | Process) -> int:
        """Where that service has this door."""
        return int(self.settings.get("web_port") or service.port)

    def connect(self, service: Server | Process, *, greet: bool = True, source: str = "127.0.0.1") -> Wire:
        """A new client, which has been greeted unless told not to."""
        return self.kind(self.port(service), greet=greet, tls=self.context, source=source)

    def enter(
        self, service: Server | Process, name: str, password: str = PASSWORD, source: str = "127.0.0.1", **fields: Any
    ) -> Wire:
        """A client that is logged in, and registered if the name is new; `hello` has its `login_ok`."""
        return enter(self.port(service), name, password, self.context, source, self.kind, **fields)


class Where(NamedTuple):
    """At which doors cases of a kind run, and why there."""

    doors: tuple[str, ...]
    reason: str


WHERE: Final = {
    "streams": Where(("json", "tls", "web"), "each stream receives, charges, sends and ends in its own way"),
    "half sent": Where(("json", "tls", "web", "wss"), "what the kernel has not taken lies in one layer, or in two"),
    "ports": Where(("json", "web"), "each port accepts and refuses in its own way; TLS is spoken at the JSON port"),
    "web": Where(("web",), "what the framing of a WebSocket bounds and refuses; the other doors have lines alone"),
}


def at(kind: str) -> pytest.MarkDecorator:
    """Has a test run at the doors for cases of that kind; its argument `door` is the Door."""
    return pytest.mark.parametrize("door", WHERE[kind].doors, indirect=True)


def open_door(name: str, authority: Authority, pair: Pair) -> Door:
    """The door of that name, for one service."""
    if name in {"tls", "wss"}:
        plain = _open_plain("json" if name == "tls" else "web")
        settings = {**plain.settings, "tls_cert": pair.cert, "tls_key": pair.key}
        return plain._replace(name=name, settings=settings, context=authority.trusting())
    return _open_plain(name)


def door_for_models() -> Door:
    """That for the models' sessions: for lines of JSON, or what MODEL_DOOR says. What sessions do is the same."""
    return _open_plain(os.environ.get("MODEL_DOOR", "json"))


def _open_plain(name: str) -> Door:
    return {"json": Door(name, Wire, {}), "web": Door(name, WebWire, {"web_port": free_port()})}[name]
