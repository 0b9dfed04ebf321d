"""Sums of numeric columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import get_args

import numpy as np

from transforms.accumulators import Accumulator, Coordinate, Granules, Unclipped
from transforms.arrays import Int64Array
from transforms.grid import Grid, check_interval, default_step, exact
from transforms.metrics.base import (
    Component,
    Contribution,
    Metric,
    rescale,
    rescale_towards_zero,
)
from transforms.sensitivity import Entries
from transforms.vectors import Norm, Vector

MAX_COORDINATES = 256
"""Largest number of columns of a vector."""


@dataclass(frozen=True)
class Sum(Metric):
    """Sum of a numeric column per partition.

    With `clip`, each value is clipped, and a unit with c rows of which k count contributes its
    clipped sum times k / c. With `clip_total`, the unit's total in the partition is clipped,
    whatever its number of rows.

    Attributes:
        column: The numeric column.
        clip: Smallest and largest value of one row, in the column's unit.
        clip_total: Smallest and largest total of one unit in one partition, in the column's unit.
        granularity: Step that values are rounded to, in the column's unit. Default: the power of
            ten at or below a thousandth of the largest magnitude in the clip.

    Raises:
        ValueError: Not exactly one clip is given, it is not an interval, or a bound is more than
            `MAX_VALUE_GRANULES` granules, so that an int64 sum could overflow.
    """

    column: str
    clip: tuple[float, float] | None = None
    clip_total: tuple[float, float] | None = None
    granularity: Decimal | float | None = None

    def __post_init__(self) -> None:
        if (self.clip is None) == (self.clip_total is None):
            raise ValueError(
                "a sum needs exactly one of clip (per value) and clip_total (per unit)"
            )
        check_interval(self._clip_name, self.interval)
        low, high = self.interval
        if low == high == 0:
            raise ValueError(f"{self._clip_name} [{low:g}, {high:g}] leaves nothing to sum")
        _ = self.grid

    @property
    def description(self) -> str:
        """What is measured."""
        return f"sum of {self.column}"

    @property
    def _clip_name(self) -> str:
        return "clip" if self.clip is not None else "clip_total"

    @property
    def interval(self) -> tuple[float, float]:
        """The clip or clip_total, in the column's unit."""
        interval = self.clip if self.clip is not None else self.clip_total
        assert interval is not None
        return interval

    @property
    def grid(self) -> Grid:
        """The granules that values, or totals, are counted in."""
        return Grid(self.interval, self.step, name=self._clip_name)

    @property
    def step(self) -> Decimal:
        """The granularity, in the column's unit."""
        if self.granularity is not None:
            return exact(self.granularity)
        return default_step(max(abs(exact(bound)) for bound in self.interval))

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """The values."""
        return (self._values,)

    @property
    def _values(self) -> Accumulator:
        if self.clip is None:
            return Unclipped(self.column, self.step)
        return Granules(self.column, self.grid)

    @property
    def components(self) -> tuple[Component, ...]:
        """The sum, in granules."""
        entries = Entries(*self.grid.granules, per_row=self.clip is not None)
        return (Component("", entries, self.step),)

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Scales the sum of clipped values down, or clips the total.

        With c rows of which k <= c count and values of magnitude at most m, k / c times the sum
        is at most k m, a whole number, which rounding cannot exceed.
        """
        total = contribution.totals[self._values]
        if self.clip is not None:
            return {"": rescale(total, contribution.rows, contribution.counted)}
        clipped = np.clip(total, *self.grid.granules)
        return {"": clipped}


@dataclass(frozen=True)
class VectorSum(Metric):
    """Sum of vectors, one coordinate per column.

    The vector of each row is clipped to a norm. Noise fits the norm: with L1 or L2, all coordinates
    together cost no more than one would.

    Attributes:
        columns: The coordinates.
        norm: `l1`, `l2` or `linf`.
        max_norm: Largest norm of one row's vector, in the columns' unit.
        granularity: Step that coordinates are rounded to. Default: the power of ten at or below a
            thousandth of the norm.

    Raises:
        ValueError: There is no column, one repeats, or the norm or its bound cannot be used.
    """

    columns: tuple[str, ...]
    max_norm: float
    norm: Norm = "l2"
    granularity: Decimal | float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        if not 1 <= len(self.columns) <= MAX_COORDINATES:
            raise ValueError(
                f"vector_sum has {len(self.columns)} columns; allowed: 1 to {MAX_COORDINATES}"
            )
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise ValueError(f"vector_sum has {', '.join(repeated)} more than once")
        if self.norm not in get_args(Norm):
            raise ValueError(f"norm is {self.norm!r}; allowed: {', '.join(get_args(Norm))}")
        if not 0 < self.max_norm < math.inf:
            raise ValueError(f"max_norm is {self.max_norm:g}; allowed: a finite number above 0")
        _ = self.grid

    @property
    def description(self) -> str:
        """What is measured."""
        return f"vector_sum of {', '.join(self.columns)}"

    @property
    def grid(self) -> Grid:
        """The granules that coordinates are counted in."""
        return Grid((-self.max_norm, self.max_norm), self.step, name="max_norm")

    @property
    def step(self) -> Decimal:
        """The granularity, in the columns' unit."""
        if self.granularity is not None:
            return exact(self.granularity)
        return default_step(exact(self.max_norm))

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The coordinates."""
        return self.columns

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """The clipped coordinates."""
        return tuple(Coordinate(self._vector, index) for index in range(len(self.columns)))

    @property
    def _vector(self) -> Vector:
        return Vector(self.columns, self.norm, self.grid.largest, self.step)

    @property
    def components(self) -> tuple[Component, ...]:
        """All coordinates, as one vector."""
        limit = self.grid.largest
        return (
            Component(
                "",
                Entries(-limit, limit, repeats=len(self.columns), norm=self.norm),
                self.step,
                tuple(f":{column}" for column in self.columns),
            ),
        )

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Scales the sum of clipped vectors down; no coordinate gets longer by rounding."""
        return {
            f":{column}": rescale_towards_zero(
                contribution.totals[accumulator], contribution.rows, contribution.counted
            )
            for column, accumulator in zip(self.columns, self.accumulators, strict=True)
        }

    @property
    def released(self) -> tuple[str, ...]:
        """One value per coordinate."""
        return tuple(f"_{column}" for column in self.columns)
