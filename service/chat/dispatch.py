"""The table of commands, and how one is done: charged, allowed or not, and answered. Knows what no command does.

Called on the connection thread of its client, with one command after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from service.chat import commands, deletion, entering, moderation, reading, rooms, seen
from service.chat.fanout import Batch, Posted
from service.config import ACT_COST, POSTS_AT_ONCE, SEARCH_COST
from service.errors import PeerError
from service.wire import protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.chat.session import Account, Session

_log: Final = logging.getLogger("chat.session")

# What a command comes to: a message to store; a reply; one that the delivery thread makes; None if the handler, or what
# follows a commit, has it sent.
Outcome = Posted | protocol.Reply | Callable[[], protocol.Reply] | None


class Rule(Struct, frozen=True):
    """A command: what does it, what it needs, and what it takes of READ_RATE; 0: it counts as a message."""

    handler: Callable[[Session, Any], Outcome]
    needs: Literal["no login", "login", "nothing"]
    cost: int = 1


COMMANDS: Final[Mapping[type[protocol.Command], Rule]] = {
    protocol.Login: Rule(entering.log_in, "no login"),
    protocol.Register: Rule(entering.register, "no login"),
    protocol.Resume: Rule(entering.resume, "no login"),
    protocol.Pm: Rule(commands.pm, "login", cost=0),
    protocol.Dm: Rule(commands.dm, "login", cost=0),
    protocol.Users: Rule(commands.list_users, "login"),
    protocol.Missed: Rule(reading.missed, "login"),
    protocol.Seen: Rule(seen.seen, "login"),
    protocol.History: Rule(reading.history, "login"),
    protocol.Search: Rule(reading.search, "login", cost=SEARCH_COST),
    protocol.Since: Rule(reading.since, "login"),
    protocol.Delete: Rule(deletion.delete, "login", cost=ACT_COST),
    protocol.Rooms: Rule(rooms.rooms, "login"),
    protocol.Create: Rule(rooms.create, "login", cost=ACT_COST),
    protocol.Join: Rule(rooms.join, "login", cost=ACT_COST),
    protocol.Leave: Rule(rooms.leave, "login", cost=ACT_COST),
    protocol.Members: Rule(rooms.members, "login"),
    protocol.SetRoom: Rule(rooms.set_room, "login", cost=ACT_COST),
    protocol.Moderate: Rule(moderation.moderate, "login", cost=ACT_COST),
    protocol.Bans: Rule(rooms.bans, "login"),
    protocol.Password: Rule(commands.change_password, "login"),
    protocol.Logout: Rule(commands.log_out, "login"),
    protocol.Ping: Rule(commands.ping, "nothing"),
    protocol.Ex: Rule(commands.end, "nothing"),
}


class Dispatcher:
    """Does the commands of one session, in their order.

    Messages are collected, and go to the writer together; the next command is taken at once. Whatever is not a message
    waits for them first.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._posts: list[Posted] = []  # messages taken and not yet submitted

    def handle(self, command: protocol.Command, size: int) -> None:
        """Does a command, received in so many bytes, and answers it. Not after the end of the session.

        A failure of whatever kind is an answer.
        """
        session = self._session
        try:
            rule = COMMANDS[type(command)]
            if rule.cost:
                _log.debug("%s %s", command.__struct_config__.tag, session.peer)
                session.charge(rule.cost)
                self.submit_posts()
            else:
                session.charge_message(size)
            if rule.needs != "nothing" and (rule.needs == "login") != (session.account is not None):
                raise _not_now(session.account)
            outcome = rule.handler(session, command)
            if isinstance(outcome, Posted):
                self._posts.append(outcome)
                if len(self._posts) >= POSTS_AT_ONCE:
                    self.submit_posts()
            elif outcome is not None:
                self._answer(command, outcome)
        except Exception as error:  # noqa: BLE001 (answered, and logged by `explain` if it is ours)
            self._refuse(error, command)
        finally:
            session.is_entering = False  # not before the answer: a client whose time is over gets that first

    def refuse(self, error: Exception) -> None:
        """Answers what was received and is no command."""
        self._session.charge(1)
        self._refuse(error)

    def submit_posts(self) -> None:
        """Hands the collected messages to the writer; for the end of a receive, and before a wait."""
        if self._posts:
            posts, self._posts = self._posts, []
            session = self._session
            sender = session.logged_in_account()
            batch = Batch(session, sender, posts)
            session.last_write = session.services.storage.store_posts(
                sender.id, [posted.post for posted in posts], done=batch.deliver, refused=batch.refuse
            )

    def end(self) -> None:
        """Ends the session, after what was accepted. Idempotent."""
        self.submit_posts()
        self._session.end()

    def _answer(self, command: protocol.Command, outcome: protocol.Reply | Callable[[], protocol.Reply]) -> None:
        self.submit_posts()
        if isinstance(outcome, protocol.Reply):
            self._session.reply_to(command, outcome)
        else:
            self._session.reply_live(command, outcome)

    def _refuse(self, error: Exception, command: protocol.Command | None = None) -> None:
        self.submit_posts()
        self._session.reply(self._session.explain(error, command))


def _not_now(account: Account | None) -> PeerError:
    if account is None:
        return PeerError("not_logged_in", 'log in first: {"command":"login","username":"…","password":"…"}')
    return PeerError("already_logged_in", f'you are logged in as "{account.name}" already')
