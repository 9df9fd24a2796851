"""The state for everyone: who is given it, in which slices, and how soon the next one follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.config import STATE_CROWD, STATE_PACE, STATE_PACE_CROWD, STATE_PACE_MIN, STATE_SHARE
from service.delivery import snapshot as state_module
from service.delivery.snapshot import NEVER, StatePush

if TYPE_CHECKING:
    from tests.support.delivery import StillDelivery


def test_a_state_goes_out_in_slices(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice ends at so many bytes, so that messages need not wait for all of a push; each member gets it once."""
    line = b"state\n"
    monkeypatch.setattr(state_module, "STATE_SLICE", 2 * len(line))
    peers = delivery.connect_members(5)
    push, slices = StatePush(), 0
    push.begin(line, [peer.outbox for peer in peers], now=0.0)
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
    push = StatePush()
    push.begin(b"state\n", [stays.outbox, goes.outbox], now=0.0)
    delivery.leave(goes.outbox)
    push.push_slice()
    for peer in (stays, goes):
        peer.outbox.finish()
    delivery.go()
    assert (stays.read_to_end(), goes.read_to_end()) == (b"state\n", b"")


@pytest.mark.parametrize(
    ("cost", "crowd", "pace"),
    [
        (0.0, 0, STATE_PACE_MIN),
        (STATE_PACE_MIN * STATE_SHARE, 0, STATE_PACE_MIN),
        (0.3 * STATE_SHARE, 0, 0.3),
        (9.0, 0, STATE_PACE),
        (9.0, STATE_CROWD, STATE_PACE),
        (0.3 * STATE_SHARE, STATE_CROWD + 1, 0.3),
        (9.0, STATE_CROWD + 1, STATE_PACE_CROWD),
    ],
)
def test_the_pace_is_set_by_the_cost(
    cost: float, crowd: int, pace: float, delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushes take their share of the time and no more, but for the longest pace, which a larger crowd has longer."""
    (peer,) = delivery.connect_members(1)
    push = StatePush()
    push.begin(b"state\n", [peer.outbox] * max(crowd, 1), now=100.0)
    push._left.clear()
    push.charge(cost)
    assert push.due_at() == NEVER
    push.is_due = True
    assert push.due_at() == pytest.approx(100.0 + pace)
