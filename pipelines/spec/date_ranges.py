"""Ranges of dates as lists of public keys: `{from: 2026-11-01, to: 2026-11-30, every: week}`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from pipelines.spec.errors import KeyPath
from pipelines.spec.fields import Model, Text, refuse

Every = Literal["day", "week", "month"]

_STEPS: dict[Every, str] = {"day": "1d", "week": "1w", "month": "1mo"}
_LAST_DAY_OF_ALL_MONTHS = 28


def _iso_date(value: str) -> str:
    try:
        fits = date.fromisoformat(value).isoformat() == value
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"this is {value!r}; allowed: a date such as 2026-11-30")
    return value


_Day = Annotated[Text, AfterValidator(_iso_date)]


class DateRangeSpec(Model):
    """All dates from one to another, both of them included, or one of each week or month."""

    start: _Day = Field(alias="from", json_schema_extra={"format": "date"})
    """The first date."""
    end: _Day = Field(alias="to", json_schema_extra={"format": "date"})
    """The last date."""
    every: Every = "day"
    """Each day, or the weekday or day of the month of the first date. Default: day."""

    @model_validator(mode="after")
    def _check(self) -> DateRangeSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        if self.end < self.start:
            yield ("to",), f"is {self.end}, before {self.start}; allowed: that day or a later one"
        if self.every == "month" and date.fromisoformat(self.start).day > _LAST_DAY_OF_ALL_MONTHS:
            yield (
                ("from",),
                f"is {self.start}, a day that not all months have; "
                f"allowed: the 1st to the {_LAST_DAY_OF_ALL_MONTHS}th with every: month",
            )

    def dates(self, key: str) -> pl.Series:
        """Returns the dates as a column of the given name."""
        return pl.date_range(
            date.fromisoformat(self.start),
            date.fromisoformat(self.end),
            _STEPS[self.every],
            eager=True,
        ).alias(key)


def is_date_range(value: Any) -> bool:
    """Returns whether a value is meant to be a range of dates."""
    return isinstance(value, dict | DateRangeSpec)
