"""service/token_bucket.py: token buckets, one and many."""

from __future__ import annotations

import pytest

from service.token_bucket import MAX_DEBT, Debt, TokenBucket, TokenBuckets


class Clock:
    """Seconds that grow when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_bucket_is_full_at_first_and_refills(clock: Clock) -> None:
    """The burst can be spent at once; then it comes back at the rate, and never beyond the burst."""
    bucket = TokenBucket(rate=2, burst=3, now=clock)
    for _ in range(3):
        assert bucket.wait_for(1) == 0
        bucket.spend()
    assert bucket.wait_for(1) == pytest.approx(0.5)
    clock.seconds += 0.5
    assert bucket.wait_for(1) == pytest.approx(0)
    clock.seconds += 3_600
    assert [bucket.wait_for(3), bucket.wait_for(4)] == pytest.approx([0, 0.5])


def test_what_was_owed_flows_in_first(clock: Clock) -> None:
    """What was spent beyond the bucket's content must flow in before there is anything."""
    bucket = TokenBucket(rate=10, burst=1, now=clock)
    bucket.spend(21)
    assert [bucket.wait_for(0), bucket.wait_for(1)] == pytest.approx([2.0, 2.1])


def test_each_key_has_its_own_bucket(clock: Clock) -> None:
    """What one spends, no other misses."""
    buckets = TokenBuckets(rate=1, burst=1, now=clock)
    buckets.spend("a")
    assert (buckets.wait_for_one("a"), buckets.wait_for_one("b")) == (1, 0)


def test_only_so_many_keys_are_remembered(clock: Clock) -> None:
    """Beyond the limit the one not used for longest starts afresh; memory is bounded."""
    buckets = TokenBuckets(rate=1, burst=1, most=2, now=clock)
    for key in ("a", "b", "a", "c"):
        buckets.spend(key)
    assert [buckets.wait_for_one(key) for key in ("a", "b", "c")] == [2, 0, 1]


def test_what_is_owed_has_a_bound(clock: Clock) -> None:
    """A client that takes far too much and goes leaves others of the same key no more than so long a wait."""
    bucket = TokenBucket(rate=10, burst=1, now=clock)
    assert bucket.spend(1e9) == pytest.approx(MAX_DEBT)
    clock.seconds += MAX_DEBT
    assert bucket.spend(0) == 0


def test_a_debt_is_the_longest_of_its_waits(clock: Clock) -> None:
    """A short wait does not cut a long one; a wait of nothing changes nothing; what has passed is over."""
    debt = Debt(clock)
    assert debt.left() == 0
    for seconds in (5, 2, 0):
        debt.owe(seconds)
    clock.seconds += 1
    assert debt.left() == pytest.approx(4)
    debt.owe(10)
    assert debt.left() == pytest.approx(10)
    clock.seconds += 10
    assert debt.left() == 0
