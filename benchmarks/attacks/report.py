"""The table: a line for each attack, and which targets hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.cells import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.attacks.cells import Attack
    from benchmarks.attacks.stage import Row

NOTHING: Final = Target("done", "<=", 0)  # for the attacks with must_do_nothing
TARGETS: Final = (
    Target("ack p50 ms", "<=", 50),
    Target("ack max ms", "<=", 500),
    Target("page max ms", "<=", 200),
    Target("login turns", "<=", 4),
    Target("RSS MB", "<=", 300),
    Target("cut off", "<=", 0),
)
LARGE_SHARE: Final = 50  # % of a core; from there the generator's own use is shown
# The content and the width of each column.
_COLUMNS: Final = {
    "ack p50 ms": 7,
    "ack max ms": 8,
    "page p50 ms": 7,
    "page max ms": 7,
    "login max ms": 8,
    "login turns": 6,
    "RSS MB": 5,
    "cut off": 5,
}
_START: Final = 46  # characters before the first of them


def heading() -> str:
    """Returns two lines."""
    above, below = f"{'attack':17} {'conns':>5} {'the attacker got done':>22}", " " * _START
    for column, width in _COLUMNS.items():
        first, _, last = column.removesuffix(" ms").partition(" ")
        above += f"{first:>{width}}"
        below += f"{last:>{width}}"
    return f"{above}\n{below}  targets (times in ms)"


def render_row(name: str, plan: Attack, row: Row) -> str:
    """Returns one line. A > marks a figure of something that was unfinished at the end."""
    done = f"{_number(row.figures['done'])} {plan.unit}" if plan.connections else "-"
    cells = ""
    for column, width in _COLUMNS.items():
        mark = ">" if column in row.at_least else ""
        cells += f"{mark + _number(row.figures[column]):>{width}}"
    failed = [target.metric for target, holds in verdicts(plan, row) if not holds]
    missed = [plan.unit if metric == NOTHING.metric else metric.removesuffix(" ms") for metric in failed]
    verdict = f"MISSED: {', '.join(missed)}" if missed else "hold"
    if row.cut_off:
        verdict += f" ({', '.join(f'{who} {times}' for who, times in row.cut_off.items())})"
    if (share := row.figures["generator %"]) >= LARGE_SHARE:
        verdict += f" (generator {share:.0f} %)"
    return f"{name:17} {plan.connections:5,} {done:>22}{cells}  {verdict}"


def verdicts(plan: Attack, row: Row) -> list[tuple[Target, bool]]:
    """Returns each target, and whether it holds."""
    targets = (*TARGETS, NOTHING) if plan.must_do_nothing else TARGETS
    return [(target, bool(target.holds({"chat": row.figures}))) for target in targets]


def render_end(results: Sequence[tuple[Attack, Row]]) -> str:
    """Returns how many targets hold, and what they are."""
    held = [holds for plan, row in results for _, holds in verdicts(plan, row)]
    targets = ", ".join(f"{target.metric} {target}" for target in TARGETS)
    return f"{sum(held)} of {len(held)} targets hold. For each attack: {targets}."


def _number(value: float) -> str:
    """Formats with about three digits."""
    return f"{value:,.{0 if value >= 10 or value == int(value) else 1}f}"
