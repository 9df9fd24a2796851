"""What each command does after the login. No socket, no thread: a function gets the session and the command.

The functions run on their client's connection thread. Each returns its reply, or a function that makes the reply on the
delivery thread, or the message to store; dispatch.py does the rest. None means that the reply is sent already, or
follows a write.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from service.accounts.names import map_name
from service.chat.fanout import Posted, direct_ack
from service.chat.presence import users_reply
from service.chat.replies import fit
from service.clock import format_time, utcnow
from service.delivery.run import Note
from service.errors import PeerError, StorageUnavailable
from service.storage.records import NonceReused, Post, UnknownUser
from service.turns import CrowdedError
from service.wire import protocol
from service.wire.limits import MAX_ID
from service.wire.protocol import AckReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.chat.pages import PageReply
    from service.chat.session import Session
    from service.storage.records import Page
    from service.turns import Turns

_log: Final = logging.getLogger("chat.session")
# The size of a page without its messages: names, the query or the name repeated in it, and a `ref`. A query's own
# length is added.
_PAGE_OVERHEAD: Final = 1024  # bytes


# -- messages ---------------------------------------------------------------------------------------------------------
def pm(session: Session, command: protocol.Pm) -> Posted | protocol.ReadyReply:
    """Returns a public message to store, or the reply that one may follow."""
    if command.message is UNSET:
        return protocol.ReadyReply(command="pm")
    return _make_post(session, command, command.message, None, None)


def dm(session: Session, command: protocol.Dm) -> Posted | Callable[[], protocol.Reply]:
    """Returns a direct message to store, or a reply with the users online."""
    if command.message is UNSET:
        return lambda: protocol.ReadyReply(command="dm", users=session.services.roster.names())
    if command.to is UNSET:
        raise PeerError("bad_request", 'field "to" is missing: the name of the one to write to')
    to = _known_name(command.to)
    user_id = session.services.accounts.find_id(to)
    if user_id is None:
        return _find_retry(session, command, command.message, to)
    return _make_post(session, command, command.message, to, user_id)


def _find_retry(session: Session, command: protocol.Dm, text: str, to: str) -> Callable[[], AckReply]:
    """Returns the ack again of a message to a name that was somebody's then. Raises UnknownUser, NonceReused."""
    storage = session.services.storage
    user = storage.find_login(to)
    if user is None or command.nonce is UNSET:
        raise UnknownUser(to)
    post = _make_post(session, command, text, to, user.id).post
    stored = storage.result(storage.find_stored(session.logged_in_account().id, post))
    if stored is None:
        raise UnknownUser(to)
    if isinstance(stored, NonceReused):
        raise stored
    return partial(direct_ack, session, command, stored, user.id, to)


def _make_post(
    session: Session, command: protocol.Pm | protocol.Dm, text: str, to: str | None, user_id: int | None
) -> Posted:
    limit = session.services.settings.max_message
    if not text:
        raise PeerError("empty_message", "the message is empty")
    if len(text) > limit:
        raise PeerError("message_too_long", f"a message has at most {limit} characters; this one has {len(text)}")
    nonce = None if command.nonce is UNSET else command.nonce
    kind = None if command.kind is UNSET or command.kind == "text" else command.kind
    if "\0" in text or (nonce is not None and "\0" in nonce):
        raise PeerError("bad_request", "a message and its nonce may not contain NUL")
    return Posted(command, to, Post(user_id, text, nonce, kind))


# -- reading ----------------------------------------------------------------------------------------------------------
def list_users(session: Session, _: protocol.Users) -> Callable[[], protocol.UsersReply]:
    """Returns a function that lists the users online."""
    return partial(users_reply, session.services.roster)


def missed(session: Session, command: protocol.Missed) -> None:
    """Sends a page of direct messages that the user has not seen."""
    account = session.logged_in_account()
    session.settle()
    session.settle_receipts(account.id)
    session.settle()
    # A client that does not confirm gets all messages after the seam live; `missed` must not repeat them.
    since = session.services.deletions.count
    up_to = MAX_ID if account.confirm or account.quiet else account.last_id
    with _turn(session, session.services.pages):
        page = session.services.storage.missed_page(account.id, up_to, command.limit)
    shown, more = _fit(session, page)
    note = Note(direct_ids=[message.id for message in shown])
    _send_page(session, command, protocol.MissedReply(shown, more), since, note)


def history(session: Session, command: protocol.History) -> None:
    """Sends a page of the public room or of a talk."""
    account = session.logged_in_account()
    session.settle()
    partner_id, partner = _find_partner(session, command.with_)
    since = session.services.deletions.count
    with _turn(session, session.services.pages):
        page = session.services.storage.history_page(
            None if partner_id is None else (account.id, partner_id),
            None if command.before is UNSET else command.before,
            None if command.after is UNSET else command.after,
            command.limit,
        )
    shown, more = _fit(session, page)
    if command.after is UNSET:
        shown.reverse()
    _send_page(session, command, protocol.HistoryReply(with_=partner, messages=shown, more=more), since)


