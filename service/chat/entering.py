"""Login, register and resume: how a client gets a session of an account.

Each is a function on the connection thread: it checks and hashes, and the writer thread stores the login. `_join`
follows on the delivery thread.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from service.accounts.authentication import NewToken, hash_token, new_token
from service.accounts.names import look_of, map_name, map_new_name
from service.chat.reading import turn
from service.chat.replies import mute_fields, room_info
from service.chat.session import Account
from service.chat.telling import MAIN
from service.clock import format_time, utcnow
from service.storage.records import DEFAULT_LIFETIME
from service.wire.protocol import LoginOkReply, PasswordRequiredReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.chat.session import Session
    from service.storage import records
    from service.storage.contract import Write
    from service.wire.protocol import Login, Register, Resume

_log: Final = logging.getLogger("chat.session")


# -- on the connection thread -----------------------------------------------------------------------------------------
def log_in(session: Session, command: Login) -> PasswordRequiredReply | None:
    """With a password: logs in. Without one: returns whether a password is needed."""
    accounts = session.services.accounts
    name = map_name(command.username)
    if command.password is UNSET:
        return PasswordRequiredReply(name, accounts.is_registered(name))
    session.is_entering = True
    with session.services.limiter.login(name, session.origin):
        user = accounts.verify(name, command.password, session.origin)
    if user is None:
        return PasswordRequiredReply(name, registered=False)
    token, lifetime = _make_token(command)
    session.settle_receipts(user.id)
    now = format_time(utcnow())
    joined = partial(_join, session, command, token, now)
    token_hash = None if token is None else token.hash
    _enter(session, partial(session.services.storage.log_in, user, token_hash, now, lifetime=lifetime, done=joined))
    return None


def register(session: Session, command: Register) -> None:
    """Creates an account and logs in."""
    accounts = session.services.accounts
    name = map_new_name(command.username, session.services.settings.main_room)
    look = look_of(name)
    accounts.check_registration(name, look)
    password = accounts.check_new_password(command.password)
    session.is_entering = True
    session.services.limiter.register(session.origin)
    password_hash = accounts.hash(password, name, session.origin)
    token, lifetime = _make_token(command)
    now = format_time(utcnow())
    joined = partial(_join, session, command, token, now)
    token_hash = None if token is None else token.hash
    make = session.services.storage.register
    _enter(session, partial(make, name, look, password_hash, token_hash, now, lifetime=lifetime, done=joined))
    _log.info("registered %s %s", name, session.peer)


def resume(session: Session, command: Resume) -> None:
    session.is_entering = True
    storage = session.services.storage
    token = NewToken(command.token, hash_token(command.token))
    # This is a read, but the writer does it: that takes half as long as opening a connection. And when thousands of
    # clients return at once, they need not wait for the few read connections.
    owner_id = storage.result(storage.find_token_owner(token.hash))
    if owner_id is not None:
        session.settle_receipts(owner_id)
    now = format_time(utcnow())
    _enter(session, partial(storage.resume, token.hash, now, done=partial(_join, session, command, token, now)))


def _make_token(command: Login | Register) -> tuple[NewToken | None, int]:
    """Returns a token and its lifetime in seconds; none where the client wants none."""
    lifetime = DEFAULT_LIFETIME if command.lifetime is UNSET else command.lifetime
    return new_token() if lifetime else None, lifetime


def _enter(session: Session, submit: Callable[[], Write[records.Login]]) -> None:
    """Waits until the login is stored: so the counts, the seam and the first live message fit together."""
    with turn(session, session.services.logins):
        rooms = session.services.storage.result(submit()).rooms
        session.services.delivery.settle()  # waits for `_join`: the next command needs the account
    session.charge_login(len(rooms))
    _log.info("login %s %s", session.logged_in_account().name, session.peer)


# -- on the delivery thread -------------------------------------------------------------------------------------------
def _join(
    session: Session, command: Login | Register | Resume, token: NewToken | None, now: str, login: records.Login
) -> None:
    """Lets the session in; the reply is the first event that it gets as a member."""
    services = session.services
    account = Account(
        login.user_id,
        login.name,
        login.last_id,
        confirm=command.confirm or command.rooms,
        quiet=command.quiet,
        rooms=command.rooms,
        presence=command.presence is not UNSET,
        token_hash=None if token is None else token.hash,
    )
    room_ids = [MAIN, *(view.id for view in login.rooms if view.role is not None)] if command.rooms else ()
    arrived = session.enter(account, room_ids)
    reply = LoginOkReply(
        username=login.name,
        users=services.roster.names(),
        missed=login.missed,
        unread=login.unread,
        last_id=login.last_id,
        token=UNSET if token is None else token.text,
        time=now,
        motd=services.motd.text or UNSET,
        ref=command.ref,
    )
    if command.rooms:
        _add_rooms(reply, login)
    session.outbox.append(reply)
    if arrived:
        services.delivery.announce()


def _add_rooms(reply: LoginOkReply, login: records.Login) -> None:
    """Adds what clients learn that know rooms; the seam then is that of all rooms of the user."""
    reply.last_id = max(login.last_id, *(view.last_id for view in login.rooms if view.role is not None), 0)
    reply.role, reply.topic, reply.read_id = login.role, login.topic, login.read_id
    reply.muted, reply.muted_until = mute_fields(login.muted_until)
    reply.rooms = [room_info(view) for view in login.rooms]
