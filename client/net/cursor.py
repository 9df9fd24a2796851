"""How far a link has all that was said, and what to fetch from there on. Shows nothing.

The newest id that was taken in is no more than a place in the sequence of all conversations. An ack does not move it:
what others wrote before may still be on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from client.net.catch_up import fetch_gap, fetch_since
from service.wire.protocol import BroadcastEvent, DirectEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from client.net.catch_up import Room
    from client.net.connection import Connection
    from service.wire.protocol import AnyEvent, LoginOkReply, StoredMessage


class Cursor:
    """Of one link. Not safe for two threads at once."""

    def __init__(self) -> None:
        self._id = 0  # all up to this id was taken in
        self._time = ""  # the server's: every deletion before it is known
        self._wanted: tuple[Sequence[Room], bool] | None = None  # of a beginning: rooms, and whether direct ones, too

    def start(self, login: LoginOkReply) -> None:
        """The first login: what is later comes live."""
        self._id, self._time = max(self._id, login.last_id), login.time

    def begin(self, after: int, rooms: Sequence[Room], *, direct: bool) -> None:
        """The next `fetch` gives what these rooms have after an id, and with `direct` the ones not seen yet."""
        self._id, self._wanted = after, (rooms, direct)

    def take(self, event: AnyEvent) -> None:
        """An event was given on."""
        if isinstance(event, (BroadcastEvent, DirectEvent)):
            self._id = max(self._id, event.id)

    def gives_all_missed(self, connection: Connection) -> bool:
        """Whether the next `fetch` gives every direct message that is not seen yet, and has it seen."""
        return self._wanted[1] if self._wanted else "since" not in connection.features

    def fetch(
        self, connection: Connection, login: LoginOkReply, last_id: int, page: int
    ) -> Iterator[tuple[Sequence[StoredMessage], Sequence[int] | None]]:
        """What came up to `last_id`, in order, and ids of what was deleted meanwhile; None: too many to be told.

        A step counts as taken in once the next one is asked for. Raises ConnectionLostError.
        """
        if self._wanted is None and "since" in connection.features:
            for reply in fetch_since(connection, self._id, last_id, page, self._time):
                yield reply.messages, None if reply.deleted_more else reply.deleted or ()
                self._id = max([self._id, *(message.id for message in reply.messages)])
                self._time = reply.time
            return
        rooms, direct = self._wanted or ((UNSET, *rooms_of(login)), True)
        for messages in fetch_gap(connection, self._id, last_id, page, rooms, direct=direct):
            yield messages, ()
            if messages:
                self._id = max(self._id, messages[-1].id)
        self._id, self._wanted = max(self._id, last_id), None


def rooms_of(login: LoginOkReply) -> dict[str, str]:
    """The rooms that the user is a member of, with the times of their creation."""
    return {info.room: info.created for info in login.rooms or () if info.role is not UNSET}
