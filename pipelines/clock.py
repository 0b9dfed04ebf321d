"""The time and the calendar day, in one place so that tests can set them."""

from __future__ import annotations

from datetime import UTC, date, datetime


def now() -> datetime:
    """Returns the time by the clock of this machine, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """Returns the day in UTC: the same on all machines of a team."""
    return now().date()
