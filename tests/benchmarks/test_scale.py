"""The model of many services: what it makes of figures, and that it gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks import postgres, scale
from benchmarks.scale import Measured, compute, render
from tests.support.postgres import MissingError

if TYPE_CHECKING:
    import pytest

    from tests.support.postgres import Cluster

FIGURES: Final = Measured(
    fsync=1e-4, turn=4e-4, post=2e-5, wake=1.5e-4, read=1e-5, login=4e-4, delivery=1e-7, memory=34_000
)


def test_more_services_and_clients_need_more() -> None:
    """Of each thing; what breaks first comes first."""
    few, many = ({limit.name: limit for limit in compute(FIGURES, *plan)} for plan in ((2, 4_000), (100, 1_000_000)))
    assert all(many[name].need >= limit.need for name, limit in few.items())
    shares = [limit.share for limit in many.values()]
    assert shares == sorted(shares, reverse=True)
    assert few["lock: commits and their content"].share < 1 < many["lock: commits and their content"].share


def test_a_slower_disk_makes_the_turn_longer() -> None:
    """An ack waits for all services that write at once."""
    (slow,) = (limit for limit in compute(FIGURES._replace(turn=0.005), 100, 1_000) if limit.name.startswith("an ack"))
    assert (slow.need, slow.share > 1) == (0.5, True)


def test_what_breaks_is_said() -> None:
    """With the amounts, for each plan."""
    text = render(FIGURES, ((2, 4_000), (100, 1_000_000)))
    quiet, _, busy = text.partition("100 services, 1,000,000 clients:\n")
    assert "BREAKS" not in quiet
    assert " ".join(busy.splitlines()[0].split()) == "a service: whole users lists 3.33G of 125M bytes/s 2667% BREAKS"


def test_the_figures_are_measured(cluster: Cluster) -> None:
    """Each of them, in a moment; a difference of two may be nothing in so little time."""
    figures = scale.measure(0.1)._asdict()
    assert all(figure > 0 or name in {"post", "read"} for name, figure in figures.items())


def test_without_postgresql_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And fails."""

    def fail(*_: object, **__: object) -> None:
        raise MissingError("apt install postgresql")

    monkeypatch.setattr(postgres, "Cluster", fail)
    monkeypatch.setattr(scale, "prepare_machine", lambda: None)
    assert scale.main() == 1
    assert capsys.readouterr().err == "apt install postgresql\n"
