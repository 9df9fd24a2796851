"""Messages, and commands that stand alone. No socket, no thread: a function gets the session and the command.

The functions run on their client's connection thread. Each returns its reply, or a function that makes the reply on the
delivery thread, or the message to store; dispatch.py does the rest. None means that the reply is sent already, or
follows a write.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from service.chat.addressing import known_name, known_room
from service.chat.endings import end_sessions
from service.chat.fanout import Posted, direct_ack
from service.chat.presence import users_reply
from service.clock import format_time, utcnow
from service.errors import PeerError
from service.storage.records import NonceReused, Post, UnknownUser
from service.wire import protocol
from service.wire.protocol import AckReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.chat.session import Session

_log: Final = logging.getLogger("chat.session")


# -- messages ---------------------------------------------------------------------------------------------------------
def pm(session: Session, command: protocol.Pm) -> Posted | protocol.ReadyReply:
    """Returns a message to a room to store, or the reply that one may follow."""
    room = None if command.room is UNSET else known_room(session, command.room)
    if command.created is not UNSET and room is None:
        # That room is gone, and its name is the main room's now; or none was named.
        raise PeerError("unknown_room", "the room that this message is for is gone")
    if command.message is UNSET:
        return protocol.ReadyReply(command="pm")
    return _make_post(session, command, command.message, None, None, room)


def dm(session: Session, command: protocol.Dm) -> Posted | Callable[[], protocol.Reply]:
    """Returns a direct message to store, or a reply with the users online."""
    if command.message is UNSET:
        return lambda: protocol.ReadyReply(command="dm", users=session.services.roster.names())
    if command.to is UNSET:
        raise PeerError("bad_request", 'field "to" is missing: the name of the one to write to')
    to = known_name(command.to)
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
    session: Session,
    command: protocol.Pm | protocol.Dm,
    text: str,
    to: str | None,
    user_id: int | None,
    room: str | None = None,
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
    created = command.created if isinstance(command, protocol.Pm) and command.created is not UNSET else None
    return Posted(command, to, Post(user_id, text, nonce, kind, room, created))


def list_users(session: Session, _: protocol.Users) -> Callable[[], protocol.UsersReply]:
    """Returns a function that lists the users online."""
    return partial(users_reply, session.services.roster)


# -- the rest ---------------------------------------------------------------------------------------------------------
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
    end_others = partial(end_sessions, session.services, account.id, "password_changed", besides=session)
    storage.result(storage.change_password(user, new_hash, done=lambda _: end_others()))
    _log.info("password changed %s %s", account.name, session.peer)
    return AckReply(command="password")


def ping(_session: Session, _: protocol.Ping) -> protocol.PongReply:
    return protocol.PongReply(time=format_time(utcnow()))


def end(session: Session, command: protocol.Ex) -> None:
    session.end("exit", command.ref)


def log_out(session: Session, command: protocol.Logout) -> None:
    """Ends the session and its token, and every session that came by that token."""
    account, storage = session.logged_in_account(), session.services.storage
    if account.token_hash is not None:
        token = account.token_hash
        end_alike = partial(end_sessions, session.services, account.id, "logout", besides=session, token_hash=token)
        storage.result(storage.log_out(token, done=lambda _: end_alike()))
    session.end("logout", command.ref)
