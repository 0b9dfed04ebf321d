"""The error of each point of a grid, split by where it comes from.

For one partition with the true value t, a metric that is released with probability q has

- bias b: what clipping, Linf and L0 take away together, in expectation,
- variance: that of L0 (or L1), plus that of the noise.

Its error is the root of q (b^2 + variance) + (1 - q) t^2: whoever does not see the partition takes
it for 0. The objective is the sum of these errors over all partitions, as a part of the sum of
all |t|: the mean relative error of partitions, weighted by what they hold. Beside it stand the
parts, as parts of the same sum: the noise's standard deviation where the partition is released, the
absolute mean losses to L0, to Linf and to clipping, and what selection leaves out. They are of
different kinds, so they do not add up to the error. The true value of a sum has the widest clip
that is tried; what is beyond it is taken for dirt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from transforms.arrays import FloatArray, IntArray
from transforms.tuning.grid import TableGrid
from transforms.tuning.loss import Kept, Losses, PartitionAndRowLosses, RowLosses, per_partition
from transforms.tuning.planned import PlannedGrid, PlannedPoint

UNITS = "units"
ROWS = "rows"


@dataclass(frozen=True)
class Totals:
    """Sums over partitions for one metric at one point of the grid.

    Attributes:
        point: Number of the bounds.
        metric: Name of the metric.
        factor: Number of the clip.
        error: Sum of the errors, in the unit of the metric.
        noise: Sum of the noise's standard deviations, where released.
        l0: Sum of the absolute expected losses to L0, or to L1.
        linf: Sum of the absolute losses to Linf.
        clip: Sum of the absolute losses to clipping.
        selection: Sum of the absolute values that selection leaves out.
        mass: Sum of the absolute true values.
        partitions: Number of partitions.
        released: Expected number of partitions that are released.
    """

    point: int
    metric: str
    factor: int
    error: float
    noise: float
    l0: float
    linf: float
    clip: float
    selection: float
    mass: float
    partitions: float
    released: float


SUMMED = ("error", "noise", "l0", "linf", "clip", "selection", "mass", "partitions", "released")
"""Fields that add up over disjoint sets of partitions."""

TOTALS_SCHEMA = {
    "point": pl.Int64,
    "metric": pl.String,
    "factor": pl.Int64,
    **dict.fromkeys(SUMMED, pl.Float64),
}


def losses_of(grid: TableGrid) -> Losses:
    """Returns how the bounds of a grid take away."""
    return RowLosses(grid.l1s) if grid.l1s else PartitionAndRowLosses(grid.l0s, grid.linfs)


def value_name(metric: str, factor: int) -> str:
    """Returns the name of a sum's value at one of its clips."""
    return f"{metric}:{factor}"


def scaled_by_rows(grid: TableGrid) -> dict[str, bool]:
    """Returns all values that are added up, and whether each is scaled with the rows that count."""
    sums = {
        value_name(one.name, factor): one.per_row
        for one in grid.sums
        for factor in range(len(one.factors))
    }
    return {UNITS: False, ROWS: True, **sums}


def table_totals(
    cells: pl.DataFrame,
    codes: IntArray,
    times: FloatArray,
    grid: TableGrid,
    planned: PlannedGrid,
) -> pl.DataFrame:
    """Returns the errors of all points of a grid, summed over partitions.

    Args:
        cells: What units contribute to partitions (`transforms.tuning.loss`), n rows.
        codes: Number of the partition of each row, shape (n,).
        times: How many partitions there are like each, shape (p,).
        grid: What is tried.
        planned: Its noise.

    Returns:
        The fields of `Totals`.
    """
    found = _Errors(cells, codes, times, grid, planned).totals()
    return pl.DataFrame([asdict(one) for one in found], schema=TOTALS_SCHEMA)


