"""The command `delete`, and what follows the commit of a deletion: everyone who may read the message is told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET

from service.chat.rooms import check_line
from service.wire.protocol import AckReply, DeletedEvent

if TYPE_CHECKING:
    from msgspec import UnsetType

    from service.chat.session import Services, Session
    from service.storage.records import Deleted
    from service.wire.protocol import Delete


def delete(session: Session, command: Delete) -> None:
    """Submits the deletion; the ack follows its commit, in the order of the messages."""
    reason = None if command.reason is UNSET else command.reason
    check_line("reason", reason)
    session.last_write = session.services.storage.delete_message(
        session.logged_in_account().id,
        command.id,
        reason,
        done=partial(_acknowledge, session, command),
        refused=partial(session.refuse_write, command),
    )


def _acknowledge(session: Session, command: Delete, deleted: Deleted) -> None:
    """Runs on the delivery thread, after the commit."""
    ack = AckReply(command="delete", id=command.id, ref=command.ref)
    account = session.logged_in_account()
    tell(session.services, deleted, session.services.roster.name_of(account.id, account.name), session, ack)


def tell(
    services: Services,
    deleted: Deleted,
    by: str | UnsetType = UNSET,
    asker: Session | None = None,
    ack: AckReply | None = None,
) -> None:
    """Tells all sessions of those who may read the message, and gives the asker the ack in place of that.

    Nobody is told of a second deletion. On the delivery thread.
    """
    outbox = None if asker is None else asker.outbox
    event = DeletedEvent(deleted.id, deleted.time, by, UNSET if deleted.room is None else deleted.room.name)
    if deleted.fresh:
        services.losses.add_text(deleted.id, deleted.time)
        if deleted.room is not None:
            services.delivery.broadcast_to(deleted.room.id, event, outbox, ack)
            return
        if deleted.reader_ids is None:
            services.delivery.broadcast(event, 0, outbox, ack)
            return
    if outbox is not None and ack is not None:
        outbox.append(ack)
    if deleted.fresh and deleted.reader_ids is not None:
        readers = [
            session.outbox
            for user_id in dict.fromkeys(deleted.reader_ids)
            for session in services.roster.sessions_of(user_id)
            if session is not asker
        ]
        services.delivery.send(event, readers)
