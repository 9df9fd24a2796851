"""One client's session: its account, its shares, the order of its replies, and its end.

No socket, no thread, no command: replies go to the client's outbox.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from msgspec import UNSET, UnsetType

from service.chat.pages import Losses
from service.chat.replies import explain, greeting
from service.clock import format_time, utcnow
from service.config import MESSAGE_BYTES, RECEIVE_COST, RECEIVE_COST_BYTES, RECORD_COST, ROOM_COST
from service.errors import PeerError
from service.tally import Tally
from service.token_bucket import Debt
from service.wire.protocol import ByeReply, ErrorReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from service.accounts.authentication import Accounts
    from service.accounts.limiter import Limiter
    from service.accounts.shares import Shares
    from service.chat.presence import Roster
    from service.chat.receipts import Receipts
    from service.config import Settings
    from service.delivery.loop import Delivery
    from service.delivery.outbox import Amend, Outbox
    from service.delivery.run import Note
    from service.errors import ErrorCode
    from service.motd import Motd
    from service.origin import Origin
    from service.storage.contract import Storage, Write
    from service.turns import Turns
    from service.wire.protocol import Command, Event, Reply

_log: Final = logging.getLogger("chat.session")


class Account(NamedTuple):
    """The account of a session, and how the client logged in."""

    id: int
    name: str
    last_id: int  # the seam: later messages are sent live
    confirm: bool  # the client reports itself what the user has seen
    quiet: bool = False  # the session announces nobody; it is no sign that somebody is there
    rooms: bool = False  # the client knows rooms
    presence: bool = False  # it is told of changes in place of lists of users
    token_hash: bytes | None = None  # of the token that the session came by, or got


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the service that sessions use."""

    settings: Settings
    motd: Motd
    storage: Storage
    logins: Turns  # from the place in the order of the writes to the reply
    pages: Turns
    searches: Turns
    indexing: Turns  # for threads that fill the search index before a search
    accounts: Accounts
    limiter: Limiter
    shares: Shares | None
    receipts: Receipts
    delivery: Delivery
    roster: Roster[Session]
    now: Callable[[], float]  # a monotonic clock in seconds, for rates
    losses: Losses = field(default_factory=Losses)
    # Messages, by kind; counted by chat-delivery.
    stored: dict[str, int] = field(default_factory=lambda: {"public": 0, "room": 0, "direct": 0})
    refused: Tally = field(default_factory=Tally)  # errors that clients were told, by their code

    def turn_away(self, reason: str, code: ErrorCode = "too_many_connections") -> tuple[ErrorReply, ByeReply]:
        """Returns the last events for a client that gets no place, or loses it; counts the refusal."""
        error = ErrorReply(code=code, message=reason, fatal=True)
        self.refused.add(error.code)
        return error, ByeReply(reason="kicked")


