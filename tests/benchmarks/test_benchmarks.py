"""The benchmarks: targets, tables and docs say the same, and the cells run. How fast anything is, no test says."""

from __future__ import annotations

import json
import re
from textwrap import indent
from typing import TYPE_CHECKING, Final

import pytest

from benchmarks import load, postgres, postgres_history, profile, suite
from benchmarks.__main__ import CHART, README, RESULTS, TABLE, main
from benchmarks.cells import Cell, Target
from benchmarks.idle import idle
from benchmarks.postgres import beside_sqlite, two_services
from benchmarks.rooms import in_rooms
from benchmarks.suite import CELLS
from benchmarks.table import Report, render, render_cell
from benchmarks.web import beside_plain
from tests.support.helpers import ROOT
from tests.support.postgres import MissingError

if TYPE_CHECKING:
    from benchmarks.cells import Results
    from tests.support.postgres import Cluster

REPORT: Final[Report] = json.loads(RESULTS.read_text())


@pytest.mark.parametrize(
    ("target", "chat", "ngircd", "holds"),
    [
        (Target("messages/s", ">=", 35_000), 35_000, None, True),
        (Target("messages/s", ">=", 35_000), 34_999, None, False),
        (Target("p99 ms", "<=", 5), 5.1, 3.0, False),
        (Target("p99 ms", "<=", 5), 4.9, None, True),
        (Target("deliveries/s", ">=", 1.2, "ngircd"), 12.1, 10.0, True),
        (Target("deliveries/s", ">=", 1.2, "ngircd"), 11.9, 10.0, False),
        (Target("deliveries/s", ">=", 1.2, "ngircd"), 11.9, None, None),
    ],
)
def test_a_target_holds_or_not(target: Target, chat: float, ngircd: float | None, holds: bool | None) -> None:
    """Against a number, or a peer's figure; without that peer nobody knows."""
    results = {"chat": {target.metric: chat}}
    if ngircd is not None:
        results["ngircd"] = {target.metric: ngircd}
    assert target.holds(results) is holds


def test_a_target_can_be_about_another_cell() -> None:
    """What the figure is of a peer's, beside what it is there; without either nobody knows."""
    target = Target("messages/s", ">=", 0.9, "ngircd", "fan10")
    here: Results = {"chat": {"messages/s": 28.0}, "ngircd": {"messages/s": 100.0}}
    there: Results = {"chat": {"messages/s": 90.0}, "ngircd": {"messages/s": 300.0}}
    assert str(target) == ">= 0.9 x ngircd, as fan10"
    assert target.holds(here, {"fan10": there}) is True
    assert target.holds(here, {"fan10": {**there, "ngircd": {"messages/s": 280.0}}}) is False
    assert target.holds(here, {"fan10": {"chat": there["chat"]}}) is target.holds(here, {}) is None


def test_a_table_shows_each_figure_with_its_target() -> None:
    """The ratio stands beside the two figures, the verdict beside the target."""
    targets = (Target("deliveries/s", ">=", 1.8, "ngircd"), Target("p99 ms", "<=", 5))
    results = {"chat": {"deliveries/s": 3670.0, "p99 ms": 7.25}, "ngircd": {"deliveries/s": 1000.0, "p99 ms": 2.5}}
    first, second = render_cell("fan", Cell("", lambda _: {}, ("chat", "ngircd"), targets), {"fan": results})
    assert first.split(maxsplit=5) == ["fan", "deliveries/s", "3,670", "1,000", "3.67", ">= 1.8 x ngircd: holds"]
    assert second.split(maxsplit=5) == ["p99", "ms", "7.25", "2.50", "2.90", "<= 5: MISSED"]
    (alone, _) = render_cell("fan", Cell("", lambda _: {}, ("chat",), targets), {"fan": {"chat": results["chat"]}})
    assert alone.endswith("3,670                      >= 1.8 x ngircd: not measured")


def test_every_target_is_about_a_figure_that_is_measured() -> None:
    """And every cell was, but those over PostgreSQL where it was not there."""
    assert set(CELLS) >= set(REPORT["cells"]) >= set(CELLS) - suite.OVER_POSTGRES
    for name, results in REPORT["cells"].items():
        assert {target.metric for target in CELLS[name].targets} <= set(results["chat"])


def test_the_readme_shows_the_newest_results() -> None:
    """After `make bench`, which writes both."""
    text = README.read_text()
    assert TABLE.sub(lambda _: indent(render(REPORT), "    "), text) == text
    assert render(REPORT).splitlines()[-1].strip() in text
    figures = REPORT["cells"]["fan1000"]["chat"]
    assert f"some {figures['deliveries/s'] / 1e6:.0f} million deliveries" in (ROOT / "README.txt").read_text()


