"""One client's session, from the greeting to the last word. No socket, no thread: lines in, replies to an outbox.

What the commands do stands in commands.py; here is what they share: who is logged in, the order of replies, and how
every failure becomes an answer.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from msgspec import UNSET, UnsetType

from service import __version__
from service.chat.commands import COMMANDS
from service.chat.fanout import Account, Posted, deliver
from service.clock import format_time, utcnow
from service.config import (
    LOGIN_LINE,
    MESSAGE_BYTES,
    POSTS_AT_ONCE,
    RECEIVE_COST,
    RECEIVE_COST_BYTES,
    RECORD_COST,
)
from service.errors import CommandError, ErrorCode, PeerError, StorageFull, StorageUnavailable
from service.storage.sqlite import users
from service.token_bucket import Debt
from service.wire import protocol
from service.wire.framing import Oversize
from service.wire.limits import PROTOCOL_VERSION
from service.wire.protocol import ErrorReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.accounts.authentication import Accounts
    from service.accounts.limiter import Door
    from service.accounts.shares import Shares
    from service.chat.presence import Roster
    from service.chat.receipts import Receipts
    from service.config import Settings
    from service.delivery.loop import Delivery
    from service.delivery.outbox import Outbox
    from service.delivery.run import Note
    from service.origin import Origin
    from service.storage.sqlite.engine import Storage, Write
    from service.turns import Turns

_log: Final = logging.getLogger("chat.session")
_LOGGED_REFUSALS: Final[frozenset[ErrorCode]] = frozenset(
    {"bad_credentials", "bad_token", "rate_limited", "login_timeout"}
)


@dataclass(frozen=True, slots=True)
class Services:
    """What every session works with."""

    settings: Settings
    storage: Storage
    pages: Turns
    searches: Turns
    indexing: Turns  # for who brings the search index up before a search
    accounts: Accounts
    door: Door
    shares: Shares | None
    receipts: Receipts
    delivery: Delivery
    roster: Roster[Session]
    now: Callable[[], float]  # seconds, never set back: for what is limited by the second


class Session:
    """One client. Its connection thread calls everything here but what stands below for the delivery thread."""

    def __init__(self, services: Services, outbox: Outbox, peer: str, origin: Origin) -> None:
        """`peer` is for the log; `origin` is what counts as one address in the limits."""
        self.services = services
        self.outbox = outbox
        self.peer = peer
        self.origin = origin
        self._debt = Debt(services.now)  # for what was taken beyond the shares
        self.account: Account | None = None
        self.is_entering = False  # a password or token of this client's is looked at
        self._is_late = False  # its time to log in is over
        self.posts: list[Posted] = []  # messages received and not yet submitted
        self.last_write: Write | None = None  # the newest one whose reply may be on its way
        self.ended = False

    def greet(self) -> None:
        """Says what this service is."""
        settings = self.services.settings
        self.reply(
            protocol.HelloEvent(
                protocol=PROTOCOL_VERSION,
                server=settings.name,
                version=__version__,
                registration=settings.registration,
                max_line=settings.max_line,
                max_message=settings.max_message,
                contact=settings.contact or UNSET,
            )
        )

    def handle(self, line: bytes | Oversize) -> None:
        """Does what a line asks and answers it; after the end, nothing. Raises nothing: every failure is an answer."""
        if self.ended or self.outbox.closing or (self._is_late and self.account is None):
            return
        command: protocol.AnyCommand | None = None
        try:
            if isinstance(line, Oversize):
                raise _too_long(self.services.settings.max_line, self.account)
            command = self.outbox.codec.decode(line)
            rule = COMMANDS[type(command)]
            if rule.cost:
                self._charge(rule.cost)
            else:
                self._charge_message(len(line))
            if rule.allowed != "always" and (rule.allowed == "after login") != (self.account is not None):
                raise _not_now(command, self.account)
            rule.handler(self, command)
        except Exception as error:  # noqa: BLE001 (answered, and logged by `explain` if it is ours)
            if command is None:
                self._charge(1)
            self.reply(self.explain(error, command))
        finally:
            self.is_entering = False

    def delay(self) -> float:
        """Seconds that nothing more should be read from this client: more was taken than its shares hold."""
        return self._debt.left()

    def charge_bytes(self, size: int, records: int) -> None:
        """Takes what was received out of the shares, before it is looked at: bytes, and TLS records."""
        self._charge(RECEIVE_COST + size / RECEIVE_COST_BYTES + records * RECORD_COST)

    def charge_connect(self) -> None:
        """Takes a connection out of the address's share."""
        self._charge(1)

    def _charge(self, cost: float) -> None:
        """Takes what is no message out of the shares; before the login everything."""
        shares = self.services.shares
        if shares is None:
            return
        if self.account is None:
            self._debt.owe(shares.knock(self.origin, cost))
        else:
            self._debt.owe(shares.read(self.origin, self.account.id, cost))

    def _charge_message(self, size: int) -> None:
        """Takes a message, in a line of so many bytes, out of the shares."""
        if self.account is None:
            self._charge(1)
        elif self.services.shares is not None:
            cost = max(1.0, size / MESSAGE_BYTES)
            self._debt.owe(self.services.shares.talk(self.origin, self.account.id, cost))

    def refuse(self, error: PeerError) -> None:
        """Ends a session for a fault of its client's."""
        if not self.ended:
            self.reply(self.explain(error))
            self.end("kicked")

    def fail(self, error: Exception) -> None:
        """Ends a session that a bug outside a command makes impossible; the client is told, if that is possible."""
        self.services.delivery.post(self._leave, _fatal(self.explain(error)))

    def end(self, reason: Literal["exit", "kicked"] | None = None, ref: str | UnsetType = UNSET) -> None:
        """Ends the session, with a `bye` if there is a reason; what was accepted is stored first. Idempotent."""
        if self.ended:
            return
        self.ended = True
        self.settle()
        bye = () if reason is None else (protocol.ByeReply(reason=reason, ref=ref),)
        self.services.delivery.post(self._leave, bye)
        if self.account is not None:
            _log.info("logout %s %s", self.account.name, self.peer)
            self.services.receipts.store(self.account.id)
            self.services.storage.submit(users.note_presence, self.account.id, format_time(utcnow()))

    # -- for commands -------------------------------------------------------------------------------------------------
    def logged_in_account(self) -> Account:
        """Who is logged in; for commands that the table allows only then."""
        assert self.account is not None  # noqa: S101 (the table says so)
        return self.account

    def post(self, posted: Posted) -> None:
        """Takes a message in; it goes to the writer with the others of the same receive."""
        self.posts.append(posted)
        if len(self.posts) >= POSTS_AT_ONCE:
            self.submit_posts()

    def submit_posts(self) -> None:
        """Hands the messages that were taken in to the writer, all at once."""
        if self.posts:
            posts, self.posts = self.posts, []
            sender = self.logged_in_account()
            self.last_write = self.services.storage.submit_posts(
                sender.id, [post for _, _, post in posts], then=partial(deliver, self, sender, posts)
            )

    def settle(self) -> None:
        """Waits until this session's writes are stored and their replies on their way."""
        self.submit_posts()
        if self.last_write is not None:
            self.services.storage.wait(self.last_write)
            self.last_write = None

    def reply(self, event: protocol.Event, note: Note | None = None) -> None:
        """Sends an event, after the replies to all earlier commands. `note` is what it shows."""
        self.settle()
        self.outbox.reply(event, note)
        if self.outbox.must_wait():
            self.services.storage.release()  # a client that does not read must not keep others from the database
            self.outbox.wait_for_space()

    def reply_to(self, command: protocol.Command, reply: protocol.Reply, note: Note | None = None) -> None:
        """Sends the reply to a command, with its `ref`."""
        reply.ref = command.ref
        self.reply(reply, note)

    def explain(self, error: object, command: protocol.Command | None = None) -> ErrorReply:
        """The reply for what went wrong; what is ours to mend is logged with an id that the reply carries."""
        reply = ErrorReply(code="internal", message="")
        if command is not None:
            reply.command, reply.ref = str(command.__struct_config__.tag), command.ref
        if isinstance(error, CommandError):
            reply.command = error.command if error.command is not None else UNSET
            reply.ref = error.ref if error.ref is not None else UNSET
        if isinstance(error, PeerError):
            reply.code, reply.message = error.code, str(error)
            reply.fatal = True if error.fatal else UNSET
            reply.retry_after = UNSET if error.retry_after is None else error.retry_after
        elif isinstance(error, StorageUnavailable):
            reply.code = "storage_unavailable"
            reply.message = (
                "there is no room for more messages; nothing was stored. Tell who runs the server"
                if isinstance(error, StorageFull)
                else "the database cannot be used just now; nothing was stored, try again"
            )
        else:
            incident = secrets.token_hex(4)
            exception = error if isinstance(error, BaseException) else None
            _log.error("incident %s: %s %s", incident, reply.command or "connection", self.peer, exc_info=exception)
            reply.message = f"something went wrong here; tell the operator: incident {incident}"
        if reply.code in _LOGGED_REFUSALS:
            _log.info("refused %s %s: %s", reply.command or "connection", self.peer, reply.code)
        return reply

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def kick(self, reason: Literal["shutdown", "password_changed", "kicked"]) -> None:
        """Ends the session from outside, with a `bye`; its connection thread then finds the end of the stream."""
        self._leave((protocol.ByeReply(reason=reason),))

    def give_way(self) -> None:
        """Ends the session from outside, as its place is needed and its account has many others."""
        if not self.outbox.closing:
            _log.info("ended %s: its place was needed, and its account has many", self.peer)
            reason = "this account is logged in many times and others needed a place; its oldest session ends"
            self._leave(refusal(PeerError("too_many_connections", reason, fatal=True)))

    def drop(self, last_events: Iterable[protocol.Event]) -> bool:
        """Ends the session from outside at once, as its place is needed; false if it has just begun to log in."""
        if self.account is not None or self.is_entering:
            return False
        if not self.outbox.closing:
            self._leave(last_events)
            self.services.delivery.flush(self.outbox)
            self.outbox.give_up()
        return True

    def expire(self) -> None:
        """Ends a session whose time to log in is over; one that logs in just now may finish that line, and no other.

        The caller comes again while it is not ended.
        """
        self._is_late = True
        if self.account is None and not self.is_entering and not self.outbox.closing:
            seconds = self.services.settings.login_timeout
            self._leave(_fatal(self.explain(PeerError("login_timeout", f"no login within {seconds:g} seconds"))))

    def _leave(self, last_events: Iterable[protocol.Event]) -> None:
        self.services.delivery.leave(self.outbox)
        if self.account is not None and self.services.roster.remove(self.account.id, self):
            self.services.delivery.announce()
        self.outbox.finish(*last_events)


def refusal(error: PeerError) -> tuple[protocol.Event, ...]:
    """What a connection is told that gets no session."""
    return _fatal(ErrorReply(code=error.code, message=str(error)))


def _fatal(reply: ErrorReply) -> tuple[protocol.Event, ...]:
    """An error after which the service closes, and its goodbye."""
    reply.fatal = True
    return reply, protocol.ByeReply(reason="kicked")


def _too_long(limit: int, account: Account | None) -> PeerError:
    when = "" if account is not None else " before the login"
    limit = limit if account is not None else min(LOGIN_LINE, limit)
    return PeerError("line_too_long", f"a line has at most {limit} bytes{when}; the rest of this one is skipped")


def _not_now(command: protocol.Command, account: Account | None) -> CommandError:
    if account is None:
        return _refuse(command, "not_logged_in", 'log in first: {"command":"login","username":"…","password":"…"}')
    return _refuse(command, "already_logged_in", f'you are logged in as "{account.name}" already')


def _refuse(command: protocol.Command, code: ErrorCode, message: str) -> CommandError:
    ref = None if command.ref is UNSET else command.ref
    return CommandError(code, message, ref=ref, command=str(command.__struct_config__.tag))
