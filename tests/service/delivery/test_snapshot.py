"""The state for everyone: who is given it, in which slices, and how soon the next one follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.delivery.snapshot import CROWD, NEVER, PACE, PACE_CROWD, PACE_MIN, SHARE, SnapshotPush
from tests.support.delivery import PLAIN, Line

if TYPE_CHECKING:
    from tests.support.delivery import StillDelivery


def test_a_state_goes_out_in_slices(delivery: StillDelivery) -> None:
    """A slice ends at so many bytes, so that messages need not wait for all of a push; each member gets it once."""
    line = b"state\n"
    peers = delivery.connect_members(5)
    push, slices = SnapshotPush(slice_bytes=2 * len(line)), 0
    push.begin(Line(line), {PLAIN: [peer.outbox for peer in peers]}, now=0.0)
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
    push.begin(Line(b"state\n"), {PLAIN: [stays.outbox, goes.outbox]}, now=0.0)
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
    push.begin(Line(b"state\n"), {PLAIN: [peer.outbox] * max(crowd, 1)}, now=100.0)
    push._left.clear()
    push.charge(cost)
    assert push.due_at() == NEVER
    push.is_due = True
    assert push.due_at() == pytest.approx(100.0 + pace)
