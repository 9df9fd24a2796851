"""The wall clock. All times that the service stores, sends or compares come from here, so a test can set them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def utcnow() -> datetime:
    return datetime.now(UTC)


def format_time(moment: datetime) -> str:
    """Formats a UTC time for the wire and the database: ``2026-11-21T09:30:00.123Z``. Text order is time order."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def add_seconds(time: str, seconds: float) -> str:
    """Returns the time of `format_time` that is so much later."""
    return format_time(datetime.fromisoformat(time) + timedelta(seconds=seconds))


def is_time(text: str) -> bool:
    """Whether a text from elsewhere has the form of `format_time`."""
    return _TIME.fullmatch(text) is not None


def to_minute(time: str) -> str:
    """Shortens a time of `format_time`, for people: ``2026-11-21T09:30Z``."""
    return f"{time[:16]}Z"
