"""What follows the commit of a message: its ack, and its way to its readers. On the delivery thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct

from service.delivery.run import Note
from service.storage.records import Post, Stored, UnknownUser
from service.wire.protocol import AckReply, BroadcastEvent, DirectEvent, Dm, Pm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.chat.session import Account, Session
    from service.delivery.outbox import Outbox
    from service.storage.records import Outcome


class Posted(Struct, frozen=True):
    """A message that a command asks to store; `to` is the recipient's name, None for one to a room."""

    command: Pm | Dm
    to: str | None
    post: Post


class Batch(Struct):
    """Messages of one session that are stored together. Its methods are what follows, on the delivery thread."""

    session: Session
    sender: Account
    posts: Sequence[Posted]

    def refuse(self, error: Exception) -> None:
        """After a failure of the storage: the sender gets it as the answer to each."""
        for posted in self.posts:
            self.session.refuse_write(posted.command, error)

    def deliver(self, outcomes: Sequence[Outcome]) -> None:
        """After the commit: the sender gets the acks, and the others the messages, except those that were retries."""
        session, sender = self.session, self.sender
        name = session.services.roster.name_of(sender.id, sender.name)
        for posted, outcome in zip(self.posts, outcomes, strict=True):
            if not isinstance(outcome, Stored):
                # Of who is unknown the storage knows the id only.
                error = UnknownUser(posted.to or name) if isinstance(outcome, UnknownUser) else outcome
                session.refuse_write(posted.command, error)
            elif posted.to is None:
                _deliver_to_room(session, name, posted, outcome)
            else:
                _deliver_direct(session, sender.id, name, posted, outcome, posted.to)


def _deliver_to_room(session: Session, sender: str, posted: Posted, stored: Stored) -> None:
    """Delivers a message to the main room, or to another one."""
    command, post, services = posted.command, posted.post, session.services
    room = UNSET if post.room is None else post.room
    ack = AckReply(command="pm", id=stored.id, time=stored.time, nonce=command.nonce, room=room, ref=command.ref)
    if not stored.fresh:
        session.outbox.append(ack)
        return
    event = BroadcastEvent(stored.id, stored.time, sender, post.body, post.kind or UNSET, room)
    if stored.room_id is None:
        services.stored["public"] += 1
        services.delivery.broadcast(event, stored.id, session.outbox, ack)
    else:
        services.stored["room"] += 1
        services.delivery.broadcast_to(stored.room_id, event, session.outbox, ack)


def _deliver_direct(
    session: Session, sender_id: int, sender: str, posted: Posted, stored: Stored, known_as: str
) -> None:
    roster, command, recipient_id = session.services.roster, posted.command, posted.post.recipient_id
    assert recipient_id is not None  # noqa: S101 (only a message to a room has none)
    receivers = [other.outbox for other in roster.sessions_of(recipient_id) if other is not session]
    session.outbox.append(direct_ack(session, command, stored, recipient_id, known_as))
    if not stored.fresh:
        return
    session.services.stored["direct"] += 1
    copies: list[Outbox] = []
    if recipient_id != sender_id:
        copies = [other.outbox for other in roster.sessions_of(sender_id) if other is not session]
    if receivers or copies:
        to = roster.name_of(recipient_id, known_as)
        event = DirectEvent(stored.id, stored.time, sender, to, posted.post.body, posted.post.kind or UNSET)
        session.services.delivery.send(event, receivers, Note(0, (stored.id,)), copies)


def direct_ack(session: Session, command: Pm | Dm, stored: Stored, user_id: int, known_as: str) -> AckReply:
    """Returns the ack of a direct message to an account that was known by that name."""
    roster = session.services.roster
    return AckReply(
        command="dm",
        id=stored.id,
        time=stored.time,
        to=roster.name_of(user_id, known_as),
        status="delivered" if stored.seen or roster.is_there(user_id, session) else "stored",
        nonce=command.nonce,
        ref=command.ref,
    )
