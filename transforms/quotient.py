"""The error of a quotient of two noisy numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.arrays import FloatArray

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


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
) -> Quotient:
    """Divides independent noisy numbers.

    The standard deviation is sqrt(s_a^2 + (a / b)^2 s_b^2) / |b| (first-order Taylor expansion).
    The interval is E. C. Fieller's (*Some problems in interval estimation*, 1954): all r with
    |a - r b| <= z sqrt(s_a^2 + r^2 s_b^2), where the denominator differs from zero at that level;
    elsewhere nothing is known.

    Args:
        numerator: a, shape (n,).
        numerator_std: s_a, shape (n,).
        denominator: b, not 0, shape (n,).
        denominator_std: s_b, shape (n,).

    Returns:
        The quotients.
    """
    value = numerator / denominator
    std = np.sqrt(numerator_std**2 + (value * denominator_std) ** 2) / np.abs(denominator)
    square = denominator**2 - (Z95 * denominator_std) ** 2
    known = square > 0
    safe = np.where(known, square, 1.0)
    middle = numerator * denominator / safe
    discriminant = middle**2 - (numerator**2 - (Z95 * numerator_std) ** 2) / safe
    half_width = np.sqrt(np.maximum(discriminant, 0))
    low = np.where(known, middle - half_width, -np.inf)
    high = np.where(known, middle + half_width, np.inf)
    return Quotient(value, std, low, high)
