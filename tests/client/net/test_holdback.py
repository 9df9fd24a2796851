"""Events that wait for their turn."""

from __future__ import annotations

from client.net.holdback import Holdback
from service.wire.protocol import AnyCommand, AnyEvent, BroadcastEvent, DirectEvent, Pm, PongReply


def public(message_id: int) -> BroadcastEvent:
    return BroadcastEvent(id=message_id, time="", from_="bob", message="hi")


def direct(message_id: int) -> DirectEvent:
    return DirectEvent(id=message_id, time="", from_="bob", to="alice", message="hi")


def test_events_come_out_as_they_went_in() -> None:
    """In their order, with their commands, once."""
    holdback = Holdback(10)
    events: list[tuple[AnyEvent, AnyCommand | None]] = [
        (public(11), None),
        (PongReply(time=""), Pm(message="x")),
        (direct(12), None),
    ]
    for event, request in events:
        holdback.add(event, request)
    assert holdback.take() == events
    assert holdback.take() == []
    assert holdback.take_overrun() == 0


def test_too_many_messages_are_dropped() -> None:
    """All live messages go, and the last id says up to where to fetch; replies stay, and later messages are kept."""
    holdback = Holdback(2)
    events: list[AnyEvent] = [PongReply(time="one"), public(11), direct(12), public(13)]
    for event in events:
        holdback.add(event, None)
    assert holdback.take() == [(PongReply(time="one"), None), (public(13), None)]
    assert (holdback.take_overrun(), holdback.take_overrun()) == (12, 0)


def test_replies_alone_are_never_dropped() -> None:
    """They cannot be fetched by id."""
    holdback = Holdback(1)
    for number in range(5):
        holdback.add(PongReply(time=str(number)), None)
    assert len(holdback.take()) == 5
    assert holdback.take_overrun() == 0
