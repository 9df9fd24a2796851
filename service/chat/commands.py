"""What each command does, as a table. No socket, no thread: a function gets the session and the decoded command.

They run on the connection thread of their client, one after the other, and their replies leave in that order. Messages
are handed to the writer, and the next line is read at once; whatever is not a message first waits for them. What
follows a commit (`posting.deliver`, `_join`, `_end_others` …) runs on the delivery thread, in the order of the ids.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from msgspec import UNSET, UnsetType

from service.accounts.names import look_of, map_name, map_new_name
from service.chat.fanout import Account, AnyPost
from service.clock import format_time, utcnow
from service.config import SEARCH_COST
from service.delivery.run import Note
from service.errors import PeerError, StorageUnavailable
from service.storage.sqlite import fulltext, messages, users
from service.turns import CrowdedError
from service.wire import protocol
from service.wire.limits import MAX_ID
from service.wire.protocol import AckReply, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from service.accounts.authentication import NewToken
    from service.chat.presence import Roster
    from service.chat.session import Session
    from service.turns import Turns

_log: Final = logging.getLogger("chat.session")
# Of a page's line: its names, the query or the name repeated in it, and a `ref`. A query's own length comes on top.
_PAGE_OVERHEAD: Final = 1024  # bytes

AnyEntry = protocol.Login | protocol.Register | protocol.Resume


class Rule(NamedTuple):
    """A command: what does it, when it is allowed, and what it takes of READ_RATE; 0: it counts as a message."""

    handler: Callable[[Session, Any], None]
    allowed: Literal["before login", "after login", "always"]
    cost: int = 1


# -- coming in --------------------------------------------------------------------------------------------------------
def log_in(session: Session, command: protocol.Login) -> None:
    """With a password: logs in. Without: says whether to ask for one."""
    accounts = session.services.accounts
    name = map_name(command.username)
    if command.password is UNSET:
        session.reply_to(command, protocol.PasswordRequiredReply(name, accounts.is_registered(name)))
        return
    session.is_entering = True
    with session.services.door.login(name, session.origin):
        user = accounts.verify(name, command.password, session.origin)
    if user is None:
        session.reply_to(command, protocol.PasswordRequiredReply(name, registered=False))
        return
    token = accounts.new_token()
    _store_receipts(session, user.id)
    _enter(session, command, token, users.log_in, user, *token[1:])


def register(session: Session, command: protocol.Register) -> None:
    """Makes an account and logs in."""
    accounts = session.services.accounts
    name = map_new_name(command.username)
    look = look_of(name)
    accounts.check_registration(name, look)
    password = accounts.check_new_password(command.password)
    session.is_entering = True
    session.services.door.register(session.origin)
    password_hash = accounts.hash(password, name, session.origin)
    token = accounts.new_token()
    _enter(session, command, token, users.register, name, look, password_hash, *token[1:])
    _log.info("registered %s %s", name, session.peer)


def resume(session: Session, command: protocol.Resume) -> None:
    """Logs in with a token."""
    session.is_entering = True
    token = session.services.accounts.renew_token(command.token)
    owner_id = session.services.storage.call(users.find_token_owner, token.hash)
    if owner_id is not None:
        _store_receipts(session, owner_id)
    _enter(session, command, token, users.resume, *token[1:])


def _enter(
    session: Session, command: AnyEntry, token: NewToken, work: Callable[..., users.Login], *arguments: Any
) -> None:
    """Logs in through the writer, so that the counts, the seam and the first live message fit together."""
    login = session.services.storage.call(work, *arguments, then=partial(_join, session, command, token))
    session.account = Account(login.user_id, login.name, login.last_id, command.confirm)
    _log.info("login %s %s", login.name, session.peer)


def _store_receipts(session: Session, user_id: int) -> None:
    """Stores, before what is written next, what the user's other sessions, if they do not confirm, have been sent."""
    # A client can have read a line before the delivery thread, on its way back from sending it, has taken note.
    session.services.delivery.settle()
    noted = session.services.receipts.store(user_id)
    if noted is not None:
        session.last_write = noted


def _join(session: Session, command: AnyEntry, token: NewToken, login: object) -> None:
    if not isinstance(login, users.Login):
        return  # refused; the connection thread says so
    services = session.services
    if not command.confirm:
        session.outbox.report_written(partial(services.receipts.note, login.user_id))
    services.delivery.join(session.outbox)
    arrived = services.roster.add(login.user_id, login.name, session)
    session.outbox.append(
        protocol.LoginOkReply(
            username=login.name,
            users=services.roster.names(),
            missed=login.missed,
            unread=login.unread,
            last_id=login.last_id,
            token=token.text,
            time=token.now,
            ref=command.ref,
        )
    )
    if arrived:
        services.delivery.announce()


