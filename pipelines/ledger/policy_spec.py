"""The policy file as a model: which keys there are, their types and defaults.

The privacy team owns this file; release configs cannot change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from pipelines.ledger.units import Every, PrivacyUnit
from pipelines.spec.errors import KeyPath
from pipelines.spec.fields import Model, Name, Number, OneOrMore, Text, WholeNumber, refuse
from transforms.bounds import Adjacency, Bounding
from transforms.budget import Budget

_PERIODS = "release, day, week, month, year, lifetime, or a number of days such as 28 days"
_SPAN = re.compile(r"release|day|week|month|year|lifetime|[1-9][0-9]{0,4} days")


def _span(value: str) -> str:
    if not _SPAN.fullmatch(value):
        raise ValueError(f"is the text {value!r}; allowed: {_PERIODS}")
    return value


def _at_least_one(value: int) -> int:
    if value < 1:
        raise ValueError(f"is the number {value}; allowed: a whole number from 1")
    return value


class CapSpec(Model):
    """The most that may be lost about one privacy unit."""

    unit: OneOrMore = ()
    """Columns of the privacy unit, without time. Left out with `bounding: row`."""
    every: Every | None = None
    """Time scope of the unit: the rows of one day, week or month are a unit of their own."""
    adjacency: Adjacency = "add_remove"
    """What is hidden of the unit: whether it is there, or what it says."""
    bounding: Bounding = "unit"
    """The rows of a unit that are protected as one."""
    per: Annotated[Text, AfterValidator(_span)] = "lifetime"
    """Which releases count together: those that read any day of one calendar `day`, `week`, `month`
    or `year`, or of any `28 days` in a row; one `release`; or all (`lifetime`). Calendar periods
    have a boundary: 28 days in a row can hold twice the cap of a month, half of it at its end and
    half at the beginning of the next. A number of days has none."""
    epsilon: Number | None = Field(default=None, json_schema_extra={"exclusiveMinimum": 0})
    """Largest epsilon, at `delta`. Either this or rho."""
    rho: Number | None = Field(default=None, json_schema_extra={"exclusiveMinimum": 0})
    """Largest rho of zero-concentrated differential privacy. Either this or epsilon. It also holds
    where plans are changed because of what was published before."""
    delta: Number = Field(default=0.0, json_schema_extra={"minimum": 0, "exclusiveMaximum": 1})
    """Delta of the epsilon; with rho, largest probability of failures."""

    @model_validator(mode="after")
    def _check(self) -> CapSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        if (self.epsilon is None) == (self.rho is None):
            yield (), "has both or none of epsilon and rho; allowed: one of them"
            return
        name = "rho" if self.epsilon is None else "epsilon"
        try:
            Budget(self.rho if self.epsilon is None else self.epsilon, self.delta)  # type: ignore[arg-type]
        except ValueError as error:
            field, _, rest = str(error).partition(" ")
            yield (name if field == "epsilon" else field,), rest
        try:
            self.privacy_unit()
        except ValueError as error:
            yield ("unit",), str(error)

    def privacy_unit(self) -> PrivacyUnit:
        """Returns the unit that the cap is about."""
        return PrivacyUnit(tuple(sorted(self.unit)), self.every, self.adjacency, self.bounding)


class DatasetSpec(Model):
    """What may be released about one dataset."""

    columns: OneOrMore
    """Input columns that releases may read."""
    time: Text | None = None
    """Input column that says on which day a row happened. A release with another one, or with none,
    is charged for all days. Needed with caps that count by days (`every`, or a `per` of days): days
    of different columns are different days, and the caps would not see that a row counts twice.
    Default: the column of each release."""
    units: OneOrMore = ()
    """Columns that may make up the privacy unit of a release. Default: those of the caps."""
    adjacency: Annotated[tuple[Adjacency, ...], Field(min_length=1)] = ("add_remove",)
    """What releases may hide of a unit. Default: add_remove."""
    bounding: Annotated[tuple[Bounding, ...], Field(min_length=1)] = ("unit",)
    """Rows that releases may protect as one. Default: unit."""
    min_pre_threshold: Annotated[WholeNumber, AfterValidator(_at_least_one)] | None = None
    """Smallest pre_threshold of tables whose partitions are selected privately."""
    caps: Annotated[tuple[CapSpec, ...], Field(min_length=1)]
    """The most that may be lost. A release must fit under each."""

    @model_validator(mode="after")
    def _check(self) -> DatasetSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        if self.time is not None:
            yield from self._times_in_units(self.time)
            return
        for index, cap in enumerate(self.caps):
            if cap.every is not None or cap.per not in ("release", "lifetime"):
                yield (
                    ("caps", index),
                    "counts by days; allowed: with the key 'time' of the dataset, the column that "
                    "says on which day a row happened",
                )

    def _times_in_units(self, time: str) -> Iterator[tuple[KeyPath, str]]:
        scope = re.compile(rf"(date|time_bucket)\(\s*{re.escape(time)}\b")
        for index, cap in enumerate(self.caps):
            for column in filter(scope.match, cap.unit):
                yield (
                    ("caps", index, "unit"),
                    f"has {column!r}, which would be a column like others; allowed: the other "
                    "columns, with every: day, week or month",
                )


class PolicySpec(Model):
    """What may be released about which dataset, and how much it may cost."""

    datasets: dict[Name, DatasetSpec] = Field(min_length=1)
    """Datasets by name. Nothing may be released about others."""
