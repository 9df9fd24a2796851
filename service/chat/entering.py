"""Login, register and resume: how a client gets a session of an account.

Each is a function on the connection thread: it checks and hashes, and the writer thread stores the login. `_join`
follows on the delivery thread.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from service.accounts.names import look_of, map_name, map_new_name
from service.chat.session import Account
from service.wire.protocol import LoginOkReply, PasswordRequiredReply

if TYPE_CHECKING:
    from service.accounts.authentication import NewToken
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
    token = accounts.new_token()
    session.settle_receipts(user.id)
    joined = partial(_join, session, command, token)
    _enter(session, session.services.storage.log_in(user, token.hash, token.now, done=joined))
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
    token = accounts.new_token()
    joined = partial(_join, session, command, token)
    _enter(session, session.services.storage.register(name, look, password_hash, token.hash, token.now, done=joined))
    _log.info("registered %s %s", name, session.peer)


def resume(session: Session, command: Resume) -> None:
    session.is_entering = True
    storage = session.services.storage
    token = session.services.accounts.renew_token(command.token)
    # This is a read, but the writer does it: that takes half as long as opening a connection. And when thousands of
    # clients return at once, they need not wait for the few read connections.
    owner_id = storage.result(storage.find_token_owner(token.hash))
    if owner_id is not None:
        session.settle_receipts(owner_id)
    _enter(session, storage.resume(token.hash, token.now, done=partial(_join, session, command, token)))


def _enter(session: Session, login: Write[records.Login]) -> None:
    """Waits until the login is stored: so the counts, the seam and the first live message fit together."""
    session.services.storage.result(login)
    session.services.delivery.settle()  # waits for `_join`: the next command needs the account
    _log.info("login %s %s", session.logged_in_account().name, session.peer)


# -- on the delivery thread -------------------------------------------------------------------------------------------
def _join(session: Session, command: Login | Register | Resume, token: NewToken, login: records.Login) -> None:
    """Lets the session in; the reply is the first event that it gets as a member."""
    services = session.services
    arrived = session.enter(Account(login.user_id, login.name, login.last_id, command.confirm, command.quiet))
    session.outbox.append(
        LoginOkReply(
            username=login.name,
            users=services.roster.names(),
            missed=login.missed,
            unread=login.unread,
            last_id=login.last_id,
            token=token.text,
            time=token.now,
            motd=services.motd.text or UNSET,
            ref=command.ref,
        )
    )
    if arrived:
        services.delivery.announce()
