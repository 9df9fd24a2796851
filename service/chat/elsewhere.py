"""What follows here of what other services over the same database have committed. On the delivery thread.

The storage hands it over in the order of the commits, with what this service has stored between. It is told as if it
came from here, but for the reply, which whoever asked gets there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from service.chat import deletion, endings, seen, telling
from service.delivery.run import Note
from service.storage import news
from service.wire.protocol import BroadcastEvent, DirectEvent, ReadEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.chat.session import Services


class Elsewhere:
    """Takes the news. What comes before `begin` waits for that: a storage is opened before all that is made with it."""

    def __init__(self) -> None:
        self._services: Services | None = None
        self._early: list[news.News] = []

    def begin(self, services: Services) -> None:
        self._services = services
        early, self._early = self._early, []
        for item in early:
            self.take(item)

    def take(self, item: news.News) -> None:
        if self._services is None:
            self._early.append(item)
        else:
            _FOLLOWS[type(item)](self._services, item)


# -- messages ---------------------------------------------------------------------------------------------------------
def _posted(services: Services, posted: news.Posted) -> None:
    sender = services.roster.name_of(posted.sender_id, posted.sender)
    kind = posted.kind or UNSET
    if posted.recipient_id is not None:
        to = services.roster.name_of(posted.recipient_id, posted.recipient or "")
        direct = DirectEvent(posted.id, posted.time, sender, to, posted.body, kind)
        receivers, copies = (
            [session.outbox for session in services.roster.sessions_of(user_id)]
            for user_id in (posted.recipient_id, None if posted.sender_id == posted.recipient_id else posted.sender_id)
        )
        services.delivery.send(direct, receivers, Note(0, (posted.id,)), copies)
    elif posted.room_id is None:
        event = BroadcastEvent(posted.id, posted.time, sender, posted.body, kind)
        services.delivery.broadcast(event, posted.id)
    else:
        event = BroadcastEvent(posted.id, posted.time, sender, posted.body, kind, posted.room or UNSET)
        services.delivery.broadcast_to(posted.room_id, event)


def _deleted(services: Services, item: news.MessageDeleted) -> None:
    deletion.tell(services, item.deleted, UNSET if item.by is None else item.by)


def _read(services: Services, read: news.WasRead) -> None:
    main_room = services.settings.main_room if read.is_main else UNSET
    event = ReadEvent(
        room=main_room if read.room is None else read.room,
        with_=UNSET if read.with_name is None else read.with_name,
        id=UNSET if read.id is None else read.id,
        ids=UNSET if read.ids is None else list(read.ids),
    )
    seen.tell(services, read.user_id, event)


# -- rooms and accounts -----------------------------------------------------------------------------------------------
def _changed(services: Services, item: news.RoomChanged) -> None:
    telling.tell(services, item.change)


def _renamed(services: Services, item: news.Renamed) -> None:
    endings.tell_renamed(services, item.user_id, item.old, item.name, item.time)


def _closed(services: Services, item: news.AccountClosed) -> None:
    endings.tell_closed(services, item.user_id, item.name, item.rooms)


def _ended(services: Services, item: news.SessionsEnded) -> None:
    endings.end_sessions(services, item.user_id, item.reason, token_hash=item.token_hash)


# -- who is online ----------------------------------------------------------------------------------------------------
def _present(services: Services, item: news.Present) -> None:
    if services.roster.add_elsewhere(item.node_id, item.user_id, item.name):
        services.delivery.announce()


def _absent(services: Services, item: news.Absent) -> None:
    if services.roster.remove_elsewhere(item.node_id, item.user_id):
        services.delivery.announce()


def _gone(services: Services, item: news.NodeGone) -> None:
    if services.roster.remove_all_elsewhere(item.node_id):
        services.delivery.announce()


def _known(services: Services, item: news.PresenceKnown) -> None:
    services.roster.remove_all_elsewhere()
    for present in item.present:
        services.roster.add_elsewhere(present.node_id, present.user_id, present.name)
    services.delivery.announce()


# -- the end ----------------------------------------------------------------------------------------------------------
def _cut(services: Services, _: news.HistoryCut) -> None:
    """What clients and caches hold may be wrong: the clients come again, and ask anew."""
    services.accounts.forget_ids()
    services.roster.forget_renames()
    for session in services.roster.all_sessions():
        session.kick("shutdown")


_FOLLOWS: Final[Mapping[type[news.News], Callable[[Services, Any], None]]] = {
    news.Posted: _posted,
    news.MessageDeleted: _deleted,
    news.WasRead: _read,
    news.RoomChanged: _changed,
    news.Renamed: _renamed,
    news.AccountClosed: _closed,
    news.SessionsEnded: _ended,
    news.Present: _present,
    news.Absent: _absent,
    news.NodeGone: _gone,
    news.PresenceKnown: _known,
    news.HistoryCut: _cut,
}
