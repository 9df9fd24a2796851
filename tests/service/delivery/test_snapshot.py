"""The state for everyone: who is given it, in which slices, and how soon the next one follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from service.delivery.snapshot import (
    CROWD,
    NEVER,
    PACE,
    PACE_CROWD,
    PACE_MIN,
    SEND_COST,
    SHARE,
    Snapshot,
    SnapshotPush,
)
from tests.support.delivery import FILLER, PLAIN, Line, finish_and_read, with_limits

if TYPE_CHECKING:
    from tests.support.delivery import Peer, StillDelivery

STATE: Final = Snapshot(Line(b"state\n"), Line(b"changes\n"))


@pytest.mark.parametrize(("changes", "line"), [(False, b"state\n"), (True, b"changes\n")])
def test_a_state_goes_out_in_slices(delivery: StillDelivery, line: bytes, *, changes: bool) -> None:
    """A slice ends at so many bytes and sends, so that messages need not wait for all of a push; each gets it once."""
    peers = delivery.connect_members(5)
    for peer in peers:
        peer.outbox.wants_changes = changes
    push, slices = SnapshotPush(slice_bytes=2 * (SEND_COST + len(line))), 0
    push.begin(STATE, {PLAIN: [peer.outbox for peer in peers]}, now=0.0)
    while push.is_under_way:
        push.push_slice()
        slices += 1
    assert slices == 3
    for peer in peers:
        peer.outbox.finish()
    delivery.go()
    assert [peer.read_to_end() for peer in peers] == [line] * 5


def test_who_has_left_meanwhile_gets_no_state(delivery: StillDelivery) -> None:
    """Between two slices a client may go."""
    stays, goes = delivery.connect_members(2)
    push = SnapshotPush()
    push.begin(STATE, {PLAIN: [stays.outbox, goes.outbox]}, now=0.0)
    delivery.leave(goes.outbox)
    push.push_slice()
    for peer in (stays, goes):
        peer.outbox.finish()
    delivery.go()
    assert (stays.read_to_end(), goes.read_to_end()) == (b"state\n", b"")


@pytest.mark.parametrize(
    ("cost", "crowd", "pace"),
    [
        (0.0, 0, PACE_MIN),
        (PACE_MIN * SHARE, 0, PACE_MIN),
        (0.3 * SHARE, 0, 0.3),
        (9.0, 0, PACE),
        (9.0, CROWD, PACE),
        (0.3 * SHARE, CROWD + 1, 0.3),
        (9.0, CROWD + 1, PACE_CROWD),
    ],
)
def test_the_pace_is_set_by_the_cost(cost: float, crowd: int, pace: float, delivery: StillDelivery) -> None:
    """Pushes take their share of the time and no more, but for the longest pace, which a larger crowd has longer."""
    (peer,) = delivery.connect_members(1)
    push = SnapshotPush()
    push.begin(STATE, {PLAIN: [peer.outbox] * max(crowd, 1)}, now=100.0)
    push._left.clear()
    push.charge(cost)
    assert push.due_at() == NEVER
    push.is_due = True
    assert push.due_at() == pytest.approx(100.0 + pace)


# -- changes in place of the whole -------------------------------------------------------------------------------------
@with_limits(pace=0.0)
def test_who_asks_for_changes_gets_these(delivery: StillDelivery) -> None:
    """Others get the whole; each is encoded once for each codec."""
    plain, asking = (delivery.connect() for _ in range(2))
    delivery.join(plain.outbox)
    delivery.join(asking.outbox, presence=True)
    delivery.snapshot, delivery.changes = (lambda: b"state\n"), (lambda: b"changes\n")
    asking.append(b"before\n")
    delivery.announce()
    delivery.go()
    delivery.flushed()
    assert finish_and_read(delivery, plain) == b"state\n"
    assert finish_and_read(delivery, asking) == b"before\nchanges\n"


def test_who_is_behind_gets_one_whole_in_place_of_the_changes(delivery: StillDelivery) -> None:
    """However many pushes it misses; then changes again. Nothing of this takes memory meanwhile."""
    peer = delivery.connect()
    delivery.join(peer.outbox, presence=True)
    peer.block(FILLER)
    waiting = peer.outbox.waiting
    for number in range(3):
        push_to(peer, number)
    assert peer.outbox.waiting == waiting
    got = b""
    while len(got) < len(FILLER):
        peer.outbox.flush()  # as the delivery's own thread stands still
        got += peer.socket.recv(1 << 20)
    push_to(peer, 3)
    assert got + finish_and_read(delivery, peer) == FILLER + b"state 2\nchanges 3\n"


def push_to(peer: Peer, number: int) -> None:
    """Pushes that state to one client."""
    push = SnapshotPush()
    push.begin(Snapshot(Line(b"state %d\n" % number), Line(b"changes %d\n" % number)), {PLAIN: [peer.outbox]}, 0.0)
    push.push_slice()


def test_a_closing_client_gets_no_changes(delivery: StillDelivery) -> None:
    """After the last word comes nothing."""
    peer = delivery.connect()
    delivery.join(peer.outbox, presence=True)
    peer.finish(b"bye\n")
    push_to(peer, 0)
    delivery.go()
    assert peer.read_to_end() == b"bye\n"
