"""The clock: one source of the time, and its one written form."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clock import add_seconds, format_time, to_minute, utcnow

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis wants naive bounds)


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [
        (0, "2026-11-21T09:30:00.000Z"),
        (999, "2026-11-21T09:30:00.000Z"),
        (1_000, "2026-11-21T09:30:00.001Z"),
        (123_456, "2026-11-21T09:30:00.123Z"),
        (999_999, "2026-11-21T09:30:00.999Z"),
    ],
)
def test_milliseconds_are_cut_off_not_rounded(microsecond: int, text: str) -> None:
    """A time is written with three digits of its second, and never as one that has not come yet."""
    assert format_time(datetime(2026, 11, 21, 9, 30, 0, microsecond, UTC)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.001, "2026-12-31T23:59:59.124Z"),
        (1, "2027-01-01T00:00:00.123Z"),
        (-60, "2026-12-31T23:58:59.123Z"),
        (2_592_000, "2027-01-30T23:59:59.123Z"),
    ],
)
def test_a_time_is_moved_by_seconds(seconds: float, text: str) -> None:
    """Forth and back, in its one form."""
    assert add_seconds("2026-12-31T23:59:59.123Z", seconds) == text


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    """Written times compare as the times do, so that the database may compare texts."""
    assert one > other or format_time(one) <= format_time(other)


@settings(deadline=None)
@given(MOMENTS)
def test_written_time_can_be_read_back(moment: datetime) -> None:
    """A written time is ISO 8601: any reader finds the same moment, to the millisecond, and its zone."""
    back = datetime.fromisoformat(format_time(moment))
    assert back.utcoffset() == timedelta(0)
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)


def test_now_is_in_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time now is the machine's, with its zone, and in UTC also where the clocks on the wall show another hour."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "XYZ-9")
        time.tzset()
        before, now, after = time.time(), utcnow(), time.time()
    time.tzset()
    assert now.utcoffset() == timedelta(0)
    assert before - 0.001 <= now.timestamp() <= after + 0.001


def test_a_test_can_set_the_clock() -> None:
    """The time stands still where a test says so."""
    with freeze_time("2026-11-21 09:30:00"):
        assert utcnow() == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def test_people_are_shown_minutes() -> None:
    """Which are short, and say their zone."""
    assert to_minute("2026-11-21T09:30:59.123Z") == "2026-11-21T09:30Z"
