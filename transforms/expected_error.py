"""How far released numbers are off on average, in a partition of a given size.

The error is E|noise|, the mean distance between a released number and the one before noise. The
relative error is its quotient with the number itself:

- Counts, numbers of units and of distinct values, sums, and coordinates of vectors are a number
  plus one draw of noise, whatever the number is: E|noise| is exact, and relative to the number.
- A mean or variance over n rows, whose error depends on the data, is taken with all values at one
  end of the clip, where its error is largest. It is relative to the width of what is possible: the
  clip of a mean, the square of half of it for a variance.
- A ratio is that of two expected numbers.

Means, variances and ratios are first-order combinations of several draws, with the standard
deviation s of the delta method, as in what is released. Each draw is Gaussian with a random
variance (Laplace noise: D. F. Andrews and C. L. Mallows, *Scale mixtures of normal distributions*,
1974), and so is their sum, so E|noise| is at most s sqrt(2 / pi) (Jensen).

Quantiles have no such number: how far one is off depends on how close together the values are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from transforms.intervals import quantile_95
from transforms.mechanisms import AdditiveMechanism
from transforms.metrics import (
    Count,
    DistinctCount,
    Mean,
    Metric,
    PrivacyUnitCount,
    Sum,
    Variance,
    VectorSum,
)
from transforms.metrics.means import ROWS, SQUARES, SUM
from transforms.noise import noise_scale
from transforms.plan import MetricPlan
from transforms.quotient import quotient

Plain = Count | PrivacyUnitCount | DistinctCount | Sum | VectorSum
"""Metrics that are a number plus one draw of noise."""

SMALLEST, LARGEST = 1e-12, 1e18
"""Numbers that errors can be stated for: their quotients and squares are floats."""

_FROM_STD = math.sqrt(2 / math.pi)
_SMALL_SCALE = 10


@dataclass(frozen=True)
class ExpectedError:
    """The error of a metric in a partition of some size.

    Attributes:
        at: The number itself, in its own unit; of means and variances the number of rows.
        error: E|noise|, in the unit of what is released.
        relative: The error against the number, or against the width of what is possible.
        against: Which of the two.
    """

    at: float
    error: float
    relative: float
    against: Literal["value", "range"]


def check_size(name: str, value: float) -> None:
    """Raises a ValueError when a number is none that errors can be stated for."""
    if not SMALLEST <= value <= LARGEST:
        raise ValueError(f"{name} is {value:g}; allowed: from {SMALLEST:g} to {LARGEST:g}")


def is_plain(metric: Metric) -> bool:
    """Returns whether a metric is a number plus one draw of noise."""
    return isinstance(metric, Plain)


def mean_absolute_noise(mechanism: AdditiveMechanism) -> float:
    """Returns E|noise| of noise that is rounded to whole numbers.

    It is the sum over k = 1, 2, ... of P(|N| >= k), and |N| >= k when the noise was beyond k - 1/2
    before rounding. For Laplace noise of diversity b, this is a geometric series: 1 / (2 sinh(1 /
    (2 b))). For Gaussian noise of a large scale s, it is the integral s sqrt(2 / pi) less sqrt(2 /
    pi) / (24 s), by the midpoint rule.

    Args:
        mechanism: The noise.

    Returns:
        E|noise| in rows, units or granules.
    """
    scale = noise_scale(mechanism)
    if mechanism.noise == "laplace":
        return 1 / (2 * math.sinh(1 / (2 * scale))) if scale > 1e-3 else 0.0
    if scale >= _SMALL_SCALE:
        return _FROM_STD * (scale - 1 / (24 * scale))
    steps = range(1, 50 * _SMALL_SCALE)
    return math.fsum(math.erfc((k - 0.5) / (scale * math.sqrt(2))) for k in steps)


def plain_error(plan: MetricPlan) -> float:
    """Returns E|noise| of a plain metric, in the unit of what is released."""
    (noise,) = plan.noises
    return mean_absolute_noise(noise.mechanism) * float(noise.component.granularity)


def expected_error(plan: MetricPlan, at: float) -> ExpectedError | None:
    """Returns the error of a metric in a partition of some size.

    Args:
        plan: The metric with its noise.
        at: Expected number, in its own unit; for means and variances the number of rows.

    Returns:
        The error; None for metrics whose error depends on more than that.
    """
    if is_plain(plan.metric):
        error = plain_error(plan)
        return ExpectedError(at, error, error / at, "value")
    if isinstance(plan.metric, Mean):
        return _mean_error(plan, plan.metric, at)
    return None


def ten_percent_from(plan: MetricPlan) -> float:
    """Returns the number of a plain metric whose 95 % interval is plus or minus a tenth of it."""
    (noise,) = plan.noises
    return 10 * noise.half_width_95


def ratio_error(
    numerator: MetricPlan, denominator: MetricPlan, at: tuple[float, float]
) -> ExpectedError:
    """Returns the error of the ratio of two plain metrics, from above.

    Args:
        numerator: A plain metric with its noise.
        denominator: Another one.
        at: Their expected numbers.
    """
    ((above,), (below,)) = (numerator.noises, denominator.noises)
    values = [np.array([value]) for value in (at[0], above.std, at[1], below.std)]
    found = quotient(values[0], values[1], values[2], values[3], quantile_95("laplace"))
    value, error = at[0] / at[1], _FROM_STD * float(found.std[0])
    return ExpectedError(value, error, error / value, "value")


def _mean_error(plan: MetricPlan, metric: Mean, rows: float) -> ExpectedError:
    low, high = metric.clip
    width = high - low
    columns = {ROWS: rows, SUM: rows * metric.grid.largest}
    if isinstance(metric, Variance):
        width = (width / 2) ** 2
        (largest,) = (c.entries.high for c in metric.components if c.suffix == SQUARES)
        columns[SQUARES] = rows * largest
    drawn = pl.DataFrame({plan.name + suffix: [float(n)] for suffix, n in columns.items()})
    (released,) = metric.render(plan.name, drawn, plan.noises)
    error = _FROM_STD * float(released.std[0])
    return ExpectedError(rows, error, error / width, "range")
