"""The calendar day, in one place so that tests can set it."""

from __future__ import annotations

from datetime import UTC, date, datetime


def today() -> date:
    """Returns the day in UTC: the same on all machines of a team."""
    return datetime.now(UTC).date()
