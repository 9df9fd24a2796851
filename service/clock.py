"""The wall clock. Every time that the service stores, sends or compares comes from here, so that a test can set it."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def format_time(moment: datetime) -> str:
    """A UTC time as on the wire and in the database: ``2026-11-21T09:30:00.123Z``; its text order is its time order."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
