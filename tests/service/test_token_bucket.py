"""service/token_bucket.py: token buckets, one and many."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from service import token_bucket as budget_module
from service.config import MAX_DEBT
from service.token_bucket import Budget, Budgets

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory


def test_a_budget_is_full_at_first_and_refills(clock: FrozenDateTimeFactory) -> None:
    """The burst can be spent at once; then it comes back at the rate, and never beyond the burst."""
    budget = Budget(rate=2, burst=3)
    for _ in range(3):
        assert budget.wait_for(1) == 0
        budget.spend()
    assert budget.wait_for(1) == pytest.approx(0.5)
    clock.tick(timedelta(seconds=0.5))
    assert budget.wait_for(1) == pytest.approx(0)
    clock.tick(timedelta(hours=1))
    assert [budget.wait_for(3), budget.wait_for(4)] == pytest.approx([0, 0.5])


def test_a_debt_is_paid_back_first(clock: FrozenDateTimeFactory) -> None:
    """What was spent beyond the budget must flow in before there is anything."""
    budget = Budget(rate=10, burst=1)
    budget.spend(21)
    assert [budget.wait_for(0), budget.wait_for(1)] == pytest.approx([2.0, 2.1])


def test_a_clock_set_back_takes_nothing_away(clock: FrozenDateTimeFactory) -> None:
    """What was there is there still, and refills from the new time on."""
    budget = Budget(rate=1, burst=10)
    budget.spend(9)
    clock.tick(timedelta(hours=-1))
    assert budget.wait_for(1) == 0
    clock.tick(timedelta(seconds=2))
    assert budget.wait_for(3) == 0


def test_each_key_has_its_own_budget(clock: FrozenDateTimeFactory) -> None:
    """What one spends, no other misses."""
    budgets = Budgets(rate=1, burst=1)
    budgets.spend("a")
    assert (budgets.wait_for_one("a"), budgets.wait_for_one("b")) == (1, 0)


def test_only_so_many_keys_are_remembered(clock: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the one not used for longest starts afresh; memory is bounded."""
    monkeypatch.setattr(budget_module, "LIMITED_KEYS", 2)
    budgets = Budgets(rate=1, burst=1)
    for key in ("a", "b", "a", "c"):
        budgets.spend(key)
    assert [budgets.wait_for_one(key) for key in ("a", "b", "c")] == [2, 0, 1]


def test_a_debt_has_a_bound(clock: FrozenDateTimeFactory) -> None:
    """Who takes far too much and goes leaves others of the same key no more than so long a wait."""
    budget = Budget(rate=10, burst=1)
    assert budget.spend(1e9) == pytest.approx(MAX_DEBT)
    clock.tick(timedelta(seconds=MAX_DEBT))
    assert budget.spend(0) == 0
