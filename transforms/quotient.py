"""The error of a quotient of two noisy numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.arrays import FloatArray


class Quotient(NamedTuple):
    """Quotients with their errors, shapes (n,).

    Attributes:
        value: Numerator over denominator.
        std: Standard deviation by the delta method.
        low: Lower end of the 95 % interval; -inf where there is none.
        high: Upper end; inf where there is none.
    """

    value: FloatArray
    std: FloatArray
    low: FloatArray
    high: FloatArray


def quotient(
    numerator: FloatArray,
    numerator_std: FloatArray,
    denominator: FloatArray,
    denominator_std: FloatArray,
    quantile: float,
) -> Quotient:
    """Divides independent noisy numbers.

    The standard deviation is sqrt(s_a^2 + (a / b)^2 s_b^2) / |b| (first-order Taylor expansion).
    The interval is E. C. Fieller's (*Some problems in interval estimation*, 1954): all r with
    |a - r b| <= q sqrt(s_a^2 + r^2 s_b^2), because a - r b is noise alone for the true r. Where
    |b| <= q s_b, the interval has no end.

    Args:
        numerator: a, shape (n,).
        numerator_std: s_a, shape (n,).
        denominator: b, not 0, shape (n,).
        denominator_std: s_b, shape (n,).
        quantile: q, such that the noise of a - r b is within q standard deviations with
            probability 0.95 or more (`transforms.intervals`).

    Returns:
        The quotients.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        value = numerator / denominator
        both = numerator_std**2 + (value * denominator_std) ** 2
        std = np.sqrt(both) / np.abs(denominator)
        bounded = 1 - (quantile * denominator_std / denominator) ** 2
        inside = numerator_std**2 * bounded + (value * denominator_std) ** 2
        half_width = quantile / np.abs(denominator) * np.sqrt(np.maximum(inside, 0))
        has_end = bounded > 0
        divisor = np.where(has_end, bounded, 1.0)
        low = np.where(has_end, (value - half_width) / divisor, -np.inf)
        high = np.where(has_end, (value + half_width) / divisor, np.inf)
    return Quotient(value, std, low, high)
