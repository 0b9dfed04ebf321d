"""Errors of released tables, and what is known of them from a number of draws.

All intervals are 95 % and over independent draws of selection and noise, at one bounding of each
system. Of a mean, it is Student's; of a root mean square, that of the mean square, its root taken;
of a ratio, Student's of the logarithm (delta method, draws of the two systems being independent);
of a difference, Student's with the variances added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student
from utility_release import Released

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def squared_errors(released: Released, true: Samples) -> Samples:
    """Returns the mean squared error over all partitions, shape (3,).

    A partition that is not released is off by its whole value.
    """
    errors: Samples = np.mean((released.values - true) ** 2, axis=1)
    return errors


def squared_errors_where(released: Released, true: Samples, both: npt.NDArray[np.bool_]) -> Samples:
    """Returns the mean squared error over some partitions, shape (3,); NaN over none."""
    if not both.any():
        return np.full(len(true), math.nan)
    errors: Samples = np.mean((released.values[:, both] - true[:, both]) ** 2, axis=1)
    return errors


def mean(samples: Samples) -> Estimate:
    """Returns the mean of draws, shape (n,)."""
    centre = float(np.mean(samples))
    half = _quantile(len(samples)) * _error(samples)
    return Estimate(centre, centre - half, centre + half)


def root_mean_square(squares: Samples) -> Estimate:
    """Returns the root of the mean of squares, shape (n,)."""
    inside = mean(squares)
    return Estimate(*(math.sqrt(max(x, 0.0)) for x in (inside.value, inside.low, inside.high)))


def difference(ours: Samples, theirs: Samples) -> Estimate:
    """Returns how much larger the mean of ours is."""
    centre = float(np.mean(ours) - np.mean(theirs))
    half = _quantile(len(ours)) * math.hypot(_error(ours), _error(theirs))
    return Estimate(centre, centre - half, centre + half)


def ratio_of_roots(ours: Samples, theirs: Samples) -> Estimate | None:
    """Returns the ratio of two root mean squares; None where there is nothing to compare."""
    keep = np.isfinite(ours) & np.isfinite(theirs)
    if keep.sum() < 2 or not (np.any(ours[keep]) and np.any(theirs[keep])):
        return None
    one, other = ours[keep], theirs[keep]
    centre = math.log(np.mean(one) / np.mean(other)) / 2
    error = math.hypot(_error(one) / np.mean(one), _error(other) / np.mean(other)) / 2
    half = _quantile(len(one)) * error
    return Estimate(math.exp(centre), math.exp(centre - half), math.exp(centre + half))


def is_worse(ratio: Estimate | None) -> bool:
    """Says whether ours is worse for sure: the whole interval of a ratio of errors is above 1."""
    return ratio is not None and ratio.low > 1.0


def _error(samples: Samples) -> float:
    return float(np.std(samples, ddof=1) / math.sqrt(len(samples)))


def _quantile(draws: int) -> float:
    return float(student.ppf(0.975, draws - 1))


def stack(rows: Sequence[Samples]) -> Samples:
    """Returns draws of several metrics as one array, shape (3, n)."""
    return np.stack(rows, axis=1)
