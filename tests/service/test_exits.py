"""service/exits.py: who has read why a program ends, and who needs its status."""

from __future__ import annotations

import os

import pytest

from service.exits import VARIABLE, told
from tests.support.helpers import ROOT


@pytest.mark.parametrize(
    ("is_made", "terminals", "status"),
    [(True, {0, 1, 2}, 0), (False, {0, 1, 2}, 3), (True, {1, 2}, 3), (True, {0, 1}, 3), (True, set(), 3)],
)
def test_only_who_reads_it_needs_no_status(
    monkeypatch: pytest.MonkeyPatch, is_made: bool, terminals: set[int], status: int
) -> None:
    """A user at a terminal, under make; a script has at least one stream elsewhere."""
    monkeypatch.setattr(os, "isatty", terminals.__contains__)
    if is_made:
        monkeypatch.setenv(VARIABLE, "1")
    assert told(3) == status
    assert told(0) == 0


def test_the_makefile_sets_that_variable() -> None:
    """By the same name."""
    assert f"run_server run_client: export {VARIABLE} = 1" in (ROOT / "Makefile").read_text()
