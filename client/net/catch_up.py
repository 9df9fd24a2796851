"""What a link asks the server on its own account: a login by token, a new token, what came while it was away.

Each waits for its replies. Nothing here holds state or shows anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from client.net.connection import CannotConnectError, Connection, ConnectionLostError
from service.wire.limits import MAX_PAGE
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

PATIENCE: Final = 20.0  # seconds for a reply; then the connection counts as lost


def ask(connection: Connection, command: AnyCommand) -> AnyEvent:
    """The reply to a command. Raises ConnectionLostError, also if none comes."""
    try:
        return connection.send(command).result(PATIENCE)
    except TimeoutError:
        raise ConnectionLostError("The server does not answer.") from None


def resume(connection: Connection, token: str, *, may_be_renewed: bool) -> LoginOkReply:
    """Logs in by token. Raises CannotConnectError, ConnectionLostError: final if the token is of no use.

    `may_be_renewed`: another token is on its way, so that a bad one is no reason to give up.
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


def fetch_token(connect: Callable[[], Connection], name: str, password: str) -> str:
    """A new token, over a connection of its own, as one comes with a login only; empty if there is none to be had."""
    try:
        connection = connect()
        try:
            connection.start(lambda *_: None, lambda _: None)
            login = ask(connection, Login(username=name, password=password, confirm=True))
            return login.token if isinstance(login, LoginOkReply) else ""
        finally:
            connection.leave()
    except (CannotConnectError, ConnectionLostError):
        return ""


def fetch_gap(connection: Connection, after: int, last_id: int) -> Iterator[list[StoredMessage]]:
    """What came up to `last_id`: of the room after the id `after`, and the direct messages not seen yet.

    In the order of ids, some at a time; direct ones count as seen once the next are asked for. Raises
    ConnectionLostError.
    """
    end = 0
    while end < last_id:
        room = ask(connection, History(after=after, limit=MAX_PAGE))
        direct = ask(connection, Missed(limit=MAX_PAGE))
        if not isinstance(room, HistoryReply) or not isinstance(direct, MissedReply):
            raise ConnectionLostError("The server answered with something else.")
        # Of a page with more behind it, the other one must not run ahead.
        ends = [page.messages[-1].id for page in (room, direct) if page.more and page.messages]
        end = min([last_id, *ends])
        messages = sorted((*room.messages, *direct.messages), key=lambda message: message.id)
        messages = [message for message in messages if message.id <= end]
        yield messages
        if seen := [message.id for message in messages if message.to is not UNSET]:
            ask(connection, Seen(ids=seen))
        after = max([after, *(message.id for message in messages if message.to is UNSET)])
