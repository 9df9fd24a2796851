"""The attacks of the benchmarks: a small one gives every figure, and the table says what was missed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.attacks import oracle, report, stage
from benchmarks.attacks.__main__ import main
from benchmarks.attacks.cells import ATTACKS
from benchmarks.attacks.party import Clock, Over
from benchmarks.attacks.victim import Series
from tests.support.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["pages", "key-updates-1", "room-topics"])
def test_an_attack_gives_every_figure(name: str, tmp_path: Path) -> None:
    """Against the service itself, for a moment; the attacker gets something done, and so do the victims."""
    plan, histories = ATTACKS[name]._replace(connections=5, history=0), stage.Histories(tmp_path)
    row = stage.run(plan, histories, turn=250.0, ramp=0.3, seconds=1.0)
    assert set(row.figures) > {target.metric for target in report.TARGETS}
    positive = {name for name, figure in row.figures.items() if figure > 0}
    assert positive >= set(row.figures) - {"cut off", "refused"}
    line = report.render_row(name, ATTACKS[name], row)
    assert line.startswith(name)
    assert ATTACKS[name].unit in line


def test_what_has_no_answer_counts_with_its_time_so_far() -> None:
    """A victim that waits in vain is not left out of the figures."""
    clock = Clock()
    series = Series(clock)
    clock.counts_from = 0.0
    series.time(lambda: None)

    def wait_in_vain() -> None:
        clock.end = time.perf_counter() + 0.5
        raise Over

    with pytest.raises(Over):
        series.time(wait_in_vain)
    times, is_cut_short = series.result()
    assert is_cut_short
    assert len(times) == 2
    assert times[1] >= 500


def test_a_row_says_what_was_missed() -> None:
    """By the names of the targets; what was not over has a mark."""
    plan, figures = ATTACKS["pages"], {target.metric: target.number for target in report.TARGETS}
    figures |= {"page p50 ms": 1, "login p50 ms": 1, "login max ms": 1, "done": 12_345, "refused": 3, "generator %": 80}
    row = stage.Row(figures, frozenset(), {})
    assert report.render_row("pages", plan, row).endswith("  hold (generator 80 %)")
    row = stage.Row(figures | {"page max ms": 8_000.0, "cut off": 2}, frozenset({"page max ms"}), {"carl": 2})
    line = report.render_row("pages", plan, row)
    assert line.endswith("  MISSED: page max, cut off (carl 2) (generator 80 %)")
    assert " >8,000 " in line
    assert "12,345 answers" in line
    assert report.render_end([(plan, row), (ATTACKS["oracle"], row)]).startswith("8 of 13 targets hold.")


def test_an_unknown_attack_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """With all that there are; the README has them, too."""
    assert main("flood") == 2
    listed = capsys.readouterr().err
    text = (ROOT / "benchmarks" / "README.txt").read_text()
    for name, plan in ATTACKS.items():
        assert f"  {name:17} {plan.description}\n" in listed
        assert name in text
    for path in (ROOT / "benchmarks" / "attacks").glob("*.py"):
        assert path.name == "__init__.py" or f"  {path.name}" in text


def test_the_secret_is_looked_for_in_vain_at_first() -> None:
    """No letter of it is known before."""
    assert oracle.SECRET.startswith(oracle.KNOWN)
    assert len(oracle.SECRET) > len(oracle.KNOWN)
