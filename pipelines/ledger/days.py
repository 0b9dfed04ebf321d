"""Days, and the calendar periods that they are in. No time of day, no time zone, no clock."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

Calendar = Literal["day", "week", "month", "year"]
"""Calendar periods; weeks begin on Monday, as in ISO 8601."""

MAX_DAYS = 36_600
"""Longest input window: a hundred years."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Days:
    """Days from the first to the last, both of them included.

    Attributes:
        first: The first day.
        last: The last day.

    Raises:
        ValueError: The last day is before the first.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"last is {self.last}, before {self.first}; allowed: not before")

    def __str__(self) -> str:
        if self == ALWAYS:
            return "all time"
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def length(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    def overlaps(self, other: Days) -> bool:
        """Returns whether there is a day in both."""
        return self.first <= other.last and other.first <= self.last

    def contains(self, other: Days) -> bool:
        """Returns whether all days of another are here."""
        return self.first <= other.first and other.last <= self.last

    def common(self, other: Days) -> Days:
        """Returns the days in both; they must overlap."""
        return Days(max(self.first, other.first), min(self.last, other.last))

    def moved_to(self, first: date) -> Days:
        """Returns as many days that begin on another day."""
        return Days(first, first + (self.last - self.first))


ALWAYS = Days(date.min, date.max)


def period_of(day: date, every: Calendar | None) -> Days:
    """Returns the calendar period that a day is in; all time for None."""
    match every:
        case "day":
            return Days(day, day)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return Days(monday, monday + timedelta(days=6))
        case "month":
            last = monthrange(day.year, day.month)[1]
            return Days(day.replace(day=1), day.replace(day=last))
        case "year":
            return Days(date(day.year, 1, 1), date(day.year, 12, 31))
        case None:
            return ALWAYS
    raise ValueError(f"every is {every!r}; allowed: {', '.join(get_args(Calendar))}, or none")


def periods(days: Days, every: Calendar | None) -> Iterator[Days]:
    """Yields all calendar periods that share a day with some days, in order."""
    period = period_of(days.first, every)
    yield period
    while period.last < days.last:
        period = period_of(period.last + _DAY, every)
        yield period


def number_of_periods(days: Days, every: Calendar | None) -> int:
    """Returns how many calendar periods share a day with some days."""
    match every:
        case "day":
            return days.length
        case None:
            return 1
        case _:
            return sum(1 for _ in periods(days, every))
