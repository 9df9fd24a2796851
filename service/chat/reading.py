"""The commands that read pages of messages: missed, history, search and since. Marks nothing as seen.

The functions run on their client's connection thread. What is lost between the reading of a page and its sending is
taken out on the delivery thread: see pages.py.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import UNSET

from service.chat.addressing import find_partner, known_room, named
from service.chat.replies import fit, stored_message
from service.clock import is_time
from service.delivery.run import Note
from service.errors import PeerError, StorageUnavailable
from service.storage.records import MAX_ID
from service.turns import CrowdedError
from service.wire import protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msgspec import UnsetType

    from service.chat.pages import PageReply
    from service.chat.session import Session
    from service.storage.records import Page
    from service.turns import Turns

# The size of a page without its entries: names, the query or the name repeated in it, and a `ref`. A query's own length
# is added.
_PAGE_OVERHEAD: Final = 1024  # bytes
_DELETED_BYTES: Final = 20  # of an id in a list, with its comma, at most

Row = TypeVar("Row", protocol.StoredMessage, protocol.RoomInfo, protocol.MemberInfo, protocol.BanInfo)


def missed(session: Session, command: protocol.Missed) -> None:
    """Sends a page of direct messages that the user has not seen."""
    account = session.logged_in_account()
    session.settle()
    session.settle_receipts(account.id)
    session.settle()
    # A client that does not confirm gets all messages after the seam live; `missed` must not repeat them.
    up_to = MAX_ID if account.confirm or account.quiet else account.last_id
    with turn(session, session.services.pages) as since:
        page = session.services.storage.missed_page(account.id, up_to, command.limit)
    shown, more = _fit(session, page)
    note = Note(direct_ids=[message.id for message in shown])
    send_page(session, command, protocol.MissedReply(shown, more), since, note)


def history(session: Session, command: protocol.History) -> None:
    """Sends a page of the main room, of another room or of a talk."""
    account = session.logged_in_account()
    session.settle()
    room, partner_id, partner = _find_conversation(session, command)
    before = None if command.before is UNSET else command.before
    after = None if command.after is UNSET else command.after
    storage = session.services.storage
    with turn(session, session.services.pages) as since:
        if room is not None:
            page = storage.room_page(account.id, room, before, after, command.limit)
        else:
            talk = None if partner_id is None else (account.id, partner_id)
            page = storage.history_page(talk, before, after, command.limit)
    shown, more = _fit(session, page)
    if command.after is UNSET:
        shown.reverse()
    reply = protocol.HistoryReply(room=named(room), with_=partner, messages=shown, more=more)
    send_page(session, command, reply, since)


def search(session: Session, command: protocol.Search) -> None:
    """Sends a page of messages with all the words, newest first."""
    account = session.logged_in_account()
    session.settle()
    room, partner_id, partner = _find_conversation(session, command)
    storage = session.services.storage
    # Only one thread at a time fills the index, because several would delay other writers. That thread, and threads
    # that wait for it, take no place of running searches. After the wait the index usually is complete.
    with turn(session, session.services.indexing), suppress(StorageUnavailable):  # then older messages are found
        storage.index_search()
    with turn(session, session.services.searches) as since:
        page = storage.search_page(
            command.query,
            account.id,
            partner_id,
            None if command.before is UNSET else command.before,
            command.limit,
            room=None if command.room is UNSET else room or "",
            rooms=account.rooms and command.room is UNSET,
        )
    shown, more = _fit(session, page, extra=len(command.query.encode()))
    reply = protocol.SearchReply(query=command.query, room=named(room), with_=partner, messages=shown, more=more)
    send_page(session, command, reply, since)


def since(session: Session, command: protocol.Since) -> None:
    """Sends a page of all that the user may read after an id, oldest first, and what was deleted up to there."""
    if command.room is not UNSET:
        raise PeerError("bad_request", 'field "room": a page of one room is asked for by history')
    deleted_after = None if command.deleted_after is UNSET else command.deleted_after
    if deleted_after is not None and not is_time(deleted_after):
        raise PeerError("bad_request", 'field "deleted_after" must be the `time` of a login_ok or since')
    account = session.logged_in_account()
    session.settle()
    with turn(session, session.services.pages) as losses:
        news = session.services.storage.since_page(
            account.id, command.id, command.limit, rooms=account.rooms, deleted_after=deleted_after
        )
    deleted = UNSET if news.deleted is None else list(news.deleted)
    shown, more = _fit(session, news.page, extra=_DELETED_BYTES * len(deleted or ()))
    deleted_more = True if news.deleted_more else UNSET
    reply = protocol.SinceReply(messages=shown, more=more, time=news.time, deleted=deleted, deleted_more=deleted_more)
    send_page(session, command, reply, losses)


# -- for all pages ----------------------------------------------------------------------------------------------------
def send_page(
    session: Session, command: protocol.Command, reply: PageReply, since: int, note: Note | None = None
) -> None:
    """Sends a page that was read after so many losses; what was lost since is not in it."""
    user_id = session.logged_in_account().id
    session.reply_to(command, reply, note, partial(session.services.losses.amend, reply, since, user_id))


@contextmanager
def turn(session: Session, turns: Turns) -> Iterator[int]:
    """Wraps work that takes turns: with this client's account, if it is logged in, its address, and other networks.

    Yields how many losses there were before it: not before the wait, in which there can be more than are kept.
    """
    account = "" if session.account is None else session.account.name
    try:
        with turns.turn(session.origin, account, session.services.storage.release):
            yield session.services.losses.count
    except CrowdedError:
        raise StorageUnavailable("the service is stopping") from None


def fit_rows(session: Session, rows: Iterable[Row], *, more: bool, extra: int = 0) -> tuple[list[Row], bool]:
    """Returns as many rows as fit into a line of this service, besides so many bytes, and whether others follow."""
    space = session.services.settings.max_line - _PAGE_OVERHEAD - extra
    return fit(rows, space, session.outbox.codec.size, more=more)


def _fit(session: Session, page: Page, *, extra: int = 0) -> tuple[list[protocol.StoredMessage], bool]:
    return fit_rows(session, map(stored_message, page.messages), more=page.more, extra=extra)


def _find_conversation(
    session: Session, command: protocol.History | protocol.Search
) -> tuple[str | None, int | None, str | UnsetType]:
    """Returns the name of the room, or the id and name of the other side of a talk. Raises PeerError."""
    if command.with_ is not UNSET:
        if command.room is not UNSET:
            raise PeerError("bad_request", 'give one of the fields "room" and "with"')
        return None, *find_partner(session, command.with_)
    return None if command.room is UNSET else known_room(session, command.room), None, UNSET
