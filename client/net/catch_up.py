"""What a link asks the server by itself: a login by token, a new token, what came while it was away.

Each function waits for its replies. Nothing here holds state or shows anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from client.net.connection import CannotConnectError, Connection, ConnectionLostError
from service.wire.protocol import (
    AnyCommand,
    AnyEvent,
    ErrorReply,
    History,
    HistoryReply,
    Login,
    LoginOkReply,
    Missed,
    MissedReply,
    Resume,
    Seen,
    StoredMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from client.net.connection import Greeted

PATIENCE: Final = 20.0  # seconds for a reply; then the connection counts as lost


def ask(connection: Connection, command: AnyCommand) -> AnyEvent:
    """The reply to a command. Raises ConnectionLostError, also if none comes."""
    try:
        return connection.send(command).result(PATIENCE)
    except TimeoutError:
        raise ConnectionLostError("The server does not answer.") from None


def resume(connection: Connection, token: str, *, may_be_renewed: bool) -> LoginOkReply:
    """Logs in by a token.

    Raises CannotConnectError, ConnectionLostError: final if the token is of no use. `may_be_renewed`: another
    token is on its way, so that a bad one is no reason to give up.
    """
    login = ask(connection, Resume(token=token, confirm=True))
    if isinstance(login, ErrorReply):
        if login.code == "bad_token" and not may_be_renewed:
            reason = "Your session has ended. Start the client again and log in."
            raise ConnectionLostError(reason, is_final=True)
        raise CannotConnectError(login.message)
    if not isinstance(login, LoginOkReply):
        raise ConnectionLostError("The server answered with something else.")
    return login


def fetch_token(connect: Callable[[], Greeted], name: str, password: str) -> str:
    """A new token, over a connection of its own: a token comes only with a login. Empty if the server gives none."""
    try:
        connection = Connection(connect(), lambda *_: None, lambda _: None)
        connection.start()
        try:
            login = ask(connection, Login(username=name, password=password, confirm=True))
            return login.token if isinstance(login, LoginOkReply) else ""
        finally:
            connection.leave()
    except (CannotConnectError, ConnectionLostError):
        return ""


def fetch_gap(connection: Connection, after: int, last_id: int, page: int) -> Iterator[list[StoredMessage]]:
    """What came up to `last_id`: from the main room after the id `after`, and the direct messages not seen yet.

    The messages come in the order of ids, at most two pages of `page` messages at a time. Direct ones count as seen
    once the caller asks for more. Raises ConnectionLostError.
    """
    end = 0
    while end < last_id:
        public = ask(connection, History(after=after, limit=page))
        direct = ask(connection, Missed(limit=page))
        if not isinstance(public, HistoryReply) or not isinstance(direct, MissedReply):
            raise ConnectionLostError("The server answered with something else.")
        # Where more lies behind one page, the other page must not run ahead of it.
        ends = [reply.messages[-1].id for reply in (public, direct) if reply.more and reply.messages]
        end = min([last_id, *ends])
        messages = sorted((*public.messages, *direct.messages), key=lambda message: message.id)
        messages = [message for message in messages if message.id <= end]
        yield messages
        if seen := [message.id for message in messages if message.to is not UNSET]:
            ask(connection, Seen(ids=seen))
        after = max([after, *(message.id for message in messages if message.to is UNSET)])