def test_the_chart_shows_the_newest_results() -> None:
    """Its labels are the figures; it is small, and names no machine's path."""
    svg = CHART.read_text()
    for cell in ("fan10", "fan100", "fan1000"):
        for results in REPORT["cells"][cell].values():
            assert f">{results['deliveries/s'] / 1e6:.3g}</text>" in svg
    assert len(svg) < 60_000
    assert str(ROOT) not in svg


def test_the_map_names_each_file() -> None:
    """The README of the benchmarks lists every module and every cell."""
    text = (ROOT / "benchmarks" / "README.txt").read_text()
    listed = set(re.findall(r"^([a-z_]+\.py) ", text, re.MULTILINE))
    there = {path.name for path in (ROOT / "benchmarks").glob("*.py") if path.name != "__init__.py"}
    assert there <= listed
    for name in CELLS:
        assert name in text


@pytest.mark.parametrize("name", ["fan10", "direct50", "paced100"])
def test_a_cell_runs(name: str) -> None:
    """Against the service itself, for a moment; and until something was delivered, however short that is."""
    cells = load.make_cells(load.Span(warm_up=0.1, duration=0.001 if name == "fan10" else 0.3))
    results: Results = suite.run(cells[name], ["chat"], runs=1)
    assert list(results) == ["chat"]
    assert all(figure > 0 for figure in results["chat"].values())


def test_a_cell_with_rooms_runs() -> None:
    """With few clients, each in several rooms; each message reaches those in its room and nobody else."""
    span = load.Span(warm_up=0.1, duration=0.3)
    cell = Cell("", lambda peer: in_rooms(peer, 12, 6, 2, 3, 4, span), ("chat",))
    figures = suite.run(cell, ["chat"], runs=1)["chat"]
    assert 0 < figures["messages/s"] < figures["deliveries/s"] < 11 * figures["messages/s"]


def test_a_cell_on_websocket_runs() -> None:
    """Beside plain clients; each message reaches all but its sender, whose `ack` is counted apart."""
    figures = beside_plain(20, 2, 4, load.Span(warm_up=0.1, duration=0.3), runs=1)
    assert 15 * figures["messages/s"] < figures["deliveries/s"] < 23 * figures["messages/s"]
    assert {target.metric for target in CELLS["web100"].targets} <= set(figures)


def test_cells_over_postgresql_run(cluster: Cluster) -> None:
    """With few clients, for a moment: alone beside SQLite, and two services."""
    span = load.Span(warm_up=0.1, duration=0.3)
    figures = beside_sqlite(span, runs=1) | two_services(span, 0.3, listeners=3)
    assert all(figure > 0 for figure in figures.values())
    for name in ("pg1", "pg2"):
        assert {target.metric for target in CELLS[name].targets} <= set(figures)


def test_a_long_history_over_postgresql_is_measured(cluster: Cluster) -> None:
    """A short one here."""
    figures = postgres_history.measure(20_000)
    assert {target.metric for target in CELLS["pghistory"].targets} <= set(figures)


def test_a_cell_is_skipped_without_postgresql(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says how to get it; that is no failure."""

    def fail(*_: object, **__: object) -> None:
        raise MissingError("apt install postgresql")

    monkeypatch.setattr(postgres, "Cluster", fail)
    monkeypatch.setattr(suite, "prepare_machine", lambda: None)
    assert main("pg1", "none") == 0
    assert capsys.readouterr().out.endswith("pg1        skipped: apt install postgresql\n")


@pytest.mark.parametrize(("name", "changes"), [("idle10000", False), ("changes10000", True)])
def test_the_hall_fills_and_empties(name: str, *, changes: bool) -> None:
    """With few clients and a short storm."""
    figures = idle(40, 0.5, changes=changes)
    assert all(figure >= 0 for figure in figures.values())
    assert {target.metric for target in CELLS[name].targets} <= set(figures)


def test_an_unknown_cell_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """With all that there are."""
    assert main("fan", "none") == 2
    assert main("fan10", "ircd") == 2
    assert f"  fan10        {CELLS['fan10'].description}\n" in capsys.readouterr().err


def test_a_profile_counts_by_thread_and_function() -> None:
    """Lines of one function are added up, threads of one kind are taken together."""
    samples, names = profile.parse(
        "thread (11): chat-conn-1;run (a.py:1);receive (b.py:7) 3\n"
        "thread (12): chat-conn-2;run (a.py:1);receive (b.py:9) 4\n"
        "thread (13): chat-writer;run (a.py:1) 5\n"
    )
    assert samples == {("chat-conn-<n>", "receive (b.py)"): 7, ("chat-writer", "run (a.py)"): 5}
    assert names == {11: "chat-conn-<n>", 12: "chat-conn-<n>", 13: "chat-writer"}