# -- messages ---------------------------------------------------------------------------------------------------------
def pm(session: Session, command: protocol.Pm) -> None:
    """A public message, or the question whether one may follow."""
    if command.message is UNSET:
        session.reply_to(command, protocol.ReadyReply(command="pm"))
    else:
        _post(session, command, command.message, None)


def dm(session: Session, command: protocol.Dm) -> None:
    """A direct message, or the question whom one could write to."""
    if command.message is UNSET:
        session.settle()
        session.services.delivery.run(partial(_offer_users, session), command)
    elif command.to is UNSET:
        raise PeerError("bad_request", 'field "to" is missing: the name of the one to write to')
    else:
        _post(session, command, command.message, _known_name(command.to))


def _offer_users(session: Session, command: protocol.Dm) -> None:
    names = session.services.roster.names()
    session.outbox.append(protocol.ReadyReply(command="dm", users=names, ref=command.ref))


def _post(session: Session, command: AnyPost, text: str, to: str | None) -> None:
    limit = session.services.settings.max_message
    if not text:
        raise PeerError("empty_message", "the message is empty")
    if len(text) > limit:
        raise PeerError("message_too_long", f"a message has at most {limit} characters; this one has {len(text)}")
    nonce = None if command.nonce is UNSET else command.nonce
    if "\0" in text or (nonce is not None and "\0" in nonce):
        raise PeerError("bad_request", "a message and its nonce may not contain NUL")
    session.post((command, to, messages.Post(None if to is None else _find_id(session, to), text, nonce)))


# -- reading ----------------------------------------------------------------------------------------------------------
def list_users(session: Session, command: protocol.Users) -> None:
    """Who is online."""
    session.settle()
    # Made on the delivery thread: a list made here could reach the client after a newer one.
    session.services.delivery.run(partial(_send_users, session), command)


def _send_users(session: Session, command: protocol.Users) -> None:
    session.outbox.append(users_reply(session.services.roster, command.ref))


def users_reply(roster: Roster[Session], ref: str | UnsetType = UNSET) -> protocol.UsersReply:
    """Who is online now; on the delivery thread."""
    return protocol.UsersReply(users=roster.names(), time=format_time(utcnow()), ref=ref)


def missed(session: Session, command: protocol.Missed) -> None:
    """Direct messages not yet seen."""
    account = session.logged_in_account()
    session.settle()
    _store_receipts(session, account.id)
    session.settle()
    # A client that does not confirm has, or will have, all after the seam live: missed must not tell it twice.
    up_to = MAX_ID if account.confirm else account.last_id
    with _turn(session, session.services.pages):
        page = session.services.storage.read(messages.missed_page, account.id, up_to, command.limit)
    shown, more = _fit(session, page)
    session.reply_to(command, protocol.MissedReply(shown, more), Note(direct_ids=[message.id for message in shown]))


def history(session: Session, command: protocol.History) -> None:
    """A page of the public room or of a talk."""
    account = session.logged_in_account()
    session.settle()
    partner_id, partner = _find_partner(session, command.with_)
    with _turn(session, session.services.pages):
        page = session.services.storage.read(
            messages.history_page,
            None if partner_id is None else (account.id, partner_id),
            None if command.before is UNSET else command.before,
            None if command.after is UNSET else command.after,
            command.limit,
        )
    shown, more = _fit(session, page)
    if command.after is UNSET:
        shown.reverse()
    session.reply_to(command, protocol.HistoryReply(with_=partner, messages=shown, more=more))


def search(session: Session, command: protocol.Search) -> None:
    """Messages with all the words, newest first."""
    account = session.logged_in_account()
    session.settle()
    partner_id, partner = _find_partner(session, command.with_)
    storage = session.services.storage
    # One at a time fills the index: many would hold up who writes. Whoever does, or waits for it, takes no place of
    # those who search; who has waited mostly finds it full.
    with _turn(session, session.services.indexing), suppress(StorageUnavailable):  # then what is indexed has to do
        storage.index_search()
    with _turn(session, session.services.searches):
        page = storage.read(
            fulltext.search_page,
            command.query,
            account.id,
            partner_id,
            None if command.before is UNSET else command.before,
            command.limit,
        )
    shown, more = _fit(session, page, extra=len(command.query.encode()))
    session.reply_to(command, protocol.SearchReply(query=command.query, with_=partner, messages=shown, more=more))


