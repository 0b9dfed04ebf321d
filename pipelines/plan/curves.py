"""How error and release depend on the size of a partition, as points to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

from transforms.expected_error import expected_error, is_plain, ten_percent_from
from transforms.mechanisms import SelectionMechanism
from transforms.metrics import Mean
from transforms.noise import release_probability
from transforms.plan import MetricPlan, TablePlan
from transforms.release_curve import units_for_probability

POINTS = 81
"""Points of a curve."""


@dataclass(frozen=True)
class ErrorPoint:
    """The error of a metric at one size.

    Attributes:
        metric: Its name.
        size: Its number; of means and variances the number of rows.
        std: Standard deviation of the noise, from above for means and variances.
        relative: E|noise| against the number, or against the width of what is possible.
    """

    metric: str
    size: float
    std: float
    relative: float


@dataclass(frozen=True)
class ReleasePoint:
    """The probability of release at one number of privacy units."""

    units: int
    probability: float


def error_curves(table: TablePlan) -> list[ErrorPoint]:
    """Returns the errors of all metrics that have one, over sizes around those that matter."""
    drawn = [m for m in table.metrics if is_plain(m.metric) or isinstance(m.metric, Mean)]
    limits = [_limit(m) for m in drawn if is_plain(m.metric)] or [1000.0]
    first = math.floor(math.log10(min(limits) / 20))
    last = math.ceil(math.log10(max(limits) * 20))
    sizes = [10 ** (first + (last - first) * k / (POINTS - 1)) for k in range(POINTS)]
    return [point for metric in drawn for size in sizes for point in _point(metric, size)]


def release_curve(selection: SelectionMechanism) -> list[ReleasePoint]:
    """Returns the probability of release, over the numbers of units where it rises."""
    first = units_for_probability(selection, 0.001)
    last = units_for_probability(selection, 0.999)
    margin = max(1, (last - first) // 10)
    start, stop = max(0, first - margin), last + margin
    units = sorted({start + (stop - start) * k // (POINTS - 1) for k in range(POINTS)})
    return [ReleasePoint(n, release_probability(selection, n)) for n in units]


def _limit(metric: MetricPlan) -> float:
    """Returns the number from which the error is below 10 %; a step where there is hardly noise."""
    return max(ten_percent_from(metric), float(metric.noises[0].component.granularity))


def _point(metric: MetricPlan, size: float) -> list[ErrorPoint]:
    error = expected_error(metric, size)
    if error is None:
        return []
    std = metric.noises[0].std if is_plain(metric.metric) else error.error * math.sqrt(math.pi / 2)
    return [ErrorPoint(metric.name, size, std, error.relative)]
