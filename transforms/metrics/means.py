"""Means and variances of numeric columns, within their possible range.

Values are taken as distances from the middle of the clip, so that noise is as small as the clip is
wide, wherever it lies (N. Li et al., *Differential Privacy: From Theory to Practice*, 2016, 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from transforms.accumulators import Accumulator, Granules, Present, Squares
from transforms.arrays import FloatArray, Int64Array
from transforms.grid import Grid, check_width, default_step, exact
from transforms.intervals import quantile_95
from transforms.metrics.base import (
    Component,
    Contribution,
    Metric,
    Noise,
    ReleasedValue,
    rescale,
)
from transforms.noise import noise_std
from transforms.quotient import quotient
from transforms.sensitivity import Entries

ROWS = ":rows"
SUM = ":sum"
SQUARES = ":squares"


@dataclass(frozen=True)
class Mean(Metric):
    """Mean of a numeric column per partition, over the rows that have a value.

    It is the middle of the clip plus the noisy sum of distances from it over the noisy number of
    values, at least 1, clamped to the clip.

    Attributes:
        column: The numeric column.
        clip: Smallest and largest value of one row, in the column's unit.
        granularity: Step that values are rounded to, in the column's unit. Default: the power of
            ten at or below a thousandth of half the clip.

    Raises:
        ValueError: The clip is no interval of two different numbers, or the granularity does not
            fit it.
    """

    column: str
    clip: tuple[float, float]
    granularity: Decimal | float | None = None

    def __post_init__(self) -> None:
        check_width(self.clip)
        _ = self.grid

    @property
    def description(self) -> str:
        """What is measured."""
        return f"mean of {self.column}"

    @property
    def grid(self) -> Grid:
        """The granules that distances from the middle are counted in."""
        low, high = (exact(bound) for bound in self.clip)
        step = (
            default_step((high - low) / 2) if self.granularity is None else exact(self.granularity)
        )
        return Grid(self.clip, step, (low + high) / 2)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """Values there are, and their distances from the middle."""
        return self._present, self._distances

    @property
    def _present(self) -> Accumulator:
        return Present(self.column)

    @property
    def _distances(self) -> Accumulator:
        return Granules(self.column, self.grid)

    @property
    def components(self) -> tuple[Component, ...]:
        """The number of values, and the sum of distances."""
        grid = self.grid
        return (
            Component(ROWS, Entries(0, 1)),
            Component(SUM, Entries(*grid.granules), grid.step),
        )

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Scales the sum of distances down to that of the values that count."""
        rows = contribution.totals[self._present]
        counted = np.minimum(rows, contribution.counted)
        return {ROWS: counted, SUM: rescale(contribution.totals[self._distances], rows, counted)}

    def render(
        self, name: str, drawn: pl.DataFrame, noises: Sequence[Noise]
    ) -> list[ReleasedValue]:
        """Divides, with Fieller's interval, and clamps to the clip."""
        rows, rows_std = _as_floats(drawn[name + ROWS], noises[0])
        total, total_std = _as_floats(drawn[name + SUM], noises[1])
        quantile = quantile_95(noises[0].mechanism.noise)
        found = quotient(total, total_std, np.maximum(rows, 1), rows_std, quantile)
        middle = float(self.grid.centre)
        return [
            _clamped(
                middle + found.value, found.std, middle + found.low, middle + found.high, self.clip
            )
        ]


@dataclass(frozen=True)
class Variance(Mean):
    """Variance of a numeric column per partition, over the rows that have a value.

    It is the mean square of distances from the middle of the clip less the square of their mean,
    from three noisy numbers, clamped to what is possible: 0 to the square of half the clip.
    """

    @property
    def description(self) -> str:
        """What is measured."""
        return f"variance of {self.column}"

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """Values there are, their distances from the middle, and the squares of these."""
        return *super().accumulators, self._squares

    @property
    def _squares(self) -> Squares:
        return Squares(self.column, self.grid)

    @property
    def components(self) -> tuple[Component, ...]:
        """The number of values, the sum of distances, and the sum of their squares."""
        squares = self._squares
        entries = Entries(-squares.half, squares.half)
        return *super().components, Component(SQUARES, entries, squares.step)

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Scales the sums down to those of the values that count."""
        bounded = super().bound(contribution)
        rows = contribution.totals[self._present]
        squares = contribution.totals[self._squares]
        return {**bounded, SQUARES: rescale(squares, rows, bounded[ROWS])}

    def render(
        self, name: str, drawn: pl.DataFrame, noises: Sequence[Noise]
    ) -> list[ReleasedValue]:
        """Combines the three, with the delta method's error, and clamps.

        With n values, their distances' sum s and their squares' sum q, the variance is
        f = q / n - (s / n)^2, with df/dq = 1 / n, df/ds = -2 s / n^2 and
        df/dn = -q / n^2 + 2 s^2 / n^3. Squares were added up less half of the largest, which is
        added to q / n again and moves no derivative but that of n, where it cancels.
        """
        rows, rows_std = _as_floats(drawn[name + ROWS], noises[0])
        total, total_std = _as_floats(drawn[name + SUM], noises[1])
        squares, squares_std = _as_floats(drawn[name + SQUARES], noises[2])
        rows = np.maximum(rows, 1)
        middle = float(self.grid.step) ** 2 * self.grid.largest**2 / 2
        mean = total / rows
        variance = middle + squares / rows - mean**2
        std = (
            np.sqrt(
                squares_std**2
                + (2 * mean * total_std) ** 2
                + ((squares / rows - 2 * mean**2) * rows_std) ** 2
            )
            / rows
        )
        low, high = self.clip
        half_width = quantile_95(noises[0].mechanism.noise) * std
        return [
            _clamped(
                variance,
                std,
                variance - half_width,
                variance + half_width,
                (0.0, ((high - low) / 2) ** 2),
            )
        ]


def _as_floats(drawn: pl.Series, noise: Noise) -> tuple[FloatArray, FloatArray]:
    step = float(noise.component.granularity)
    values = drawn.to_numpy().astype(np.float64) * step
    return values, np.full(len(drawn), noise_std(noise.mechanism) * step)


def _clamped(
    value: FloatArray,
    std: FloatArray,
    low: FloatArray,
    high: FloatArray,
    possible: tuple[float, float],
) -> ReleasedValue:
    return ReleasedValue(
        pl.Series(np.clip(value, *possible)),
        pl.Series(std),
        pl.Series(np.clip(low, *possible)),
        pl.Series(np.clip(high, *possible)),
    )