@contextmanager
def _turn(session: Session, turns: Turns) -> Iterator[None]:
    """Round what waits for others of this client's address and account, and for one of each other network."""
    account = session.logged_in_account()
    try:
        with turns.turn(session.origin, account.name, session.services.storage.release):
            yield
    except CrowdedError:
        raise StorageUnavailable("the service is stopping") from None


def _find_partner(session: Session, name: str | UnsetType) -> tuple[int | None, str | UnsetType]:
    """The id and the mapped name of whom a page is about; neither for the public room."""
    if name is UNSET:
        return None, UNSET
    known = _known_name(name)
    return _find_id(session, known), known


def _find_id(session: Session, name: str) -> int:
    user_id = session.services.accounts.find_id(name)
    if user_id is None:
        raise PeerError("unknown_user", f'there is no user "{name}"')
    return user_id


def _known_name(text: str) -> str:
    """The name that `text` means. What can be no name is no user either."""
    try:
        return map_name(text)
    except PeerError:
        raise PeerError("unknown_user", "there is no such user") from None


def _fit(session: Session, page: messages.Page, *, extra: int = 0) -> tuple[list[StoredMessage], bool]:
    """As many of the page's messages, from its start, as fit into a line, and whether others follow."""
    room = session.services.settings.max_line - _PAGE_OVERHEAD - extra
    shown: list[StoredMessage] = []
    for message in page.messages:
        entry = StoredMessage(
            id=message.id,
            time=message.time,
            from_=message.sender,
            to=UNSET if message.recipient is None else message.recipient,
            message=message.body,
        )
        room -= session.outbox.codec.size(entry)
        if room < 0 and shown:  # the first one always goes, or a page could never be passed
            return shown, True
        shown.append(entry)
    return shown, page.more


# -- the rest ---------------------------------------------------------------------------------------------------------
def seen(session: Session, command: protocol.Seen) -> None:
    """Marks messages as seen."""
    account, now = session.logged_in_account(), format_time(utcnow())
    then = partial(_acknowledge_seen, session, command)
    if (command.id is UNSET) == (command.ids is UNSET):
        raise PeerError("bad_request", 'give one of the fields "id" and "ids"')
    storage = session.services.storage
    if command.id is not UNSET:
        session.last_write = storage.submit(users.see_up_to, account.id, command.id, now, then=then)
    elif command.ids is not UNSET:
        session.last_write = storage.submit(messages.mark_seen, account.id, command.ids, now, then=then)


def _acknowledge_seen(session: Session, command: protocol.Seen, outcome: object) -> None:
    if outcome is not None:
        session.outbox.append(session.explain(outcome, command))
    else:
        session.outbox.append(AckReply(command="seen", id=command.id, ids=command.ids, ref=command.ref))


def change_password(session: Session, command: protocol.Password) -> None:
    """Changes the password, and ends all that the old one opened."""
    account, accounts = session.logged_in_account(), session.services.accounts
    password = accounts.check_new_password(command.new)  # first: it costs nothing
    with session.services.door.login(account.name, session.origin, hashes=2):  # the old one's and the new one's
        user = accounts.verify(account.name, command.old, session.origin)
    if user is None:
        raise PeerError("bad_credentials", "this account is gone")
    new_hash = accounts.hash(password, account.name, session.origin)
    session.services.storage.call(users.change_password, user, new_hash, then=partial(_end_others, session, account.id))
    _log.info("password changed %s %s", account.name, session.peer)
    session.reply_to(command, AckReply(command="password"))


def _end_others(session: Session, user_id: int, outcome: object) -> None:
    if outcome is None:
        for other in list(session.services.roster.sessions_of(user_id)):
            if other is not session:
                other.kick("password_changed")


def ping(session: Session, command: protocol.Ping) -> None:
    """Gives a sign of life."""
    session.reply_to(command, protocol.PongReply(time=format_time(utcnow())))


def leave(session: Session, command: protocol.Ex) -> None:
    """Says goodbye."""
    session.end("exit", command.ref)


COMMANDS: Final[Mapping[type[protocol.Command], Rule]] = {
    protocol.Login: Rule(log_in, "before login"),
    protocol.Register: Rule(register, "before login"),
    protocol.Resume: Rule(resume, "before login"),
    protocol.Pm: Rule(pm, "after login", cost=0),
    protocol.Dm: Rule(dm, "after login", cost=0),
    protocol.Users: Rule(list_users, "after login"),
    protocol.Missed: Rule(missed, "after login"),
    protocol.Seen: Rule(seen, "after login"),
    protocol.History: Rule(history, "after login"),
    protocol.Search: Rule(search, "after login", cost=SEARCH_COST),
    protocol.Password: Rule(change_password, "after login"),
    protocol.Ping: Rule(ping, "always"),
    protocol.Ex: Rule(leave, "always"),
}
