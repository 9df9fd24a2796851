"""What follows the commit of a message: its ack, and its way to everyone whom it is for. On the delivery thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.delivery.run import Note
from service.storage.sqlite import messages
from service.wire import protocol
from service.wire.protocol import AckReply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.chat.session import Session

AnyPost = protocol.Pm | protocol.Dm
Posted = tuple[AnyPost, "str | None", messages.Post]  # a command, its recipient's name, what to store


class Account(NamedTuple):
    """Who is logged in, in one session."""

    id: int
    name: str
    last_id: int  # the seam: what came later was sent live
    confirm: bool  # the client says itself what was seen


def deliver(session: Session, sender: Account, posts: Sequence[Posted], outcomes: object) -> None:
    """After the commit: the sender gets the acks, and the others the messages, but for those that were retries."""
    if not isinstance(outcomes, list):
        for command, _, _ in posts:
            session.outbox.append(session.explain(outcomes, command))
        return
    for (command, to, post), outcome in zip(posts, outcomes, strict=True):
        if not isinstance(outcome, messages.Receipt):
            session.outbox.append(session.explain(outcome, command))
        elif to is None or post.recipient_id is None:
            _deliver_public(session, sender, command, post.body, outcome)
        else:
            _deliver_direct(session, sender, command, post.body, outcome, to, post.recipient_id)


def _deliver_public(session: Session, sender: Account, command: AnyPost, text: str, stored: messages.Receipt) -> None:
    ack = AckReply(command="pm", id=stored.id, time=stored.time, nonce=command.nonce, ref=command.ref)
    if stored.fresh:
        event = protocol.BroadcastEvent(stored.id, stored.time, sender.name, text)
        session.services.delivery.broadcast(event, stored.id, session.outbox, ack)
    else:
        session.outbox.append(ack)


def _deliver_direct(
    session: Session,
    sender: Account,
    command: AnyPost,
    text: str,
    stored: messages.Receipt,
    to: str,
    recipient_id: int,
) -> None:
    roster = session.services.roster
    receivers = [other for other in roster.sessions_of(recipient_id) if other is not session]
    status = "delivered" if receivers or stored.seen else "stored"
    session.outbox.append(
        AckReply(
            command="dm",
            id=stored.id,
            time=stored.time,
            to=to,
            status=status,
            nonce=command.nonce,
            ref=command.ref,
        )
    )
    if not stored.fresh:
        return
    event, send = protocol.DirectEvent(stored.id, stored.time, sender.name, to, text), session.services.delivery.send
    send(event, [other.outbox for other in receivers], Note(direct_ids=(stored.id,)))
    if recipient_id != sender.id:
        send(event, [other.outbox for other in roster.sessions_of(sender.id) if other is not session])
