"""service/listeners/descriptors.py: how many clients the open files allow."""

from __future__ import annotations

import resource
import sys
from typing import Final

import pytest

from service.config import READERS
from service.errors import ConfigError
from service.listeners.descriptors import DESCRIPTORS_OWN, DESCRIPTORS_PER_READER, count_places
from service.listeners.visitors import LEAVING, VISITORS

OWN: Final = DESCRIPTORS_OWN + READERS * DESCRIPTORS_PER_READER


@pytest.mark.parametrize(
    ("limits", "asked", "places"),
    [
        ((1_024, 1_024), 2_000, 1_024 - OWN),
        ((1_024, 4_096), 2_000, 2_000),
        ((256, resource.RLIM_INFINITY), 2_000, 2_000),
        ((1_024, 1_024), 0, 1_024 - OWN),
        ((1_024, 4_096), 0, 4_096 - OWN),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 0, sys.maxsize),
        ((OWN + 1, OWN + 1), 2_000, 1),
    ],
)
def test_how_many_places_there_are(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], asked: int, places: int
) -> None:
    """As many as were asked for, or as the system's hard limit leaves."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert count_places(asked) == places


def test_a_limit_is_raised_as_far_as_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no further; one that is high enough is left alone."""
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    assert [count_places(10), count_places(2_000)] == [10, 2_000]
    assert raised == [(OWN + 2_000, 4_096)]


def test_a_limit_that_cannot_be_raised_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how many there are, and what to do."""

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert count_places(2_000) == 1_024 - OWN
    assert f"at most {1_024 - OWN} clients at once, not 2000; raise it: ulimit -Hn" in caplog.text


def test_no_place_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what is needed."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (OWN, OWN))
    with pytest.raises(ConfigError, match=f"allows {OWN} open files and this needs {OWN + 1}; raise it: ulimit -n"):
        count_places(1)


def test_visitors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a port has any, that many fewer clients can be."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 1_024))
    assert count_places(0) - count_places(0, visitors=True) == VISITORS + LEAVING
