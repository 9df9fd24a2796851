"""An announcement: a message of the service's own account, for everyone in the main room."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from service.admin.desk import Desk, Order, Row
from service.errors import PeerError
from service.storage.records import SERVER_ID, SERVER_NAME, NameTaken, Post, Stored
from service.wire.protocol import BroadcastEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.admin.desk import Service, Work
    from service.storage.records import Outcome

MAX_ANNOUNCEMENT: Final = 4_096  # characters, as of a user's message by default
_KIND: Final = "notice"


class Announce(Order, frozen=True, tag="announce"):
    """Stores a notice in the main room, and sends it to everyone who is there."""

    text: str


def announce(order: Announce, desk: Desk) -> Work:
    text = order.text
    if not text.strip() or "\0" in text:
        raise PeerError("empty_message", "an announcement needs a text, without NUL")
    if len(text) > MAX_ANNOUNCEMENT:
        raise PeerError("message_too_long", f"at most {MAX_ANNOUNCEMENT} characters; this text has {len(text)}")
    try:
        desk.storage.result(desk.storage.ensure_server())
    except NameTaken as taken:
        raise PeerError(
            "username_taken",
            f'"{SERVER_NAME}" is a user here, and would seem to say it. Rename that account first: '
            f"rename {SERVER_NAME} <another name>",
        ) from taken
    post = Post(None, text, None, _KIND)
    tell = partial(_tell_everyone, desk.service, text)
    (outcome,) = desk.storage.result(desk.storage.store_posts(SERVER_ID, [post], done=tell))
    if not isinstance(outcome, Stored):
        raise PeerError("storage_unavailable", f"not announced: {outcome}")
    where = "stored, and sent to all who are there" if desk.service.is_running else "stored; no service runs"
    yield Row({"id": outcome.id, "time": outcome.time, "sent": desk.service.is_running}, [f"{where}: id {outcome.id}"])


def _tell_everyone(service: Service, text: str, outcomes: Sequence[Outcome]) -> None:
    """On the delivery thread, after the commit."""
    for outcome in outcomes:
        if isinstance(outcome, Stored):
            service.broadcast(BroadcastEvent(outcome.id, outcome.time, SERVER_NAME, text, _KIND))
