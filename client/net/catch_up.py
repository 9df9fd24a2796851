"""What a link asks the server by itself: a login by token, a new token, what came while it was away.

Each function waits for its replies. Nothing here holds state or shows anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

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
    Since,
    SinceReply,
    StoredMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from client.net.connection import Greeted

Room = str | UnsetType  # UNSET: the main room
PATIENCE: Final = 20.0  # seconds for a reply; then the connection counts as lost
_SOMETHING_ELSE: Final = "The server answered with something else."


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
        raise ConnectionLostError(_SOMETHING_ELSE)
    return login


def fetch_token(connect: Callable[[], Greeted], name: str, password: str) -> str:
    """A new token, over a connection of its own: a token comes only with a login. Empty if the server gives none."""
    try:
        connection = Connection(connect(), lambda *_: None, lambda _: None)
        connection.start()
        try:
            login = ask(connection, Login(username=name, password=password, confirm=True))
            return login.token or "" if isinstance(login, LoginOkReply) else ""
        finally:
            connection.leave()
    except (CannotConnectError, ConnectionLostError):
        return ""


def fetch_since(
    connection: Connection, after: int, last_id: int, page: int, deleted_after: str
) -> Iterator[SinceReply]:
    """What came up to `last_id`, of all conversations, and what was deleted since the server's time `deleted_after`.

    The messages come in the order of ids, at most `page` at a time. Nothing counts as seen. What is later than
    `last_id` comes live, and is left out. Raises ConnectionLostError.
    """
    more = True
    while more:
        reply = ask(connection, Since(id=after, limit=page, deleted_after=deleted_after or UNSET))
        if not isinstance(reply, SinceReply):
            raise ConnectionLostError(_SOMETHING_ELSE)
        if reply.messages and reply.messages[-1].id <= after:
            raise ConnectionLostError("The server sends the same messages again and again.")
        messages = [message for message in reply.messages if message.id <= last_id]
        yield replace(reply, messages=messages)
        more = reply.more and reply.messages != [] and messages == reply.messages
        if more:
            after, deleted_after = messages[-1].id, reply.time


def fetch_gap(
    connection: Connection,
    after: int,
    last_id: int,
    page: int,
    rooms: Sequence[Room] = (UNSET,),
    *,
    direct: bool = True,
) -> Iterator[list[StoredMessage]]:
    """What came up to `last_id`: from the rooms after the id `after`, and with `direct` the ones not seen yet.

    The messages come in the order of ids, at most a page of `page` messages of each at a time. Direct ones count as
    seen once the caller asks for more. A room that the user was taken out of is left out. Raises ConnectionLostError.
    """
    end = 0
    while end < last_id:
        pages: list[HistoryReply | MissedReply] = []
        for room in rooms:
            reply = ask(connection, History(room=room, after=after, limit=page))
            if isinstance(reply, HistoryReply):
                pages.append(reply)
            elif room is UNSET or not isinstance(reply, ErrorReply):
                raise ConnectionLostError(_SOMETHING_ELSE)
        if direct:
            reply = ask(connection, Missed(limit=page))
            if not isinstance(reply, MissedReply):
                raise ConnectionLostError(_SOMETHING_ELSE)
            pages.append(reply)
        # Where more lies behind one page, the others must not run ahead of it.
        end = min([last_id, *(one.messages[-1].id for one in pages if one.more and one.messages)])
        messages = sorted((message for one in pages for message in one.messages), key=lambda message: message.id)
        messages = [message for message in messages if message.id <= end]
        yield messages
        if direct and (seen := [message.id for message in messages if message.to is not UNSET]):
            ask(connection, Seen(ids=seen))
        after = max(after, end)