def search(session: Session, command: protocol.Search) -> None:
    """Sends a page of messages with all the words, newest first."""
    account = session.logged_in_account()
    session.settle()
    partner_id, partner = _find_partner(session, command.with_)
    storage = session.services.storage
    # Only one thread at a time fills the index, because several would delay other writers. That thread, and threads
    # that wait for it, take no place of running searches. After the wait the index usually is complete.
    with _turn(session, session.services.indexing), suppress(StorageUnavailable):  # then older messages are found
        storage.index_search()
    since = session.services.deletions.count
    with _turn(session, session.services.searches):
        page = storage.search_page(
            command.query,
            account.id,
            partner_id,
            None if command.before is UNSET else command.before,
            command.limit,
        )
    shown, more = _fit(session, page, extra=len(command.query.encode()))
    reply = protocol.SearchReply(query=command.query, with_=partner, messages=shown, more=more)
    _send_page(session, command, reply, since)


def _send_page(
    session: Session, command: protocol.Command, reply: PageReply, since: int, note: Note | None = None
) -> None:
    """Sends a page that was read after so many deletions; what was deleted since is not in it."""
    session.reply_to(command, reply, note, partial(session.services.deletions.amend, reply, since))


@contextmanager
def _turn(session: Session, turns: Turns) -> Iterator[None]:
    """Wraps work that takes turns: with this client's account and address, and with other networks."""
    account = session.logged_in_account()
    try:
        with turns.turn(session.origin, account.name, session.services.storage.release):
            yield
    except CrowdedError:
        raise StorageUnavailable("the service is stopping") from None


def _find_partner(session: Session, name: str | UnsetType) -> tuple[int | None, str | UnsetType]:
    """Returns the id and the mapped name of the user of a page; None and UNSET for the public room."""
    if name is UNSET:
        return None, UNSET
    known = _known_name(name)
    partner_id = session.services.accounts.find_id(known)
    return _find_closed(session, known) if partner_id is None else partner_id, known


def _find_closed(session: Session, name: str) -> int:
    """Returns the id of a deleted account; its talk can be read by who wrote with it. Raises UnknownUser."""
    storage, own_id = session.services.storage, session.logged_in_account().id
    user = storage.find_user(name)
    if user is None or not storage.history_page((own_id, user.id), None, None, 1).messages:
        raise UnknownUser(name)
    return user.id


def _known_name(text: str) -> str:
    """Returns the name that `text` means. An invalid name is an unknown user."""
    try:
        return map_name(text)
    except PeerError:
        raise PeerError("unknown_user", "there is no such user") from None


def _fit(session: Session, page: Page, *, extra: int = 0) -> tuple[list[protocol.StoredMessage], bool]:
    return fit(page, session.services.settings.max_line - _PAGE_OVERHEAD - extra, session.outbox.codec.size)


# -- the rest ---------------------------------------------------------------------------------------------------------
def seen(session: Session, command: protocol.Seen) -> None:
    account, now = session.logged_in_account(), format_time(utcnow())
    done, refused = partial(_acknowledge_seen, session, command), partial(_refuse_seen, session, command)
    if (command.id is UNSET) == (command.ids is UNSET):
        raise PeerError("bad_request", 'give one of the fields "id" and "ids"')
    storage = session.services.storage
    if command.id is not UNSET:
        session.last_write = storage.see_up_to(account.id, command.id, now, done=done, refused=refused)
    elif command.ids is not UNSET:
        session.last_write = storage.mark_seen(account.id, command.ids, now, done=done, refused=refused)


def _acknowledge_seen(session: Session, command: protocol.Seen, _: None) -> None:
    """Runs on the delivery thread, after the commit."""
    session.outbox.append(AckReply(command="seen", id=command.id, ids=command.ids, ref=command.ref))


def _refuse_seen(session: Session, command: protocol.Seen, error: Exception) -> None:
    """Runs on the delivery thread, if nothing was stored."""
    session.outbox.append(session.explain(error, command))


def change_password(session: Session, command: protocol.Password) -> AckReply:
    """Changes the password, and ends all other sessions of the account."""
    account, accounts = session.logged_in_account(), session.services.accounts
    password = accounts.check_new_password(command.new)  # checked first, because it costs nothing
    with session.services.limiter.login(account.name, session.origin, hashes=2):  # the old one's and the new one's
        user = accounts.verify(account.name, command.old, session.origin)
    if user is None:
        raise PeerError("bad_credentials", "this account is gone")
    new_hash = accounts.hash(password, account.name, session.origin)
    storage = session.services.storage
    storage.result(storage.change_password(user, new_hash, done=partial(_end_others, session, account.id)))
    _log.info("password changed %s %s", account.name, session.peer)
    return AckReply(command="password")


def _end_others(session: Session, user_id: int, _: None) -> None:
    """Runs on the delivery thread, after the commit."""
    for other in list(session.services.roster.sessions_of(user_id)):
        if other is not session:
            other.kick("password_changed")


def ping(_session: Session, _: protocol.Ping) -> protocol.PongReply:
    return protocol.PongReply(time=format_time(utcnow()))


def leave(session: Session, command: protocol.Ex) -> None:
    session.end("exit", command.ref)