@dataclass(frozen=True)
class _Errors:
    cells: pl.DataFrame
    codes: IntArray
    times: FloatArray
    grid: TableGrid
    planned: PlannedGrid

    def totals(self) -> Iterator[Totals]:
        losses = losses_of(self.grid)
        by_rows = scaled_by_rows(self.grid)
        released: dict[int | None, FloatArray] = {None: np.ones(len(self.times))}
        units: dict[int, Kept] = {}

        def kept(point: int, value: str) -> Kept:
            found = losses.kept(self.cells, point, value, by_rows=by_rows[value])
            return per_partition(found, self.codes, len(self.times))

        for number, point in enumerate(self.planned.points):
            here = self._released(losses, released, number, point)
            for metric in self.grid.rows:
                of = kept(number, ROWS)
                yield self._totals(number, point, metric, 0, of, of.whole, here)
            for metric in self.grid.units:
                of = units.setdefault(point.bounds.max_partitions, kept(number, UNITS))
                yield self._totals(number, point, metric, 0, of, of.whole, here)
            for one in self.grid.sums:
                last = len(one.factors) - 1
                widest = kept(number, value_name(one.name, last))
                for factor in range(last):
                    of = kept(number, value_name(one.name, factor))
                    yield self._totals(number, point, one.name, factor, of, widest.whole, here)
                yield self._totals(number, point, one.name, last, widest, widest.whole, here)

    def _released(
        self,
        losses: Losses,
        known: dict[int | None, FloatArray],
        number: int,
        point: PlannedPoint,
    ) -> FloatArray:
        if point.curve not in known:
            assert point.curve is not None
            curve = self.planned.curves[point.curve]
            if curve.weighted:
                found = losses.weights(self.cells, number)
            else:
                found = losses.kept(self.cells, number, UNITS, by_rows=False)
            of = per_partition(found, self.codes, len(self.times))
            known[point.curve] = curve.expected(of.expected, of.variance)
        return known[point.curve]

    def _totals(
        self,
        number: int,
        point: PlannedPoint,
        metric: str,
        factor: int,
        kept: Kept,
        truth: FloatArray,
        released: FloatArray,
    ) -> Totals:
        std = point.stds[metric][factor]
        hidden = 1 - released
        squares = (kept.expected - truth) ** 2 + kept.variance + std**2

        def added(numbers: FloatArray) -> float:
            return float(np.dot(self.times, numbers))

        return Totals(
            number,
            metric,
            factor,
            error=added(np.sqrt(released * squares + hidden * truth**2)),
            noise=added(released) * std,
            l0=added(np.abs(kept.within - kept.expected)),
            linf=added(np.abs(kept.whole - kept.within)),
            clip=added(np.abs(truth - kept.whole)),
            selection=added(hidden * np.abs(truth)),
            mass=added(np.abs(truth)),
            partitions=added(np.ones(len(released))),
            released=added(released),
        )


def add_totals(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Adds up the errors of disjoint sets of partitions."""
    together = pl.concat(parts)
    keys = ["point", "metric", "factor"]
    return together.group_by(keys, maintain_order=True).agg(pl.col(SUMMED).sum()).sort(keys)


def with_empty_partitions(
    totals: pl.DataFrame, public: int, grid: TableGrid, planned: PlannedGrid
) -> pl.DataFrame:
    """Adds the noise of public partitions that have no rows.

    Args:
        totals: The errors of all others; it may have no rows at all.
        public: Number of public partitions.
        grid: What is tried.
        planned: Its noise.
    """
    seen = totals["partitions"][0] if totals.height else 0.0
    missing = max(0.0, public - seen)
    empty = [
        Totals(
            number, metric, factor, missing * std, missing * std, 0, 0, 0, 0, 0, missing, missing
        )
        for number, point in enumerate(planned.points)
        for metric in grid.factors
        for factor, std in enumerate(point.stds[metric])
    ]
    return add_totals([totals, pl.DataFrame([asdict(one) for one in empty], schema=TOTALS_SCHEMA)])
