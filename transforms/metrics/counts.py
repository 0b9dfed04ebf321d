"""Rows, privacy units and distinct values per partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.arrays import Int64Array
from transforms.items import Items, Values
from transforms.metrics.base import (
    Component,
    Contribution,
    Metric,
    Noise,
    items_of,
)
from transforms.noise import add_noise
from transforms.sensitivity import Entries


@dataclass(frozen=True)
class Count(Metric):
    """Rows per partition."""

    @property
    def description(self) -> str:
        """What is measured."""
        return "count"

    @property
    def components(self) -> tuple[Component, ...]:
        """The number of rows: each adds 1."""
        return (Component("", Entries(0, 1)),)

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Counts the rows that count."""
        return {"": contribution.counted}


@dataclass(frozen=True)
class PrivacyUnitCount(Metric):
    """Distinct privacy units per partition."""

    @property
    def description(self) -> str:
        """What is measured."""
        return "privacy_unit_count"

    @property
    def components(self) -> tuple[Component, ...]:
        """The number of units: a unit is in a partition or it is not."""
        return (Component("", Entries(0, 1, per_row=False)),)

    @property
    def adds_up(self) -> bool:
        """No: a unit in several partitions would count several times."""
        return False

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Counts the unit once."""
        return {"": np.ones_like(contribution.counted)}


@dataclass(frozen=True)
class DistinctCount(Metric):
    """Distinct values of a column per partition.

    Of each unit, at most as many values of a partition count as rows do. Removing a unit takes
    at most those values out of the set of all units' values, so the count changes by no more.

    Attributes:
        column: The column, of any scalar type; null is no value.
    """

    column: str

    @property
    def description(self) -> str:
        """What is measured."""
        return f"distinct_count of {self.column}"

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def items(self) -> Items:
        """The values."""
        return Values(self.column)

    @property
    def components(self) -> tuple[Component, ...]:
        """The number of values: each counted row adds at most 1."""
        return (Component("", Entries(0, 1)),)

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:  # noqa: ARG002
        """Returns nothing: the values of all units have to come together first."""
        return {}

    def draw(
        self, name: str, partials: pl.DataFrame, noises: Sequence[Noise]
    ) -> dict[str, Int64Array]:
        """Counts each value once and adds noise."""
        distinct = items_of(name, partials).unique(["partition", "item"])
        exact = np.bincount(distinct["partition"].to_numpy(), minlength=partials.height)
        return {"": add_noise(exact.astype(np.int64), noises[0].mechanism)}
