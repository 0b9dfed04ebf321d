"""The best bounds, clips and shares, from the errors of a whole grid.

The objective of bounds is the mean, over the metrics of all tables that have them, of the relative
error (`transforms.tuning.errors`), each sum with its own best clip. Bounds that gain less than 2 %
against those of the config are not worth a change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from transforms.accounting.shares import optimal_shares
from transforms.mechanisms import NoiseKind
from transforms.tuning.grid import TableGrid

WORTH_IT = 0.98
"""Bounds are changed when their error is at most this part of the config's."""

PARTS = ("noise", "l0", "linf", "clip", "selection")
"""Where errors come from."""


@dataclass(frozen=True)
class MetricError:
    """The error of one metric at one point, as part of the sum of its true values.

    Attributes:
        metric: Name of the metric.
        factor: Multiple of its clip.
        error: The error.
        parts: Where it comes from (`PARTS`); these do not add up to it.
    """

    metric: str
    factor: float
    error: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class PointError:
    """The errors at one point of the grid of a table.

    Attributes:
        point: Number of the bounds.
        metrics: Error of each metric, sums with the clip that is best there.
        released: Part of the partitions that is expected to be released.
        shown: Part of the true values that is in them, mean over the metrics.
    """

    point: int
    metrics: tuple[MetricError, ...]
    released: float
    shown: float

    @property
    def error(self) -> float:
        """The objective: the mean error of the metrics."""
        return math.fsum(one.error for one in self.metrics) / len(self.metrics)

    @property
    def factors(self) -> dict[str, float]:
        """Multiple of the clip of each metric."""
        return {one.metric: one.factor for one in self.metrics}


def point_errors(
    totals: pl.DataFrame, grid: TableGrid, fixed: Mapping[str, float] | None = None
) -> list[PointError]:
    """Returns the errors of all points whose plan would be accepted.

    Args:
        totals: Errors summed over all partitions, the fields of `transforms.tuning.errors.Totals`.
        grid: What was tried.
        fixed: Multiple of the clip of each metric; by default that with the smallest error.
    """
    names = {
        (name, number): factor
        for name, factors in grid.factors.items()
        for number, factor in enumerate(factors)
    }
    points: dict[int, dict[str, MetricError]] = {}
    released: dict[int, float] = {}
    shown: dict[int, list[float]] = {}
    for row in totals.iter_rows(named=True):
        factor = names[row["metric"], row["factor"]]
        if fixed is not None and factor != fixed.get(row["metric"], 1.0):
            continue
        if not (math.isfinite(row["error"]) and row["mass"] > 0):
            continue
        found = MetricError(
            row["metric"],
            factor,
            row["error"] / row["mass"],
            {part: row[part] / row["mass"] for part in PARTS},
        )
        known = points.setdefault(row["point"], {})
        best = known.get(found.metric)
        if best is None or found.error < best.error:
            known[found.metric] = found
        released[row["point"]] = row["released"] / row["partitions"]
        shown.setdefault(row["point"], []).append(1 - row["selection"] / row["mass"])
    complete = max((len(known) for known in points.values()), default=0)
    return [
        PointError(
            point,
            tuple(known[name] for name in grid.factors if name in known),
            released[point],
            math.fsum(shown[point]) / len(shown[point]),
        )
        for point, known in sorted(points.items())
        if len(known) == complete
    ]


def best_point(tables: list[list[PointError]], current: int) -> int:
    """Returns the number of the bounds with the smallest mean error.

    Args:
        tables: The errors of each table that has these bounds, at the same points.
        current: Number of the bounds of the config, which stay unless others are worth it.
    """
    errors: dict[int, list[float]] = {}
    for table in tables:
        for point in table:
            errors.setdefault(point.point, []).append(point.error)
    means = {
        point: math.fsum(found) / len(found)
        for point, found in errors.items()
        if len(found) == len(tables)
    }
    if not means:
        return current
    best = min(means, key=lambda point: means[point])
    return best if means[best] <= WORTH_IT * means.get(current, math.inf) else current


def worth_it(tried: PointError, kept: PointError) -> PointError:
    """Returns errors with new clips only where they are worth a change.

    Args:
        tried: Errors with the best clips.
        kept: Errors with the clips of the config, at the same bounds.
    """
    own = {one.metric: one for one in kept.metrics}
    chosen = tuple(
        one if one.error <= WORTH_IT * own[one.metric].error else own[one.metric]
        for one in tried.metrics
    )
    return replace(tried, metrics=chosen)


def neighbours(grid: TableGrid, point: int) -> list[int]:
    """Returns the points beside one: the next L0 and the next Linf on either side, or L1."""
    width = max(1, len(grid.linfs))
    i, j = divmod(point, width)
    height = len(grid.points) // width
    beside = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
    return [a * width + b for a, b in beside if 0 <= a < height and 0 <= b < width]


def best_shares(
    errors: Mapping[str, float], shares: Mapping[str, float], noise: NoiseKind
) -> dict[str, float]:
    """Divides what some metrics have of a table's shares so that their noise is smallest.

    The relative noise of each is traced back to what it would be with the whole of it: the variance
    of Gaussian noise is divided by its share, the standard deviation of Laplace noise.

    Args:
        errors: Relative noise of each metric with its present share.
        shares: Present share of each.
        noise: Distribution of the noise.

    Returns:
        Shares with the same sum, of two digits each; none for metrics without an error.
    """
    known = {name: error for name, error in errors.items() if 0 < error < math.inf}
    if len(known) < 2:
        return {}
    together = math.fsum(shares[name] for name in known)
    power = 0.5 if noise == "gaussian" else 1.0
    alone = {name: error * (shares[name] / together) ** power for name, error in known.items()}
    found = optimal_shares(alone, "squares" if noise == "gaussian" else "linear")
    return {name: float(f"{together * share:.2g}") for name, share in found.items()}
