"""Messages that have no ack yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from msgspec import UNSET

from client.net.pending import Pending
from service.wire.protocol import Dm, ErrorReply, Pm

if TYPE_CHECKING:
    from client.net.connection import Connection

FIRST, SECOND = cast("Connection", object()), cast("Connection", object())


def test_each_message_has_a_nonce() -> None:
    """One of its own, unless it has one already."""
    pending = Pending()
    nonces = {pending.add(Pm(message="x"), None).command.nonce for _ in range(5)}
    assert len(nonces) == 5
    assert all(isinstance(nonce, str) and nonce for nonce in nonces)
    assert pending.add(Pm(message="x", nonce="n"), None).command.nonce == "n"


def test_they_stand_in_the_order_of_sending_until_their_ack() -> None:
    """An ack for a message that is not there does no harm."""
    pending = Pending()
    texts = [pending.add(command, None) for command in (Pm(message="a"), Dm(to="bob", message="b"), Pm(message="c"))]
    pending.remove(texts[1].command)
    pending.remove(Pm(message="x", nonce="unknown"))
    assert [command.message for command in pending.commands()] == ["a", "c"]
    assert len(pending) == 2


def test_a_message_goes_over_each_connection_once() -> None:
    """A new connection gets all that wait; the same one gets only what came later."""
    pending = Pending()
    pending.add(Pm(message="a"), FIRST)
    pending.add(Pm(message="b"), None)
    assert [message.command.message for message in pending.move_to(FIRST)] == ["b"]
    assert [message.command.message for message in pending.move_to(SECOND)] == ["a", "b"]
    assert pending.move_to(SECOND) == []


def test_what_may_be_stored_stays_until_that_is_known() -> None:
    """A try of which nothing was stored does not settle an earlier one; it rests between two."""
    pending = Pending()
    pm, other = pending.add(Pm(message="a"), FIRST).command, pending.add(Pm(message="b"), FIRST).command
    nothing, maybe = (ErrorReply(code="storage_unavailable", message="", maybe=maybe) for maybe in (UNSET, True))
    assert not pending.keep_unsure(other, nothing)
    for reply in (maybe, nothing, maybe):
        assert pending.keep_unsure(pm, reply)
        assert [message.command for message in pending.take_resting()] == [pm]
        assert not pending.any_rests
    assert not pending.keep_unsure(pm, ErrorReply(code="muted", message=""))
    assert not pending.keep_unsure(Pm(message="x", nonce="unknown"), maybe)


def test_what_rests_goes_with_the_next_connection() -> None:
    """Once."""
    pending = Pending()
    message = pending.add(Pm(message="a"), FIRST)
    pending.keep_unsure(message.command, ErrorReply(code="storage_unavailable", message="", maybe=True))
    assert pending.move_to(SECOND) == [message]
    assert pending.take_resting() == []


def test_at_the_end_all_go() -> None:
    """So that each reply to come can fail."""
    pending = Pending()
    message = pending.add(Pm(message="a"), None)
    assert pending.take_all() == [message]
    assert len(pending) == 0


@pytest.mark.parametrize(
    ("command", "sent_on", "is_stray"),
    [
        (Pm(message="x"), None, False),
        (Dm(to="ops", message="x"), None, False),
        (Pm(room="ops", created="t1", message="x"), None, False),
        (Pm(room="ops", message="x"), None, False),
        (Pm(room="ops", created="t0", message="x"), None, True),
        (Pm(room="lab", created="t1", message="x"), None, True),
        (Pm(room="lab", message="x"), None, True),
        (Pm(room="ops", created="t0", message="x"), FIRST, False),
    ],
)
def test_what_waits_for_a_room_that_is_another_one_goes(
    command: Pm | Dm, sent_on: Connection | None, is_stray: bool
) -> None:
    """But not what was sent before: only a retry tells whether it was stored."""
    pending = Pending()
    message = pending.add(command, sent_on)
    assert pending.take_stray({"ops": "t1"}) == ([message] if is_stray else [])
    assert len(pending) == 1 - is_stray
