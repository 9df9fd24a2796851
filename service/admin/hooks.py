"""hook and hooks: makes the secrets of webhooks, and prints each once. The service gets and keeps only its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.accounts.authentication import new_token
from service.accounts.names import map_name, map_new_name
from service.admin.asking import ask
from service.admin.desk import Note, Row
from service.admin.orders.hooks import AddHook, Hooks, RemoveHook
from service.errors import PeerError

if TYPE_CHECKING:
    import argparse

    from service.admin.desk import Work
    from service.config import Settings

_SCHEMES: Final = ("https://", "http://")


def add_or_remove(given: argparse.Namespace, settings: Settings) -> Work:
    if given.what == "add":
        return _add(given, settings)
    return ask(given.db, RemoveHook(map_name(given.name)))


def list_hooks(given: argparse.Namespace, _: Settings) -> Work:
    return ask(given.db, Hooks())


def _add(given: argparse.Namespace, settings: Settings) -> Work:
    """Yields the web address with the secret: it is told here, and never again."""
    base = _check_base(given.url)
    secret = new_token()
    order = AddHook(map_new_name(given.name, settings.main_room), secret.hash, _map_room(given.room))
    for told in ask(given.db, order):
        if not isinstance(told, Row):
            yield told
            continue
        known = base or told.values["url"]
        url = f"{known}/hook/{secret.text}"
        where = told.values["room"] or "the main room"
        lines = [f"{order.name}: speaks in {where}; whoever knows this address can have it speak:", url]
        yield Row(told.values | {"url": url}, lines)
        if not known:
            yield Note("before it comes the address of the web port, such as https://chat.example:8443; see --web-port")


def _check_base(url: str | None) -> str:
    """Returns what comes before /hook/. Raises PeerError."""
    if url is None:
        return ""
    if not url.startswith(_SCHEMES) or url in _SCHEMES or not url.isprintable() or not {*"?# "}.isdisjoint(url):
        raise PeerError("bad_request", "--url begins with https:// or http:// and a name, and has no ? and no #")
    return url.rstrip("/")


def _map_room(text: str | None) -> str | None:
    """Raises PeerError for a name that no room can have."""
    try:
        return None if text is None else map_name(text)
    except PeerError:
        raise PeerError("unknown_room", f'there is no room "{text}"') from None
