"""What other services over the same database have committed, as the delivery thread hears of it. No SQL, no engine.

A message comes as `Posted`, made of its row. The others lie as text in the table `event`: `encode` and `decode`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from service.storage.records import Deleted, RoomChange  # noqa: TC001 (the decoder reads the annotations)

EndReason = Literal["password_changed", "kicked", "logout"]


class Posted(Struct, frozen=True, tag="posted"):
    """A message. A direct one has a recipient, one to a room that room's id and name, a public one neither.

    One that was deleted before it was heard of here never comes.
    """

    id: int
    time: str
    sender_id: int
    sender: str
    body: str
    recipient_id: int | None = None
    recipient: str | None = None
    room_id: int | None = None
    room: str | None = None
    kind: str | None = None

    def __repr__(self) -> str:  # for logs and exceptions: no text
        return f"Posted(id={self.id})"


class RoomChanged(Struct, frozen=True, tag="room"):
    """A room was made, changed or ended, or a membership in it; only what is `fresh`."""

    change: RoomChange


class MessageDeleted(Struct, frozen=True, tag="deleted"):
    """A message was deleted; only what is `fresh`. `by` is the actor's name then; None for the operator."""

    deleted: Deleted
    by: str | None = None


class Renamed(Struct, frozen=True, tag="renamed"):
    """An account has another name: `name` in place of `old`, since `time`. Its sessions end."""

    user_id: int
    old: str
    name: str
    time: str


class AccountClosed(Struct, frozen=True, tag="closed"):
    """An account was deleted, and has the name `name` now. Its sessions end; `rooms` are those that it left."""

    user_id: int
    name: str
    rooms: Sequence[RoomChange]


class SessionsEnded(Struct, frozen=True, tag="ended"):
    """The account's sessions end with a `bye` of that reason; with a `token_hash` those that came by that token."""

    user_id: int
    reason: EndReason
    token_hash: bytes | None = None

    def __repr__(self) -> str:  # for logs and exceptions: no hash
        return f"SessionsEnded(user_id={self.user_id}, reason={self.reason!r})"


class WasRead(Struct, frozen=True, tag="read"):
    """The user has read something, by a command and not by a receipt: up to `id`, or the direct messages `ids`.

    `id` is where the marker is now, and concerns a `room`, the main room (`is_main`), the talk with somebody
    (`with_name`), or with none of these the main room and all talks.
    """

    user_id: int
    id: int | None = None
    ids: Sequence[int] | None = None
    room: str | None = None
    is_main: bool = False
    with_name: str | None = None


class Present(Struct, frozen=True, tag="present"):
    """The account is in the list of users of that service."""

    node_id: int
    user_id: int
    name: str


class Absent(Struct, frozen=True, tag="absent"):
    """The account is no longer in the list of users of that service."""

    node_id: int
    user_id: int


class NodeGone(Struct, frozen=True, tag="gone"):
    """That service has left, or was not heard of for too long: nobody is present there."""

    node_id: int


class PresenceKnown(Struct, frozen=True, tag="known"):
    """All who are present on other services, in place of what was known; after a start, or a loss of the connection."""

    present: Sequence[Present]


class HistoryCut(Struct, frozen=True, tag="cut"):
    """What clients hold may be wrong: the database has lost commits, and with them the messages from one id to another.

    There are none of these where `lost_to` is not beyond 0: then this service was away from the database for so long
    that it has missed events.
    """

    lost_from: int = 0
    lost_to: int = 0


Event = (  # what lies in the table `event`
    RoomChanged | MessageDeleted | Renamed | AccountClosed | SessionsEnded | WasRead | Present | Absent | NodeGone
)
News = Posted | Event | PresenceKnown | HistoryCut
TakeNews = Callable[[News], None]

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)


def encode(event: Event) -> str:
    """Returns the text of an event, for its row."""
    return _encoder.encode(event).decode()


def decode(text: str) -> Event:
    """Returns the event of such a text. Raises msgspec.DecodeError: another version's service wrote it."""
    return _decoder.decode(text)