class Session:
    """One client, from the greeting to the last event.

    Its connection thread calls everything here, except the methods under "on the delivery thread".
    """

    def __init__(self, services: Services, outbox: Outbox, peer: str, origin: Origin) -> None:
        """`peer` is for the log; `origin` is the address for the limits."""
        self.services = services
        self.outbox = outbox
        self.peer = peer
        self.origin = origin
        self.account: Account | None = None  # `enter` sets it once
        self.is_entering = False  # during a check of a password or token: the client keeps its place until the answer
        self.unended = 0  # bytes of a line without its newline, before the login
        self.is_late = False  # its login time is over: the current command is the last, unless it logs in
        self.last_write: Write[Any] | None = None  # the newest write whose reply may be under way
        self.ended = False
        self._debt = Debt(services.now)  # for costs beyond the shares

    def greet(self) -> None:
        self.reply(greeting(self.services.settings))

    def logged_in_account(self) -> Account:
        """Returns the account; for commands that need a login."""
        assert self.account is not None  # noqa: S101 (the table of commands ensures it)
        return self.account

    @property
    def knows_rooms(self) -> bool:
        """Whether its client is told of rooms."""
        return self.account is not None and self.account.rooms

    def explain(self, error: Exception, command: Command | None = None) -> ErrorReply:
        """Returns the reply for an error of a command, or of the connection; counts the refusal. From any thread."""
        reply = explain(error, command, self.peer, self.services.settings.contact)
        self.services.refused.add(reply.code)
        return reply

    # -- what it takes ------------------------------------------------------------------------------------------------
    def delay(self) -> float:
        """Returns the seconds for which the client must not be read from, because its shares are used up."""
        return self._debt.left()

    def charge_bytes(self, size: int, records: int) -> None:
        """Charges received bytes, and TLS records or frames, to the shares, before they are processed."""
        self.charge(RECEIVE_COST + size / RECEIVE_COST_BYTES + records * RECORD_COST)

    def charge(self, cost: float) -> None:
        """Charges so many commands to the shares. Before the login all costs count as commands."""
        shares = self.services.shares
        if shares is None:
            return
        if self.account is None:
            self._debt.owe(shares.knock(self.origin, cost))
        else:
            self._debt.owe(shares.read(self.origin, self.account.id, cost))

    def charge_login(self, rooms: int) -> None:
        """Charges a login that told of so many rooms, to the address: whoever comes again has a new session."""
        if self.services.shares is not None:
            self._debt.owe(self.services.shares.knock(self.origin, rooms * ROOM_COST))

    def charge_message(self, size: int) -> None:
        """Charges a message of so many bytes to the shares."""
        if self.account is None:
            self.charge(1)
        elif self.services.shares is not None:
            cost = max(1.0, size / MESSAGE_BYTES)
            self._debt.owe(self.services.shares.talk(self.origin, self.account.id, cost))

    # -- the order of replies -----------------------------------------------------------------------------------------
    def settle(self) -> None:
        """Waits until this session's writes are stored and their replies under way."""
        if self.last_write is not None:
            self.services.storage.wait(self.last_write)
            self.last_write = None

    def settle_receipts(self, user_id: int) -> None:
        """Submits the notes of what the user's sessions were sent and did not confirm; later writes follow it."""
        receipts = self.services.receipts
        if receipts.are_expected(user_id):
            # A client can have read a line before the delivery thread has noted that it was sent.
            self.services.delivery.settle()
        self.last_write = receipts.store(user_id) or self.last_write

    def reply(self, event: Event, note: Note | None = None, amend: Amend = None) -> None:
        """Sends an event, after the replies to all earlier commands. `note` says what it shows.

        `amend` can give another in its place once it is its turn, on the delivery thread.
        """
        self.settle()
        self.outbox.reply(event, note, amend)
        if self.outbox.must_wait():
            self.services.storage.release()  # a client that does not read must not block readers of the database
            self.outbox.wait_for_space()

    def reply_to(self, command: Command, reply: Reply, note: Note | None = None, amend: Amend = None) -> None:
        """Sends the reply to a command, with its `ref`."""
        reply.ref = command.ref
        self.reply(reply, note, amend)

    def reply_live(self, command: Command, make_reply: Callable[[], Reply]) -> None:
        """Sends a reply that the delivery thread makes: made here it could arrive after newer events."""
        self.settle()
        self.services.delivery.run(self._append_live, (command, make_reply))

    # -- the end ------------------------------------------------------------------------------------------------------
    def refuse(self, error: PeerError) -> None:
        """Ends a session for a fault of its client, which no command has made."""
        if not self.ended:
            self.reply(self.explain(error))
            self.end("kicked")

    def fail(self, error: Exception) -> None:
        """Ends a session after a bug outside a command; tells the client, if possible."""
        self.services.delivery.post(self._leave, self._last_words(error))

    def end(self, reason: Literal["exit", "kicked", "logout"] | None = None, ref: str | UnsetType = UNSET) -> None:
        """Ends the session, with a `bye` if there is a reason; stores all accepted messages first. Idempotent."""
        if self.ended:
            return
        self.ended = True
        self.settle()
        self.services.delivery.post(self._leave, () if reason is None else (ByeReply(reason=reason, ref=ref),))
        if self.account is not None:
            _log.info("logout %s %s", self.account.name, self.peer)
            self.services.receipts.store(self.account.id)
            self.services.storage.note_presence(self.account.id, format_time(utcnow()))

    # -- on the delivery thread ---------------------------------------------------------------------------------------
    def enter(self, account: Account, room_ids: Iterable[int] = ()) -> bool:
        """Lets the client in: it joins the roster, and gets what is for everyone from now on, and for these rooms.

        Returns whether the name is new in the roster.
        """
        self.account = account
        if not (account.confirm or account.quiet):
            receipts = self.services.receipts
            receipts.expect(account.id)
            self.outbox.report_written(
                partial(receipts.note, account.id), at_close=partial(receipts.expect_no_more, account.id)
            )
        self.services.delivery.join(self.outbox, presence=account.presence, rooms=account.rooms)
        for room_id in room_ids:
            self.services.delivery.enter_room(room_id, self.outbox)
        return self.services.roster.add(account.id, account.name, self, quiet=account.quiet)

    def refuse_write(self, command: Command, error: Exception) -> None:
        """Answers a command of which nothing was stored; the `refused` of its write."""
        self.outbox.append(self.explain(error, command))

    def kick(self, reason: Literal["shutdown", "password_changed", "kicked", "logout"]) -> None:
        """Ends the session from outside, with a `bye`; its connection thread then finds the end of the stream."""
        self._leave((ByeReply(reason=reason),))

    def give_way(self) -> None:
        """Ends the session from outside, because its place is needed and its account has many others."""
        if not self.outbox.closing:
            _log.info("ended %s: its place was needed, and its account has many", self.peer)
            reason = "this account is logged in many times and others needed a place; its oldest session ends"
            self._leave(self.services.turn_away(reason))

    def drop(self, reason: str) -> bool:
        """Ends the session from outside at once, because its place is needed; returns False during a login."""
        if self.account is not None or self.is_entering:
            return False
        if not self.outbox.closing:
            self._leave(self.services.turn_away(reason))
            self.services.delivery.flush(self.outbox)
            self.outbox.give_up()
        return True

    def expire(self) -> None:
        """Ends a session whose login time is over; a login under way may finish, but no other command.

        The caller repeats this until the session has ended.
        """
        self.is_late = True
        if self.account is None and not self.is_entering and not self.outbox.closing:
            seconds = self.services.settings.login_timeout
            what = f"no login within {seconds:g} seconds"
            if self.unended:  # never the bytes themselves: they may hold a password
                what += f"; {self.unended:,} bytes came without the newline that ends a command"
            self._leave(self._last_words(PeerError("login_timeout", what)))

    def _leave(self, last_events: Sequence[Event]) -> None:
        self.services.delivery.leave(self.outbox)
        if self.account is not None and self.services.roster.remove(self.account.id, self):
            self.services.delivery.announce()
        self.outbox.finish(*last_events)

    def _last_words(self, error: Exception) -> Sequence[Event]:
        reply = self.explain(error)
        reply.fatal = True
        return reply, ByeReply(reason="kicked")

    def _append_live(self, asked: tuple[Command, Callable[[], Reply]]) -> None:
        command, make_reply = asked
        reply = make_reply()
        reply.ref = command.ref
        self.outbox.append(reply)
