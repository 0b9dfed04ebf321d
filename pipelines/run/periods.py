"""Periods of releases: how they are written, their days, and what follows what.

A day is written `2026-11-09`, a week `2026-W46` (ISO 8601: it begins on Monday), a month `2026-11`.
A series without periods has one release, of all rows, with the period `all`. For the ledger it
touches every day of the years 1970 to 2069; other days have no periods, so what is released of them
is always counted together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.ledger import Days
from pipelines.ledger.days import period_of
from pipelines.spec import Period

ALL = "all"
"""Period of a series that has none."""

EVERY_DAY = Days(date(1970, 1, 1), date(2069, 12, 31))
"""Days that a series without periods touches."""

_WRITTEN: Mapping[Period, tuple[str, str]] = {
    "day": (r"\d{4}-\d\d-\d\d", "2026-11-09"),
    "week": (r"(\d{4})-W(\d\d)", "2026-W46"),
    "month": (r"(\d{4})-(\d\d)", "2026-11"),
}


class PeriodError(ValueError):
    """This is no period of the series; the text says what is allowed."""


@dataclass(frozen=True)
class ReleasePeriod:
    """One period of a series.

    Attributes:
        name: How it is written.
        days: Its days.
        every: What calendar period it is; None for all rows.
    """

    name: str
    days: Days
    every: Period | None

    def following(self) -> ReleasePeriod:
        """Returns the next period."""
        assert self.every is not None
        return period_at(self.every, self.days.last + timedelta(days=1))

    @property
    def placeholders(self) -> Mapping[str, str]:
        """What stands for the placeholders of a config (`pipelines.spec.placeholders`)."""
        if self.every is None:
            return {}
        first, last = str(self.days.first), str(self.days.last)
        return {"{period}": self.name, "{first}": first, "{last}": last}


ALL_ROWS = ReleasePeriod(ALL, EVERY_DAY, None)
"""The period of a series that has none."""


def period_at(every: Period, day: date) -> ReleasePeriod:
    """Returns the period that a day is in."""
    days = period_of(day, every)
    match every:
        case "day":
            name = str(day)
        case "week":
            year, week, _ = day.isocalendar()
            name = f"{year:04}-W{week:02}"
        case "month":
            name = f"{day:%Y-%m}"
    return ReleasePeriod(name, days, every)


def read_period(every: Period | None, text: str | None) -> ReleasePeriod:
    """Returns the period that a command line names.

    Args:
        every: Period of the series, from its config.
        text: What was given; None for nothing.

    Raises:
        PeriodError: It is none of the series.
    """
    if every is None:
        if text is not None:
            raise PeriodError(
                f"the period is {text}, and the series has none; allowed: no period, or the key "
                "'period' in the config"
            )
        return ALL_ROWS
    pattern, example = _WRITTEN[every]
    allowed = f"allowed: a {every} such as {example}"
    if text is None:
        raise PeriodError(
            f"no period is given, and the series has one release per {every}; {allowed}"
        )
    match = re.fullmatch(pattern, text, re.ASCII)
    try:
        if match is None:
            raise ValueError
        found = period_at(every, _first_day(every, text, match))
    except (ValueError, OverflowError):
        raise PeriodError(f"the period is {text!r}; {allowed}{_meant(every, text)}") from None
    if not EVERY_DAY.contains(found.days):
        raise PeriodError(f"the period is {text}; allowed: in the years 1970 to 2069")
    return found


def chosen_period(every: Period | None, text: str | None, today: date) -> ReleasePeriod:
    """Returns the period that a command line names, or the last one that is over.

    Args:
        every: Period of the series, from its config.
        text: What was given; None for nothing.
        today: Today.

    Raises:
        PeriodError: It is none of the series.
    """
    if every is None or text is not None:
        return read_period(every, text)
    return period_at(every, period_at(every, today).days.first - timedelta(days=1))


def periods_between(first: ReleasePeriod, last: ReleasePeriod) -> Iterator[ReleasePeriod]:
    """Yields all periods from one to another.

    Raises:
        PeriodError: The last is before the first.
    """
    if last.days.last < first.days.first:
        raise PeriodError(
            f"the last period is {last.name}, before {first.name}; allowed: not before"
        )
    period = first
    yield period
    while period.name != last.name:
        period = period.following()
        yield period


def _meant(every: Period, text: str) -> str:
    """Returns the period of the day that was given instead, if one was."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return ""
    return f"; {day} is in {period_at(every, day).name}"


def _first_day(every: Period, text: str, match: re.Match[str]) -> date:
    match every:
        case "day":
            return date.fromisoformat(text)
        case "week":
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
        case "month":
            return date(int(match[1]), int(match[2]), 1)
